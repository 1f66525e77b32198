"""The BFF that is put under load: what is counted, what costs, what writes, and who answers."""

import os
from decimal import Decimal
from typing import Any, cast

from narrows import Answer, Bff, Narrow, Upstream, read, write
from narrows.declare.rate import Rate
from narrows.declare.templates import TEMPLATES, Template

ALLOWED, PRICE = 60, Decimal("0.05")
TEMPLATE = "loaded@1"

# No template lets so much through; the workers import this file, and so know it too.
cast("dict[str, Template]", TEMPLATES)[TEMPLATE] = Template(
    name=TEMPLATE,
    writes=True,
    commit="open",
    rate=Rate.parse("100000000/minute per connector"),
    price=Decimal(1),
    credential_days=90,
)


class Thing(Narrow):
    """What the upstream answers."""

    id: str = ""


class Served(Narrow):
    """What is answered: by which worker."""

    id: str
    worker: int


class Things(Upstream):
    """What is behind it."""

    @read("/free", asks="things:read")
    def free(self) -> Answer[Thing]: ...

    @read("/counted", asks="things:read")
    def counted(self) -> Answer[Thing]: ...

    @read("/priced", asks="things:read", price=f"{PRICE} EUR")
    def priced(self) -> Answer[Thing]: ...

    @write("/written", asks="things:write", price=f"{PRICE} EUR")
    def written(self) -> Answer[Thing]: ...


bff = Bff(
    "loaded",
    version="1.0.0",
    owner="red@example.com",
    purpose="Be loaded",
    exposure="internal",
    sensitivity="personal",
    importance="low",
    review_by="2027-05-01",
)
_OPEN: dict[str, Any] = {"roles": {"member"}, "scope": "things:use", "rate": "100000000/hour"}


async def _served(thing: Thing) -> Served:
    return Served(id=thing.id, worker=os.getpid())


@bff.read("/free", uses=[Things.free], **_OPEN)
async def free() -> Served:
    """Cost nothing."""
    return await _served(await Things.free())


@bff.read("/counted", uses=[Things.counted], **{**_OPEN, "rate": f"{ALLOWED}/day"})
async def counted() -> Served:
    """Be asked so often a day and no more."""
    return await _served(await Things.counted())


@bff.read("/priced", uses=[Things.priced], **_OPEN)
async def priced() -> Served:
    """Cost something."""
    return await _served(await Things.priced())


@bff.write("/written", uses=[Things.written], **_OPEN)
async def written() -> Served:
    """Write something that costs something."""
    return await _served(await Things.written())
