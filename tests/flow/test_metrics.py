"""What a whole call leaves in the metrics: who, which endpoint, how it ended, and what it took."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows.settings import Secret
from narrows.telemetry_names import METRICS
from tests.flow.world import World, world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
WHOSE = {"narrows.tenant": "example", "narrows.connector": "copilot"}
BOOK, SUGGEST = "where2eat.book_table", "where2eat.dining_suggestions"
Points = list[tuple[dict[str, Any], float]]


@asynccontextmanager
async def measured(**over: Any) -> AsyncIterator[tuple[World, Any]]:
    """The world, and what reads its metrics: by name the points, each with labels and number."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)

    def points() -> dict[str, Points]:
        data = reader.get_metrics_data()
        return {
            metric.name: [(dict(p.attributes or {}), getattr(p, "value", None) or getattr(p, "count", 0)) for p in
                          metric.data.data_points]
            for scope in (data.resource_metrics[0].scope_metrics if data else [])
            for metric in scope.metrics
        }  # fmt: skip

    async with world(around={"meter_provider": provider}, **over) as made:
        yield made, points
    provider.shutdown()


def of(points: Points, **labels: str) -> float:
    """The sum of the points that have these labels."""
    wanted = {f"narrows.{key}": value for key, value in labels.items()}
    return sum(number for known, number in points if wanted.items() <= known.items())


async def test_a_call_counts_for_tenant_connector_endpoint_and_outcome() -> None:
    """An answer, a denial and a rehearsal are three series; the duration has the same labels."""
    async with measured() as (made, read):
        answer = await made.get("/teams/7/dining-suggestions")
        denied = await made.get("/teams/8/dining-suggestions")
        rehearsed = await made.get("/rehearse/teams/7/dining-suggestions")
        assert [one.status_code for one in (answer, denied, rehearsed)] == [200, 403, 200]
        points = read()
    for name in ("narrows.calls", "narrows.call.duration"):
        mine = [(labels, n) for labels, n in points[name] if labels["narrows.endpoint"] == SUGGEST]
        assert sorted(mine, key=str) == sorted(
            (
                ({"narrows.endpoint": SUGGEST, **WHOSE, "narrows.mode": mode, "narrows.outcome": outcome}, 1)
                for mode, outcome in (("live", "ok"), ("live", "denied"), ("rehearse", "ok"))
            ),
            key=str,
        )
    assert of(points["narrows.answer.size"], endpoint=SUGGEST, mode="rehearse") == len(rehearsed.content)
    assert of(points["narrows.problems"], endpoint=SUGGEST, problem="urn:narrows:problem:forbidden") == 1
    assert of(points["narrows.slo.calls"], endpoint=SUGGEST, verdict="good") == 1
    assert of(points["narrows.slo.calls"], endpoint=BOOK) == 0
    assert of(points["narrows.rehearsals"], endpoint=SUGGEST, mode="rehearse") == 1


async def test_price_effects_and_what_narrowing_left_out_are_counted() -> None:
    """Money by currency, writes by mode, bytes that upstreams sent and nobody got, fields that a rehearsal saw."""
    async with measured() as (made, read):
        assert (await made.post("/teams/7/bookings", NEW)).status_code == 201
        assert (await made.post("/rehearse/teams/7/bookings", NEW)).status_code == 201
        answer = await made.get("/rehearse/teams/7/dining-suggestions")
        points = read()
    euro = {"narrows.endpoint": BOOK, "narrows.mode": "live", "narrows.currency": "EUR", **WHOSE}
    assert points["narrows.price"] == [(euro, 0.05)]
    assert of(points["narrows.effects"], operation="Tables.book", mode="live") == 1
    assert of(points["narrows.effects"], operation="Tables.book", mode="rehearse") == 1
    sent = of(points["narrows.upstream.size"], operation="People.team")
    sent += of(points["narrows.upstream.size"], operation="Places.nearby")
    left = of(points["narrows.narrowed.size"], endpoint=SUGGEST, mode="rehearse")
    assert left == sent - len(answer.content) > 0
    assert of(points["narrows.narrowed.fields"], endpoint=SUGGEST) > 3
    assert of(points["narrows.exchanges"], event="made") > 0


async def test_budgets_and_records_are_counted_as_they_are_put_down() -> None:
    """What of a shared budget is used, when it was crossed and when it stopped a call, and each record by its kind."""
    async with measured(tenants={"example": {"budgets": ["0.10 EUR/day"]}}) as (made, read):
        statuses = [
            (await made.post("/teams/7/bookings", NEW | {"starts_at": f"2025-12-{n}T12:00:00Z"})).status_code
            for n in (26, 27, 28)
        ]
        assert statuses == [201, 201, 402]
        points = read()
        records = made.records.all()
    ((labels, used),) = points["narrows.budget.used"]
    assert (labels["narrows.tenant"], "narrows.connector" in labels, used) == ("example", False, 1.0)
    crossed = {labels["narrows.event"]: labels for labels, _ in points["narrows.budget.events"]}
    assert set(crossed) == {"soft", "hard"}
    assert crossed["hard"] == {**labels, "narrows.endpoint": BOOK, "narrows.event": "hard"}
    assert of(points["narrows.audit.records"], event="call") == 3
    assert of(points["narrows.audit.records"], event="budget") == 2
    assert sum(number for _, number in points["narrows.audit.records"]) == len(records)
    assert 0 < of(points["narrows.audit.commit.size"], outcome="ok") <= len(records)
    assert of(points["narrows.audit.commit.duration"]) > 0


async def test_a_store_that_is_away_is_counted() -> None:
    """Each question that its server did not answer, and what was done without it: here a read, which goes on."""
    away = {
        "limits": "redis:",
        "redis": Secret("redis://127.0.0.1:9/0"),
        "key": Secret(base64.b64encode(bytes(32)).decode()),
    }
    async with measured(stores=away) as (made, read):
        assert (await made.get("/teams/7/dining-suggestions")).status_code == 200
        points = read()
    counted = {(labels["narrows.store"], labels["narrows.event"]) for labels, _ in points["narrows.store.away"]}
    assert {event for _, event in counted} == {"left", "local", "unanswered"}


async def test_nothing_that_a_client_sends_is_in_a_label() -> None:
    """Ids, queries, methods, hosts, tokens and paths that nobody declared make no series of their own."""
    async with measured() as (made, read):
        for number in range(5):
            await made.get(f"/teams/canary-{number}/bookings?canary={number}")
            await made.get(f"/canary-{number}")
            await made.client.request(f"CANARY{number}", "/teams/7/bookings")
            await made.client.get("/teams/7/bookings", headers={"authorization": f"Bearer canary-{number}"})
        points = read()
    assert "canary" not in repr(points).lower()
    assert set(points) <= set(METRICS) | {"http.client.request.duration"}
    assert max(map(len, points.values())) < 20


async def test_refusals_of_rates_are_counted_by_bucket() -> None:
    """By the rate that was used up, of the endpoint or of attempts, and for whom."""
    async with measured(limits={"attempts": "8/minute"}) as (made, read):
        statuses = [(await made.delete("/bookings/first")).status_code for _ in range(10)]
        assert statuses.count(429) == 5
        points = read()["narrows.limit.breaches"]
    endpoint, whose = "where2eat.cancel_booking", {"tenant": "example", "connector": "copilot"}
    assert of(points, endpoint=endpoint, rule="5/minute per caller", event="rate", **whose) == 3
    assert of(points, endpoint=endpoint, rule="attempts 8/minute", event="attempts", **whose) == 2


async def test_a_store_of_rates_that_is_not_there_is_counted() -> None:
    """Reads go on by this process alone, writes are refused, and both are seen."""
    nowhere = {"limits": "redis:", "redis": Secret("redis://127.0.0.1:1"), "key": Secret("A" * 43 + "=")}
    async with measured(stores=nowhere) as (made, read):
        assert (await made.get("/teams/7/bookings")).status_code == 200
        refused = await made.delete("/bookings/first")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        points = read()["narrows.store.away"]
    # Of both the token, which counts for its address; of the read the attempt and the rate, of the write the attempt.
    events = {event: of(points, store="limits", event=event) for event in ("left", "local", "refused", "back")}
    assert events == {"left": 2, "local": 4, "refused": 1, "back": 0}
