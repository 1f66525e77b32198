"""Step 5: the ceiling of the call's price is reserved from every budget, all or none; after the rates.

It comes when the body has: who sends slowly, or what cannot be read, holds no money that others could spend.

A rehearsal reserves what its reads can cost, and asks for all of the live call. The volumes are asked whether anything
is left at all, so that nothing is sent whose answer could not go out; they are counted once the answer is known
(volume.py). A call without a price, of a connector without volumes, asks no store.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from narrows.call import Call
from narrows.declare.budget import MOST, millionths
from narrows.declare.types import Money
from narrows.errors import BudgetExhausted, Unavailable, VolumeExhausted
from narrows.pipeline.accounts import Held, renews, short, tell
from narrows.pipeline.spending import Reserved
from narrows.pipeline.step import Ground, Preparing, Step, retry_after, who
from narrows.stores.budgets import Charge, Verdict

_log = logging.getLogger("narrows.pipeline")


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint, and refuse prices that could not be reckoned exactly."""
    endpoint, ground = preparing.endpoint, preparing.ground
    # Worked out by the step of rates, which is made ready before this one.
    ceiling = preparing.ceiling
    if endpoint.builtin:
        return None
    most, reads = _units(preparing)
    _refuse_currency(preparing, ceiling)
    currency = ceiling.currency if ceiling is not None and most else None
    development = ground.settings.environment == "development"

    async def budget(call: Call) -> None:
        if call.mode == "sandbox":
            return
        caller, connector, _ = who(call)
        money = ground.accounts.money(connector, caller, currency) if currency else []
        volumes = ground.accounts.volumes(connector, caller)
        if not money and not volumes:
            return
        if ground.budgets().forgets and not development:
            _log.error("%s has budgets, and stores.budgets forgets them: name another store", connector.id)
            raise Unavailable(headers={"Retry-After": "60"})
        amount, asked = (reads, most) if call.mode == "rehearse" else (most, 0)
        await _take(call, ground, _Wanted(money, volumes, amount, asked))

    return budget


class _Wanted(NamedTuple):
    """What one call draws on: `amount` of each account of money, and of volumes that anything is left."""

    money: list[Held]
    volumes: list[Held]
    amount: int
    asked: int

    def charges(self) -> list[Charge]:
        """The charges of all accounts, money first."""
        paid = [Charge(one.account, self.amount, asked=self.asked) for one in self.money]
        return paid + [Charge(one.account, 0, least=1) for one in self.volumes]


async def _take(call: Call, ground: Ground, wanted: _Wanted) -> None:
    """Reserve all of it or nothing. Raises `BudgetExhausted`, `VolumeExhausted`, `Unavailable`."""
    store, charges, held = ground.budgets(), wanted.charges(), wanted.money + wanted.volumes
    paid = len(wanted.money)
    if paid and wanted.amount:
        reserved = Reserved(store, ground.log, call.fresh_id(), wanted.money, charges[:paid])
        settle = partial(reserved.settle, call)
        # Before it is reserved: a client that goes away just then may have it reserved, and not hear of it.
        call.ending.append(settle)
        verdict = await store.reserve(reserved.reservation, charges, call.deadline)
        if not verdict.granted:
            call.ending.remove(settle)
    else:
        verdict = await store.count(charges)
    tell(ground.log, call, held, verdict)
    if not verdict.granted:
        raise _refused(held, verdict, charges, paid, call.now_s())
    if paid and call.mode == "rehearse":
        call.budget = "suffices" if all(one.suffices for one in verdict.each) else "short"


def _refused(
    held: Sequence[Held], verdict: Verdict, charges: Sequence[Charge], money: int, now: float
) -> BudgetExhausted | VolumeExhausted:
    """The problem that names what does not suffice: money first."""
    needed = [max(charge.amount, charge.least) for charge in charges]
    budgets = short(held, verdict, needed)
    if lacking := sum(not one.fits for one in verdict.each[:money]):
        budgets = budgets[:lacking]
        whose = "; ".join(f"of the {one['of']}'s budget for this {one['period']}" for one in budgets)
        return BudgetExhausted(f"Too little is left {whose}.", members={"budgets": budgets})
    wait = retry_after(renews(verdict) - now)
    return VolumeExhausted(
        "Nothing is left of what may be answered in this period.", headers=wait, members={"volumes": budgets}
    )


def _refuse_currency(preparing: Preparing, ceiling: Money | None) -> None:
    """Refuse budgets of a tenant that limit nothing here, because they are of other currencies."""
    for tenant, currencies in preparing.ground.accounts.currencies().items():
        if ceiling is not None and ceiling.currency not in currencies:
            preparing.refuse(
                "budget-currency",
                f"it costs {ceiling.currency}, and no budget of the tenant {tenant!r} is in {ceiling.currency}",
                f'add one to tenants.{tenant}.budgets, such as "50.00 {ceiling.currency}/month"',
            )


def _units(preparing: Preparing) -> tuple[int, int]:
    """What one call can cost at the most, and what its reads can, in millionths.

    Prices that are too fine or too large to be reckoned exactly are refused.
    """
    most = reads = 0
    for operation, count in preparing.counts.items():
        sendable = preparing.ground.sendables.get(operation)
        if sendable is None or sendable.price is None:
            continue
        try:
            units = millionths(sendable.price) * count
        except ValueError as error:
            preparing.refuse("price-inexact", str(error), 'give a price at most six decimals: price="0.000001 EUR"')
            continue
        most += units
        reads += units if operation.kind == "read" else 0
    if most > MOST:
        rule = f"one call can cost {preparing.ceiling}, which no budget can hold"
        preparing.refuse("price-inexact", rule, "let its operations run less often, or cost less")
    return most, reads
