"""What comes into an application from outside."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from narrows.call import random_id
from narrows.pipeline.step import Step
from narrows.stores.audit import AuditStore
from narrows.stores.registry import Connectors
from narrows.transport import Dial, dial


def _to_stdout(line: bytes) -> None:
    """Where records go unless they are sent elsewhere: one line of JSON each."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in from outside: the network, the clock, chance, telemetry, and where records go.

    `watch` may wrap each step of each endpoint, once at start, to see how long it takes; it is for development.
    `connectors` is a registry that is open already, and that whoever gives it closes, in place of `stores.connectors`;
    `audit` is an audit log in place of `stores.audit`, under the same conditions. `ad_hoc` lets GraphQL run that was
    not registered, introspection too: `narrows dev` sets it, and outside development it is refused.
    """

    dial: Dial = dial
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    new_id: Callable[[], str] = random_id
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    write_record: Callable[[bytes], object] = _to_stdout
    watch: Callable[[Step], Step] | None = None
    connectors: Connectors | None = None
    audit: AuditStore | None = None
    ad_hoc: bool = False
