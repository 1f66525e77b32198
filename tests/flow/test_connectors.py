"""Programs stand in a registry: what their records say holds for every call, and a change is felt at once."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bffs.where2eat.app import bff as where2eat
from narrows.errors import Unavailable
from narrows.governance.connectors import Governor
from narrows.stores.connectors import MemoryConnectors, SqliteConnectors
from narrows.surfaces.http import documents_of
from narrows.testing import bearer
from tests.abuse.attack import claims_of
from tests.flow.caller_process import KEY
from tests.flow.programs import DANA, ERIK, registered, without_table, written
from tests.flow.world import World, world

BOOKINGS = "/teams/7/bookings"
SUGGESTIONS = "/teams/7/dining-suggestions"


async def detail(made: World, path: str = BOOKINGS, **how: Any) -> tuple[int, str]:
    """The status of a call, and what it says."""
    answer = await made.client.get(path, headers=bearer(made.token(**how)))
    return answer.status_code, answer.json().get("detail", "") if answer.status_code >= 400 else ""


async def test_a_program_in_the_registry_may_call() -> None:
    """In production nobody stands in the settings; who stands in the registry and is live may call."""
    async with registered() as (made, _):
        assert (await made.get(SUGGESTIONS)).status_code == 200
        assert await detail(made, client_id="where2eat-page") == (
            403,
            "The program that this token was issued to is not registered here.",
        )


async def test_a_change_holds_from_the_next_look_on() -> None:
    """Half a second later by the clock of the process."""
    async with registered() as (made, programs):
        assert (await made.get(BOOKINGS)).status_code == 200
        await programs.governor.suspend("copilot", ERIK)
        made.clock.move(0.49)
        assert (await made.get(BOOKINGS)).status_code == 200
        made.clock.move(0.01)
        assert await detail(made) == (403, "The connector is in state 'suspended'.")
        await programs.governor.resume("copilot", DANA)
        made.clock.move(0.5)
        assert (await made.get(BOOKINGS)).status_code == 200


async def test_another_process_feels_a_suspension_within_a_second(tmp_path: Path) -> None:
    """Two processes, one file, real clocks: measured from when the change is kept until the other one refuses."""
    database = str(tmp_path / "connectors.db")
    store = SqliteConnectors(database, KEY)
    governor = Governor(where2eat, without_table(), store, now=time.time, documents=lambda: documents_of(where2eat))
    await governor.apply([written("copilot")], ERIK)
    for _ in range(2):
        await governor.approve("copilot", DANA)
    command = [sys.executable, "-m", "tests.flow.caller_process", database]
    other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert other.stdout is not None
    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"200\n"
    await governor.suspend("copilot", ERIK)
    kept_at = time.monotonic()
    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"403\n"
    took_s = time.monotonic() - kept_at
    assert await other.wait() == 0
    await store.close()
    assert took_s < 1.0


async def test_while_the_registry_is_away_nobody_is_let_in() -> None:
    """What is not known is not allowed, however well it was known before."""

    class Away(MemoryConnectors):
        away = False

        async def generation(self) -> int:
            if self.away:
                raise Unavailable("The store of connectors is away.", headers={"Retry-After": "5"})
            return await super().generation()

    store = Away()
    async with registered(store=store) as (made, _):
        store.away = True
        made.clock.move(0.5)
        answer = await made.get(BOOKINGS)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        store.away = False
        assert (await made.get(BOOKINGS)).status_code == 200


# --- what the record says -------------------------------------------------------------------------------------------


async def test_only_what_the_record_names_may_be_used() -> None:
    """Endpoints and scopes, although the token holds more; Narrows' own endpoints are everybody's."""
    record = {"endpoints": ["where2eat.team_bookings"]}
    async with registered(record=record) as (made, programs):
        assert (await made.get(BOOKINGS)).status_code == 200
        said = "The record of the connector does not name the endpoint 'where2eat.dining_suggestions'."
        assert await detail(made, SUGGESTIONS) == (403, said)
        assert (await made.get("/rehearse/rehearsals")).status_code == 200
        odd = msgspec.structs.replace(written("copilot", **record).record, scopes=("dining:book",))
        entry = await programs.governor.find("copilot")
        approval = msgspec.structs.replace(entry.approval, digest=odd.digest())
        await programs.governor.change(
            entry, msgspec.structs.replace(entry, record=odd, approval=approval), "apply", DANA
        )
        made.clock.move(0.5)
        assert await detail(made) == (403, "The record of the connector does not name the scope 'dining:read'.")


@pytest.mark.parametrize("ceiling", ["0.04 EUR", "1.00 USD", None])
async def test_a_dear_call_is_not_for_everybody(ceiling: str | None) -> None:
    """An endpoint that can cost more than the record allows is refused before anything is sent, in a rehearsal too."""
    booking = {"place_id": "node-268056345", "starts_at": "2099-05-04T10:30:00Z", "seats": 2}
    async with registered(record={"price_ceiling": ceiling}) as (made, _):
        answer = await made.post("/rehearse" + BOOKINGS, booking)
        assert answer.status_code == 403
        assert "One call can cost 0.05 EUR" in answer.json()["detail"]
        assert (await made.get(BOOKINGS)).status_code == 200


async def test_the_connectors_own_rate_holds_over_all_its_endpoints() -> None:
    """For the connector as a whole and for each caller, beside those of the endpoints; a new version refills none."""
    record = {"rates": ["4/minute", "3/minute per caller"]}
    async with registered(record=record) as (made, programs):
        asked = [(await made.get(path)).status_code for path in (BOOKINGS, SUGGESTIONS, BOOKINGS, BOOKINGS)]
        assert asked == [200, 200, 200, 429]
        await programs.apply(**record, version="2")
        assert (await made.get(BOOKINGS, "ben")).status_code == 200
        answer = await made.get(BOOKINGS, "ben")
        assert (answer.status_code, answer.json()["violated-policies"]) == (
            429,
            ["4/minute per connector over all endpoints"],
        )
        made.clock.move(60)
        assert (await made.get(BOOKINGS)).status_code == 200


async def test_a_credential_past_its_age_stops_the_connector() -> None:
    """After ninety days a program that proves itself needs a new one, and the refusal says how it gets it."""
    async with registered() as (made, programs):
        await programs.rotate()
        assert (await made.get(BOOKINGS)).status_code == 200
        made.clock.move(90 * 86_400)
        answer = await made.get(BOOKINGS)
        assert (answer.status_code, "narrows connector rotate" in answer.json()["remedy"]) == (403, True)
        await programs.rotate()
        assert (await made.get(BOOKINGS)).status_code == 200


async def test_a_record_ends_on_its_day() -> None:
    """Nobody has to do anything for it."""
    async with registered(record={"expires": "2025-11-26"}) as (made, _):
        assert (await made.get(BOOKINGS)).status_code == 200
        made.clock.move(2 * 86_400)
        assert await detail(made) == (403, "The connector is in state 'expired'.")


async def test_a_client_of_settings_and_registry_does_not_start() -> None:
    """Nobody could tell which of the two holds."""
    store = MemoryConnectors()
    async with registered(store=store):
        pass
    with pytest.raises(RuntimeError, match="connector-twice"):
        async with world(around={"connectors": store}):
            raise AssertionError("it must not start")


# --- attribution ----------------------------------------------------------------------------------------------------


async def test_every_call_is_attributed_in_token_record_and_trace() -> None:
    """Tenant, connector, version, caller and purpose; the caller is the token's own subject."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with registered(around={"tracer_provider": provider}) as (made, programs):
        await programs.apply(version="2")
        assert (await made.get(BOOKINGS)).status_code == 200
        [request] = made.network.to("tables.test")
        claims = claims_of(request.headers["authorization"].removeprefix("Bearer "))
        record = made.records.calls()[-1]
    purpose = "Find a place for a team's lunch, and book it"
    assert claims["sub"] == "anna"
    assert claims["authorization_details"] == [
        {
            "type": "urn:narrows:attribution",
            "tenant": "example",
            "connector": "copilot",
            "version": "2+2",
            "purpose": purpose,
        }
    ]
    told = {name: record[name] for name in ("tenant", "connector", "connector_version", "purpose")}
    assert told == {"tenant": "example", "connector": "copilot", "connector_version": "2+2", "purpose": purpose}
    assert record["caller"]
    [span] = [span for span in exporter.get_finished_spans() if "narrows.connector" in (span.attributes or {})]
    attributes = dict(span.attributes or {})
    assert attributes["narrows.tenant"] == "example"
    assert attributes["narrows.connector.version"] == "2+2"
    assert attributes["narrows.purpose"] == purpose
    assert attributes["narrows.caller"] == record["caller"]
