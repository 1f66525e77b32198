from typing import Any

import msgspec
import pytest

from narrows.call import Call, Raw, Reply
from narrows.errors import CredentialsMissing, StartRefused
from narrows.plan import Plan
from narrows.plan.entries import Entry
from narrows.surfaces.selftest import prove
from narrows.testing import running
from tests.unit.surfaces.site import Site, site


def without(entry: Entry, *names: str) -> Entry:
    """An endpoint whose pipeline lacks steps."""
    steps = tuple(step for step in entry.steps if step.__qualname__.rpartition(".")[2] not in names)
    assert len(steps) == len(entry.steps) - len(names)
    return msgspec.structs.replace(entry, steps=steps)


def broken(one: Site, path: str, *names: str) -> Plan:
    """The plan of a site with one endpoint whose pipeline lacks steps."""
    plan = one.app.plan
    plan.entries = tuple(without(entry, *names) if entry.endpoint.path == path else entry for entry in plan.entries)
    return plan


async def test_a_sound_plan_is_proven() -> None:
    """No record is left, nothing is cooked, and no rate is touched."""
    async with site() as one:
        assert one.records.all() == []
        assert one.cooked == []


@pytest.mark.parametrize(
    "missing",
    [
        ["authenticate"],
        ["authenticate", "admit"],
        ["authenticate", "admit", "rate"],
        ["receive", "authenticate", "admit", "rate", "decide", "claim"],
    ],
)
async def test_a_pipeline_without_its_guards_does_not_start(missing: list[str]) -> None:
    """It is named in every mode, and not even the proof has an effect."""
    one = Site()
    plan = broken(one, "/teams/{team_id}/orders", *missing)
    with pytest.raises(StartRefused) as caught:
        await prove(plan)
    refusals = caught.value.refusals
    assert [(refusal.code, refusal.subject) for refusal in refusals] == [("guard-skipped", "cafe.order")] * 3
    assert [refusal.rule[refusal.rule.index("(") :] for refusal in refusals] == ["(live)", "(rehearse)", "(sandbox)"]
    assert refusals[0].where.split(":")[0].endswith("site.py")
    assert one.cooked == []


async def test_such_an_application_refuses_to_serve() -> None:
    """The lifespan fails with the reason."""
    one = Site()
    broken(one, "/teams/{team_id}/menu", "authenticate")
    with pytest.raises(RuntimeError, match="guard-skipped"):
        async with running(one.app):
            raise AssertionError("it started")


async def test_narrows_own_endpoints_are_proven_too() -> None:
    """Rehearsals belong to somebody."""
    one = Site()
    with pytest.raises(StartRefused, match="rehearsals"):
        await prove(broken(one, "/rehearsals", "authenticate"))


async def test_a_401_of_another_step_is_no_proof() -> None:
    """It must be the answer of step 2 to missing credentials."""
    one = Site()
    plan = one.app.plan

    async def refuse(entry: Entry, mode: Any, raw: Raw, *, way: Any, span: Any) -> Reply:
        return Reply(401, [], b'{"type":"urn:narrows:problem:invalid-token"}')

    plan.call = refuse  # type: ignore[method-assign]  # another answer than that of step 2
    with pytest.raises(StartRefused):
        await prove(plan)


async def test_the_missing_credentials_must_be_a_401() -> None:
    """An answer that only names the problem is none."""
    one = Site()

    async def answer(call: Call) -> None:
        call.reply = Reply(200, [], CredentialsMissing.type.encode())

    plan = one.app.plan
    plan.entries = tuple(msgspec.structs.replace(entry, steps=(answer,)) for entry in plan.entries)
    with pytest.raises(StartRefused):
        await prove(plan)
