import pytest

from narrows import NumberId
from narrows.call import Mode
from narrows.errors import MalformedRequest, ReceiptRequired
from narrows.pipeline import claim
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


READ = calls.declared(team)
WRITE = calls.declared(team, writes=True)
OPEN = calls.connector()
ASKING = calls.connector(commit="receipt")
PATH = {"path": {"team_id": "7"}}


@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("idempotency-key", [""]),
        ("idempotency-key", ['""']),
        ("idempotency-key", ["a b"]),
        ("idempotency-key", ["a,b"]),
        ("idempotency-key", ['"a";p=1']),
        ("idempotency-key", ["ä"]),
        ("idempotency-key", ["x" * 256]),
        ("idempotency-key", ["a", "a"]),
        ("rehearsal-receipt", [""]),
        ("rehearsal-receipt", ["a b"]),
        ("rehearsal-receipt", ["x" * 161]),
        ("rehearsal-receipt", ["a", "b"]),
    ],
)
async def test_a_header_that_is_not_one_value_of_its_form_is_refused(name: str, values: list[str], mode: Mode) -> None:
    """In every mode, so that a rehearsal tells what would be answered."""
    with pytest.raises(MalformedRequest, match=r"(?i)" + name):
        await calls.made(claim, WRITE)(calls.call(WRITE, mode=mode, headers={name: values}, program=OPEN))


async def test_an_open_write_that_brings_nothing_goes_on_at_once() -> None:
    """Most writes do: nothing is looked up, and nothing is held."""
    call = calls.call(WRITE, program=OPEN)
    await calls.made(claim, WRITE)(call)
    assert call.commitment is None


async def test_where_a_receipt_is_needed_the_refusal_says_where_to_rehearse() -> None:
    """With the very path of the request, each value one segment."""
    call = calls.call(WRITE, path={"team_id": "a/7"}, program=ASKING)
    with pytest.raises(ReceiptRequired) as caught:
        await calls.made(claim, WRITE)(call)
    assert caught.value.members == {"commit": "receipt", "rehearse_url": f"{calls.PUBLIC}/rehearse/teams/a%2F7"}


@pytest.mark.parametrize("mode", ["rehearse", "sandbox"])
async def test_a_rehearsal_needs_and_holds_nothing(mode: Mode) -> None:
    """Key and receipt leave no trace there."""
    call = calls.call(WRITE, mode=mode, headers={"idempotency-key": ["k"], "rehearsal-receipt": ["r"]}, program=ASKING)
    await calls.made(claim, WRITE)(call)
    assert call.commitment is None


@pytest.mark.parametrize(
    ("sent", "key"),
    [("abc", "abc"), ('"abc"', "abc"), (r'"a\"b\\c"', r"a\"b\c".replace('\\"', '"')), (" abc\t", "abc")],
)
async def test_quoted_and_bare_are_one_key(sent: str, key: str) -> None:
    """A String of RFC 9651, or the bare form that most clients send."""
    call = calls.call(WRITE, program=OPEN, headers={"idempotency-key": [sent]})
    await calls.made(claim, WRITE)(call)
    assert call.commitment is not None
    assert call.commitment.attempt.key == key


def test_a_read_claims_nothing() -> None:
    """It can be repeated."""
    assert claim.prepare(calls.preparing(READ)) is None
