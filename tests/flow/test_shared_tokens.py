"""Tokens for upstreams are shared over Redis, and nothing depends on it."""

from __future__ import annotations

import base64

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows.settings import Secret
from tests.flow.world import world

AWAY = {
    "tokens": "redis:",
    "redis": Secret("redis://127.0.0.1:9/0"),
    "key": Secret(base64.b64encode(bytes(32)).decode()),
}


async def test_without_redis_every_call_goes_on() -> None:
    """Each token is exchanged here, the operators see why, and the server is left alone for a while."""
    reader = InMemoryMetricReader()
    async with world(stores=AWAY, around={"meter_provider": MeterProvider([reader])}) as made:
        for subject in ("anna", "ben"):
            assert (await made.get("/teams/7/bookings", subject)).status_code == 200
        assert len(made.authority.exchanges) == 2
        data = reader.get_metrics_data()
    assert data is not None
    counted = {
        point.attributes["narrows.event"]: point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "narrows.exchanges"
        for point in metric.data.data_points
        if point.attributes is not None
    }
    assert counted == {"made": 2, "away": 1}
