from typing import Any

import msgspec
import pytest

from narrows import NumberId
from narrows.call import Made
from narrows.errors import ReceiptRefused
from narrows.pipeline.claim.checking import Checking
from narrows.pipeline.receipts import Signed
from narrows.pipeline.rehearsal import Binding, KeptRehearsal
from narrows.stores.memory import MemoryRehearsals
from narrows.testing import Clock
from narrows.upstreams.commitment import owner_of
from narrows.upstreams.made import digest_of
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


WRITE = calls.declared(team, writes=True, uses=[calls.Directory.remove])
BINDING = Binding(
    endpoint="lunch.team",
    environment="development",
    connector_version="1",
    arguments=digest_of({"team_id": 7}),
    declaration="d",
    ceiling=None,
    moment=1.0,
    ids=(),
)
MADE = Made(operation="Directory.remove", writes=True, price=None, content="c", slots={})


async def check(binding: Binding | None, made: Made = MADE) -> tuple[KeptRehearsal, Binding]:
    """Check the receipt of a rehearsal that was bound so."""
    clock = Clock()
    call = calls.call(WRITE, clock=clock, arguments={"team_id": 7})
    rehearsals = MemoryRehearsals(clock, 60, bytes(32))
    kept = KeptRehearsal(
        id="r1", endpoint="lunch.team", mode="rehearse", status=200, created_at="", rule=None, scopes={}, effects=[],
        price={}, left_out=[], stand_ins=[], notes=[], trace_id="t", made=(made,), binding=binding,
    )  # fmt: skip
    await rehearsals.put("r1", owner_of(call), msgspec.json.encode(kept))
    ready = calls.preparing(WRITE)
    ready.declaration = "d"
    checking = Checking.prepare(ready)
    checking = msgspec.structs.replace(checking, rehearsals=lambda: rehearsals)
    return await checking.check(call, Signed("r1", int(clock()) + 60))


async def test_what_is_as_it_was_is_accepted() -> None:
    """The rehearsal comes back with what it made."""
    kept, binding = await check(BINDING)
    assert (kept.made, binding) == ((MADE,), BINDING)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"endpoint": "lunch.other"}, "endpoint"),
        ({"environment": "staging"}, "environment"),
        ({"connector_version": "2"}, "connector-version"),
        ({"arguments": "other"}, "arguments"),
        ({"declaration": "other"}, "declaration"),
        ({"ceiling": "1.00 EUR"}, "price"),
    ],
)
async def test_each_drift_is_named(change: dict[str, Any], reason: str) -> None:
    """One reason for each thing that a receipt is bound to."""
    with pytest.raises(ReceiptRefused) as caught:
        await check(msgspec.structs.replace(BINDING, **change))
    assert caught.value.members == {"reason": reason}


async def test_an_effect_that_costs_something_else_is_a_drift_of_the_price() -> None:
    """Also where the ceiling is the same."""
    with pytest.raises(ReceiptRefused) as caught:
        await check(BINDING, msgspec.structs.replace(MADE, price="2.00 EUR"))
    assert caught.value.members == {"reason": "price"}


async def test_a_rehearsal_that_offered_nothing_has_no_receipt() -> None:
    """Whoever could sign its id would still be refused: a sandbox binds nothing."""
    with pytest.raises(ReceiptRefused) as caught:
        await check(None)
    assert caught.value.members == {"reason": "unknown"}
