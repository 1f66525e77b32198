"""What is refused of the connector files of a BFF: their form, their template, and what the policies say of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from narrows.declare.bff import Bff
from narrows.declare.connectors import Written, read_records
from narrows.declare.endpoint import Endpoint
from narrows.declare.templates import outside
from narrows.errors import ConnectorError, Refusal
from narrows.governance.asked import Grant, asked
from narrows.governance.policy import Gate
from narrows.governance.reviews import granted_in
from narrows.settings import Settings
from narrows.stores.opening import open_reviews
from narrows.stores.servers import Servers

_FAULT = re.compile(r"(?P<where>.+?\.toml(?::[0-9]+)?): (?P<rule>.*?)\.?(?: Remedy: (?P<remedy>.*?)\.?)?", re.DOTALL)


def read_files(bff: Bff) -> tuple[list[Written], list[Refusal]]:
    """The records of a BFF; a file that does not hold keeps all of them out."""
    folder = bff.folder / "connectors"
    try:
        return read_records(folder), []
    except ConnectorError as error:
        return [], [_unsound(line, folder) for line in str(error).splitlines()]


def template_refusals(
    bff: Bff, written: Sequence[Written], settings: Settings, documents: Sequence[Endpoint] = ()
) -> Iterator[Refusal]:
    """What of each record its template, its kind and its BFF, which has these documents, do not allow."""
    for one in written:
        for field, rule, remedy in outside(one.record, bff, list(settings.issuers), documents):
            yield Refusal(
                code="connector-outside",
                subject=f"connector {one.record.id}",
                where=one.where(field),
                rule=f"{field}: {rule}",
                remedy=remedy,
            )


def gate_refusals(
    bff: Bff,
    gate: Gate,
    written: Sequence[Written],
    settings: Settings | None,
    documents: Sequence[Endpoint] = (),
) -> Iterator[Refusal]:
    """What the policies say of each record; grants are read from the registry of `settings`, if they are given.

    Raises `SettingsError` and `Unavailable`.
    """
    granted = asyncio.run(_granted(settings, written)) if settings and written else {}
    for one in written if not gate.refusals else ():
        digest = one.record.digest()
        grants = granted.get(digest, ())
        decision = gate.decide(asked("check", one.record, bff, digest=digest, grants=grants, documents=documents))
        for denial in decision.denials:
            yield Refusal(
                code="connector-denied",
                subject=f"connector {one.record.id}",
                where=one.where(denial.field),
                rule=f"{denial.message} [{denial.policy}/{denial.rule}]",
                remedy=denial.remedy,
            )


async def _granted(settings: Settings, written: Sequence[Written]) -> dict[str, list[Grant]]:
    """The grants of each record, by its digest."""
    servers = Servers(settings.stores)
    reviews = open_reviews(settings, servers)
    try:
        await servers.prepare()
        return {
            digest: await granted_in(reviews, one.record.id, digest)
            for one in written
            for digest in (one.record.digest(),)
        }
    finally:
        await reviews.close()
        await servers.close()


def _unsound(said: str, folder: Path) -> Refusal:
    fault = _FAULT.fullmatch(said)
    where = fault["where"] if fault else str(folder)
    return Refusal(
        code="connector-unsound",
        subject=f"connector {Path(where.partition('.toml')[0]).name}",
        where=where if re.search(r":[0-9]+$", where) else f"{where}:1",
        rule=fault["rule"] if fault else said,
        remedy=(fault and fault["remedy"]) or "correct it, as docs/guide/connectors.md shows",
    )
