"""What a call can cost is worked out at start, exactly, and what it draws on is found for each call."""

from typing import Any

import msgspec
import pytest

from narrows import Answer, NumberId, Upstream, read, write
from narrows.call import Caller
from narrows.declare.budget import Budget
from narrows.errors import BudgetExhausted
from narrows.pipeline import budget, rate
from narrows.pipeline.accounts import Accounts
from narrows.pipeline.step import Step
from tests.unit.pipeline import calls


class Priced(Upstream):
    """Things that cost."""

    @read("/a", asks="a", price="0.05 EUR")
    def a(self) -> Answer[calls.Team]: ...

    @write("/b", asks="b", price="1 EUR")
    def b(self) -> Answer[None]: ...

    @read("/d", asks="d")
    def d(self) -> Answer[calls.Team]: ...

    @read("/e", asks="e", price="0.0000001 EUR")
    def e(self) -> Answer[calls.Team]: ...

    @read("/f", asks="f", price="1000000 EUR")
    def f(self) -> Answer[calls.Team]: ...


Priced.key = "directory"


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


def ready(declared: Any, **how: Any) -> Any:
    """An endpoint with its ceiling, as the step of rates leaves it."""
    found = calls.preparing(declared, **how)
    rate.prepare(found)
    assert found.refusals == []
    return found


def refused(declared: Any, **how: Any) -> list[str]:
    """The codes for which the step refuses the start of an endpoint."""
    found = ready(declared, **how)
    budget.prepare(found)
    return [refusal.code for refusal in found.refusals]


def made(declared: Any) -> Step:
    """The step of an endpoint."""
    found = budget.prepare(ready(declared))
    assert found is not None
    return found


@pytest.mark.parametrize("uses", [[Priced.e], [Priced.f.times(10_000)]], ids=["too fine", "too large"])
def test_a_price_that_cannot_be_reckoned_exactly_does_not_start(uses: list[Any]) -> None:
    """Finer than a millionth, or more than any store holds."""
    assert set(refused(calls.declared(team, uses=uses))) == {"price-inexact"}


def test_a_tenants_budget_in_another_currency_limits_nothing() -> None:
    """So it does not start: whoever wrote it believes that it does."""
    tenants = {"example": {"budgets": ["5 CHF/day"]}}
    assert refused(calls.declared(team, uses=[Priced.a]), tenants=tenants) == ["budget-currency"]
    assert refused(calls.declared(team, uses=[Priced.d]), tenants=tenants) == []
    both = {"example": {"budgets": ["5 CHF/day", "5 EUR/day"]}, "other": {"volumes": ["1 MB/day"]}}
    assert refused(calls.declared(team, uses=[Priced.a]), tenants=both) == []


def test_narrows_own_have_no_budget() -> None:
    """They cost nothing, and answer nothing of an upstream."""
    endpoint = msgspec.structs.replace(calls.declared(team, uses=[]), owned=True)
    assert budget.prepare(calls.preparing(endpoint)) is None


class Untouched:
    """A store that nobody may ask."""

    forgets = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked")


async def test_a_call_that_draws_on_nothing_asks_no_store() -> None:
    """Without a price, or without a budget in its currency, there is no way to the store."""
    program = calls.connector(budgets=(Budget.parse("5 EUR/day"),))
    for uses, known in (([Priced.d], program), ([Priced.a], calls.connector())):
        endpoint = calls.declared(team, uses=uses)
        found = ready(endpoint)
        found.ground = msgspec.structs.replace(found.ground, budgets=Untouched)
        step = budget.prepare(found)
        assert step is not None
        await step(calls.call(endpoint, program=known))


async def test_the_smallest_of_two_limits_of_one_account_holds() -> None:
    """Whoever writes both is not given their sum."""
    endpoint = calls.declared(team, uses=[Priced.a])
    written = [Budget.parse(text) for text in ("5 EUR/day", "0.05 EUR/day", "7 EUR/day")]
    step = made(endpoint)
    await step(calls.call(endpoint, program=calls.connector(budgets=tuple(written))))
    with pytest.raises(BudgetExhausted):
        await step(calls.call(endpoint, program=calls.connector(budgets=tuple(written))))


def test_an_account_is_of_one_holder() -> None:
    """Neither another BFF, tenant, connector nor caller finds it; another version of the connector does."""
    shared, own = Budget.parse("5 EUR/day"), Budget.parse("5 EUR/day per caller")
    chosen = calls.settings(tenants={"example": {"budgets": ["9 EUR/day", "no budget"]}})

    def names(bff: str = "lunch", subject: str = "anna", issuer: str = "corp", **program: Any) -> list[str]:
        accounts = Accounts(bff, chosen, lambda *parts: "/".join(parts))
        connector = calls.connector(budgets=(shared, own), **program)
        caller = Caller(issuer=issuer, subject=subject, kind="person")
        return [one.account.name for one in accounts.money(connector, caller, "EUR")]

    first = names()
    assert len(set(first)) == 3
    assert names(version="2") == first
    assert not set(names(bff="other")) & set(first)
    assert not set(names(tenant="elsewhere")) & set(first)
    assert set(names(id="other")) & set(first) == {first[2]}
    assert set(names(subject="ben")) & set(first) == set(names(issuer="else")) & set(first) == {first[0], first[2]}
