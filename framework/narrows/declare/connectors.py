"""The record of a connector as its owner writes it: one strict type, one file `connectors/<id>.toml` beside the BFF."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from narrows.declare.budget import Budget
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.errors import ConnectorError
from narrows.settings import ConnectorKind

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}(?!\n)$")]
# Neither a control, nor what is invisible or turns the writing: two names that look alike are one to who approves.
Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=300,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
        r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]+(?!\n)$",
    ),
]
Version = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,31}(?!\n)$")]
Scope = Annotated[str, Meta(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]{1,128}(?!\n)$")]
EndpointId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_]+(?!\n)$", max_length=128)]

FILE_CHARACTERS = 64 * 1024

Ladder = Literal["id", "match", "log"]
"""How a program may name a GraphQL document, the narrowest first.

`id` by its name or hash alone. `match` also by text that is that of a registered document, byte for byte. `log` too,
and text that is none, which is refused all the same, is put down in the audit log, so that it can be registered.
"""


class ConnectorRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who a program is, who answers for it, and the most that it may do.

    `id` is the file's stem unless it is written. `issuer` is a name of the settings; (issuer, `client_id`) is what a
    verified token says of the program. `owner` and `contact` answer for it, and never approve it. `endpoints` and
    `scopes` are all that it may use; `rates` (`60/minute`, `5 concurrent`, for the connector as a whole, or `… per
    caller`) hold over all endpoints, beside those of each; `price_ceiling` is the dearest call that it may make, and
    without it only calls without a price are. `budgets` (`5.00 EUR/day`) are the most that its calls may cost in a
    period, `volumes` (`20 MB/day`, `5000 records/day`) the most that they may answer; each also `… per caller`.
    `sensitive` asks for endpoints of a BFF whose data are personal or secret. `documents` is how it may name GraphQL
    documents (`Ladder`). `expires` is the first day (UTC) on which it holds no more.
    """

    version: Version
    issuer: Line
    client_id: Line
    tenant: Name
    owner: Line
    contact: Line
    kind: ConnectorKind
    purpose: Line
    template: Annotated[str, Meta(pattern=r"^[a-z-]+@[1-9][0-9]*(?!\n)$")]
    endpoints: Annotated[tuple[EndpointId, ...], Meta(min_length=1, max_length=200)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=100)]
    rates: Annotated[tuple[str, ...], Meta(min_length=1, max_length=10)]
    platform: Line = "unnamed"
    budgets: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    volumes: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    price_ceiling: str | None = None
    sensitive: bool = False
    documents: Ladder = "id"
    agreement: Line | None = None
    expires: date | None = None
    id: Name = ""

    def digest(self) -> str:
        """SHA-256 over every field (hexadecimal); the order of endpoints and scopes does not count."""
        document = msgspec.to_builtins(self)
        for name in ("endpoints", "scopes", "rates", "budgets", "volumes"):
            document[name] = sorted(document[name])
        if not self.volumes:
            del document["volumes"]  # what was approved before there were any stays approved
        if self.documents == "id":
            del document["documents"]  # as above
        return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()

    def limits(self) -> list[Rate]:
        """The rates: for the connector as a whole unless one says `per caller`. Raises ValueError."""
        return [_rate(text) for text in self.rates]

    def spending(self) -> list[Budget]:
        """The budgets. Raises ValueError."""
        return [Budget.parse(text) for text in self.budgets]

    def answering(self) -> list[Budget]:
        """The volumes. Raises ValueError."""
        return [Budget.volume(text) for text in self.volumes]

    def ceiling(self) -> Money | None:
        """The dearest call that it may make. Raises ValueError."""
        return Money.parse(self.price_ceiling) if self.price_ceiling is not None else None


class Written(msgspec.Struct, frozen=True):
    """A record, the file that it stands in, and the text of that file."""

    record: ConnectorRecord
    file: Path
    text: str = ""

    def where(self, field: str = "") -> str:
        """`file:line` of a field, or the file alone if the field does not stand there."""
        return _where(self.file, self.text, field)


def read_records(folder: Path) -> list[Written]:
    """Read every `*.toml` of a folder, sorted by name; no folder is no records.

    Raises `ConnectorError` with every fault at once: file and line, key, rule and remedy.
    """
    read: list[Written] = []
    faults: list[str] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            read.append(read_record(file))
        except ConnectorError as error:
            faults.append(str(error))
    faults += _twice(read)
    if faults:
        raise ConnectorError("\n".join(faults))
    return read


def read_record(file: Path) -> Written:
    """Read one file. Raises `ConnectorError`."""
    try:
        text = _text(file)
        document = tomllib.loads(text)
    except OSError as error:
        raise ConnectorError(f"{file}: cannot be read ({error.strerror}). Remedy: name a file that can.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{file}:{line[1]}" if line else str(file)
        remedy = "correct that line; texts stand in quotes, lists in [ ]"
        raise ConnectorError(f"{where}: not valid TOML ({error}). Remedy: {remedy}.") from None
    document.setdefault("id", file.stem)
    faults = list(_faults(document))
    if faults:
        raise ConnectorError("\n".join(f"{_where(file, text, key)}: {said}" for key, said in faults))
    return Written(msgspec.convert(document, ConnectorRecord), file, text)


def _text(file: Path) -> str:
    """The text of a file, read no further than what is refused for its size. Raises `ConnectorError`, `OSError`."""
    with file.open(encoding="utf-8") as opened:
        text = opened.read(FILE_CHARACTERS + 1)
    if len(text) > FILE_CHARACTERS:
        raise ConnectorError(f"{file}: it has more than {FILE_CHARACTERS} characters. Remedy: name fewer endpoints.")
    return text


def _faults(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key that does not hold: the key, and what is told of it."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(ConnectorRecord)}
    for key in document:
        if key not in fields:
            yield (
                key,
                f"{ascii(key[:64])[1:-1]} is no key of a connector. Remedy: use one of: {', '.join(sorted(fields))}.",
            )
    for key, field in fields.items():
        if key not in document:
            if field.required:
                yield key, f"{key} is missing. Remedy: add a line {key} = …."
            continue
        try:
            msgspec.convert(document[key], field.type)
        except msgspec.ValidationError as error:
            if field.type == Line and "regex" in str(error):
                yield key, f"{key}: it holds a control or an invisible character. Remedy: write it in plain words."
                continue
            # Where msgspec names a place within the value, `$` stands for the key.
            yield key, f"{key}: {str(error).replace(' - at `$', f' - at `{key}')}. Remedy: {_REMEDIES.get(key, _SEE)}."
    yield from _unclear(document)


_SEE = "see docs/guide/connectors.md for what it holds"
_REMEDIES = {
    "documents": "write id, match or log; id unless a program still has to move",
    "kind": "write low-code, copilot, partner or service",
    "template": 'write template = "read-only@1" or "limited-write@1"',
    "id": "name the file with small letters, digits, - and _",
    "expires": "write a date, as in expires = 2027-05-01",
    "version": 'write it as text, as in version = "1"',
    "scopes": 'name at least one, as in scopes = ["desks:read"]',
    "endpoints": 'name at least one, as in endpoints = ["desks.team_items"]',
}


def _unclear(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Rates, budgets, volumes and the price ceiling, whose form is more than a pattern."""
    for key, parse in (("rates", _rate), ("budgets", Budget.parse), ("volumes", Budget.volume)):
        listed = document.get(key, ())
        for text in listed if isinstance(listed, list | tuple) else ():
            yield from _parsed(key, text, parse)
    if isinstance(document.get("price_ceiling"), str):
        yield from _parsed("price_ceiling", document["price_ceiling"], Money.parse)


def _parsed(key: str, text: Any, parse: Any) -> Iterator[tuple[str, str]]:
    try:
        parse(text if isinstance(text, str) else "")
    except ValueError as error:
        yield key, f"{key}: {str(error)[:300]}. Remedy: write it in that form."


def _rate(text: str) -> Rate:
    """A rate of a connector: that of a whole tenant or endpoint is not its owner's to give."""
    return Rate.parse_for(text, "connector", "caller")


def _twice(read: list[Written]) -> Iterator[str]:
    """Two records with one id or one client could not be told apart."""
    ids: dict[str, Path] = {}
    clients: dict[tuple[str, str], Path] = {}
    for written in read:
        record = written.record
        if (first := ids.setdefault(record.id, written.file)) != written.file:
            yield f"{written.where('id')}: id {record.id!r} is that of {first.name}. Remedy: give each its own."
        client = (record.issuer, record.client_id)
        if (first := clients.setdefault(client, written.file)) != written.file:
            yield f"{written.where('client_id')}: it has the client of {first.name}. Remedy: give each its own client."


def _where(file: Path, text: str, key: str) -> str:
    """`file:line` of a key that stands there; line 1 for one that does not."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{re.escape(key)}\s*=", line):
            return f"{file}:{number}"
    return f"{file}:1"
