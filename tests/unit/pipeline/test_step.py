import pytest

from narrows.declare.types import NumberId
from narrows.pipeline.step import retry_after, who
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0.0, "1"), (0.001, "1"), (1.0, "1"), (1.0001, "2"), (59.4, "60"), (60.0, "60"), (3600.5, "3601")],
)
def test_retry_after_is_rounded_up_and_never_zero(seconds: float, header: str) -> None:
    """A client that waits exactly as long as it is told is let in."""
    assert retry_after(seconds) == {"Retry-After": header}


def test_who_tells_what_step_2_found() -> None:
    """The three parts of an identity come together."""
    call = calls.call(calls.declared(team))
    assert who(call) == (call.caller, call.connector, call.credential)


@pytest.mark.parametrize("missing", ["caller", "connector", "credential"])
def test_who_fails_before_step_2(missing: str) -> None:
    """A step that runs too early fails; it does not decide about nobody."""
    call = calls.call(calls.declared(team))
    setattr(call, missing, None)
    with pytest.raises(AssertionError, match="step 2"):
        who(call)


def test_a_refusal_names_the_endpoint_and_its_line() -> None:
    """Whoever reads a refusal finds the declaration."""
    ready = calls.preparing(calls.declared(team))
    ready.refuse("some-code", "rule", "remedy")
    [refusal] = ready.refusals
    assert (refusal.code, refusal.subject, refusal.rule, refusal.remedy) == (
        "some-code",
        "lunch.team",
        "rule",
        "remedy",
    )
    assert refusal.where.startswith(__file__)
