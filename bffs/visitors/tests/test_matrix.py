"""Who may do what: callers by objects by endpoints. The cases come from the declarations, and grow with them."""

import pytest

from bffs.visitors.app import bff
from bffs.visitors.tests.fakes import ABSENT, FOREIGN, OWN, SUBJECTS, made_up
from bffs.visitors.tests.requests import REQUESTS, stage
from narrows.testing import Request, compare, unasked
from narrows.testing.matrix import Case, matrix

CASES = matrix(bff, own=OWN, foreign=FOREIGN, absent=ABSENT, subjects=SUBJECTS)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.asyncio
async def test_who_may_do_what(case: Case) -> None:
    """Nobody without a token, a scope, a role or an approved program gets further, and nobody to another's object."""
    async with made_up() as w:
        answer = await w.ask(case)
    assert answer.status_code == case.status, case.remedy


def test_every_endpoint_has_an_example_request() -> None:
    """A new endpoint is rehearsed and compared too, or this names it."""
    assert unasked(bff, REQUESTS) == []


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
@pytest.mark.asyncio
async def test_a_rehearsal_says_what_the_live_call_does(request_: Request) -> None:
    """Status, schema, effects and price are the same."""
    async with stage() as made:
        comparison = await compare(made, request_)
    assert [str(one) for one in comparison.differences] == []
