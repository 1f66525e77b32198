import pytest

from narrows import NumberId
from narrows.call import Mode
from narrows.errors import MalformedRequest
from narrows.pipeline import claim
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


READ = calls.declared(team)
WRITE = calls.declared(team, writes=True)


@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
@pytest.mark.parametrize("name", ["idempotency-key", "rehearsal-receipt"])
async def test_a_promise_that_cannot_be_kept_is_refused(name: str, mode: Mode) -> None:
    """Doing less than a client asks for would lose or double a write."""
    with pytest.raises(MalformedRequest, match=name):
        await calls.made(claim, WRITE)(calls.call(WRITE, mode=mode, headers={name: ["x"]}))


async def test_a_write_that_asks_for_nothing_goes_on() -> None:
    """Most writes do."""
    await calls.made(claim, WRITE)(calls.call(WRITE, headers={"idempotency_key": ["x"]}))


def test_a_read_claims_nothing() -> None:
    """It can be repeated."""
    assert claim.prepare(calls.preparing(READ)) is None
