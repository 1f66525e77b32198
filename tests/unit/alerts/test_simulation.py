from tests.unit.alerts.simulation import TUNED_ON, run


def test_one_world():
    """The short incidents of a made-up world are found, and with the same seed the same is told again.

    How often in general is measured over many seeds by `tests/bench/test_alert_rates.py`.
    """
    seed = 6
    assert seed not in TUNED_ON
    outcome = run(seed, 45)
    missed = {incident.kind for incident in outcome.life.incidents if incident.found is None}
    assert missed <= {"slow exfiltration (+70 % bytes)", "first use of an endpoint"}
    assert len(outcome.false) <= 4
    assert run(seed, 45).alerts == outcome.alerts
