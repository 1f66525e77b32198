"""What the alerts find and what they cry, over many made-up worlds; bounds are what was measured, with some room."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.unit.alerts.simulation import TUNED_ON, run, summary

# None of these was looked at when the defaults were chosen.
SEEDS = range(1, 11)
# At least so many of ten are found.
FOUND = {
    "runaway script (40 a minute, half an hour)": 10,
    "off-hours spike (150 calls at 22:00)": 10,
    "bulk download (50 pages of 1 MB)": 10,
    "probing ids (60 of 403 in 8 minutes)": 10,
    "credential stuffing (150, one network)": 10,
    "credential stuffing (200, 100 networks)": 9,
    "first use of an endpoint": 8,
    "slow exfiltration (+70 % bytes)": 7,
    "stolen credentials (10 calls, new network)": 6,
}
# At most so many false alarms a connector-month.
CRIED = {"spike": 0.05, "refusals": 0.02, "new_endpoint": 0.02, "volume": 0.1, "drift": 0.25, "new_origin": 0.25}


@pytest.fixture(scope="module")
def judged():
    """Ten worlds of 75 days with six programs each, two at a time."""
    assert not set(SEEDS) & set(TUNED_ON)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return summary(list(pool.map(run, SEEDS, [75] * len(SEEDS))))


def test_planted_incidents_are_found(judged):
    """Each kind as often as is promised."""
    kinds, _, _ = judged
    assert set(kinds) == set(FOUND)
    assert {kind: found for kind, (found, _) in kinds.items() if found < FOUND[kind]} == {}


def test_ordinary_life_is_seldom_an_alarm(judged):
    """By no rule more often than is promised."""
    _, rates, months = judged
    assert months == pytest.approx(136)
    assert {rule: rate for rule, rate in rates.items() if rate > CRIED[rule]} == {}
