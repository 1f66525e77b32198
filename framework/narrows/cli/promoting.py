"""What differs between two environments of a BFF, and what keeps it out of the second."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from narrows.cli.checking import Check
from narrows.declare.bff import Bff
from narrows.errors import NarrowsError, Refusal
from narrows.settings import Settings, load_settings
from narrows.settings.absent import offline
from narrows.settings.basis import Part
from narrows.settings.reading import is_secret_place, load_document
from narrows.stores.opening import open_connectors
from narrows.stores.registry import standing
from narrows.stores.servers import Servers
from narrows.surfaces.http import Application

_METHODS = ("get", "post", "put", "patch", "delete")
# They name the environment itself, and the folder of the file.
_OWN = ("environment", "base")
_DEPTH = 64
_PARTS = 1_000_000
_USERINFO = re.compile(r"//[^/\s]*@")

Sort = Literal["added", "removed", "changed"]


class SettingChange(msgspec.Struct, frozen=True):
    """One key that differs; None where it is not set. Of a secret only that it differs."""

    key: str
    before: str | None
    after: str | None
    secret: bool = False


class EndpointChange(msgspec.Struct, frozen=True):
    """One endpoint that differs from the baseline; `breaking` if a client of the baseline loses it."""

    change: Sort
    method: str
    path: str
    breaking: bool


class ConnectorChange(msgspec.Struct, frozen=True):
    """One connector that the two registries know otherwise; None where one does not know it."""

    connector: str
    before: str | None
    after: str | None
    record_differs: bool


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What promoting a BFF would change. It is blocked by a refusal or a breaking change."""

    bff: str
    version: str
    before: str
    after: str
    settings: tuple[SettingChange, ...]
    endpoints: tuple[EndpointChange, ...]
    connectors: tuple[ConnectorChange, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]

    @property
    def blocked(self) -> bool:
        """Whether it should not be promoted as it is."""
        return bool(self.refusals) or any(change.breaking for change in self.endpoints)


def promotion(
    bff: Bff, settings_file: Path, before: str, after: str, *, baseline: Path | None = None, registry: bool = False
) -> Promotion:
    """Compare. With `registry` the registries are read, which takes their keys.

    Raises `SettingsError`, `Unavailable`, and ValueError for a baseline that is no OpenAPI document.
    """
    check = Check(bff, settings_file)
    refusals = tuple(check.refusals([after]))
    notes = [
        f"{settings_file.name} alone is compared; what NARROWS_… variables lay over it elsewhere is not known here."
    ]
    endpoints: tuple[EndpointChange, ...] = ()
    if baseline is not None:
        ours = _contract(bff, settings_file, after)
        if ours is None:
            notes.append("The endpoints are not compared: the declarations are refused.")
        else:
            endpoints = _compared(baseline, ours)
    else:
        notes.append("No --baseline was given: endpoints are not compared.")
    connectors: tuple[ConnectorChange, ...] = ()
    if registry:
        left, right = (asyncio.run(_registered(settings_file, name)) for name in (before, after))
        connectors = tuple(_connectors(left, right))
    else:
        notes.append("Without --registry connectors are not compared.")
    return Promotion(
        bff=bff.name,
        version=bff.version or "",
        before=before,
        after=after,
        settings=tuple(_settings(settings_file, before, after)),
        endpoints=endpoints,
        connectors=connectors,
        refusals=refusals,
        notes=tuple(notes),
    )


def _settings(file: Path, before: str, after: str) -> Iterator[SettingChange]:
    """Every key that differs, sorted."""
    left, right = (dict(_flat(load_document(file, {"NARROWS_ENVIRONMENT": name}))) for name in (before, after))
    for key in sorted(left.keys() | right.keys()):
        was, is_now = left.get(key), right.get(key)
        if was != is_now and key not in _OWN:
            was, is_now = (_redacted(value, key.rpartition(".")[2]) for value in (was, is_now))
            secret = any(isinstance(value, _SecretPlace) for value in (was, is_now))
            yield SettingChange(key, _shown(was), _shown(is_now), secret)


class _SecretPlace(msgspec.Struct, frozen=True):
    """Where a secret is read from; it is compared, and not shown."""

    place: str


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key."""
    if is_secret_place(value):
        yield prefix, _SecretPlace(json.dumps(value))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value


def _redacted(value: Any, name: str) -> Any:
    """A value as it may be shown: what no setting holds in plain text is a secret, wherever somebody has put it."""
    if value is None or isinstance(value, _SecretPlace):
        return value
    if isinstance(value, Mapping):
        return {key: _redacted(inner, key) for key, inner in value.items()}
    if name not in _PLAIN:
        return _SecretPlace("")
    if isinstance(value, list):
        return [_redacted(inner, name) for inner in value]
    return _USERINFO.sub("//…@", value) if isinstance(value, str) else value


def _plain_names() -> frozenset[str]:
    """The names of all settings that hold no secret."""
    tables: list[type[Part]] = [Settings, *Part.__subclasses__()]
    fields = [field for table in tables for field in msgspec.structs.fields(table)]
    return frozenset(field.name for field in fields) - {f.name for f in fields if "Secret" in str(f.type)}


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, _SecretPlace):
        return None if value is None else "secret"
    return json.dumps(value, default=_other, ensure_ascii=False)


def _other(value: Any) -> str:
    """What JSON has no form for: a date, or a secret within a list."""
    return "secret" if isinstance(value, _SecretPlace) else str(value)


_PLAIN = _plain_names()


async def _registered(settings_file: Path, environment: str) -> dict[str, tuple[str, str]]:
    """The state that holds now and the digest of each connector of one environment's registry."""
    settings = load_settings(settings_file, {**os.environ, "NARROWS_ENVIRONMENT": environment})
    servers = Servers(settings.stores)
    store = open_connectors(settings, servers)
    try:
        await servers.prepare()
        _, entries = await store.all()
    finally:
        await store.close()
        await servers.close()
    return {entry.id: (standing(entry, time.time()), entry.record.digest()) for entry in entries}


def _connectors(left: Mapping[str, tuple[str, str]], right: Mapping[str, tuple[str, str]]) -> Iterator[ConnectorChange]:
    for name in sorted(left.keys() | right.keys()):
        was, was_digest = left.get(name, (None, ""))
        is_now, digest = right.get(name, (None, ""))
        if (was, was_digest) != (is_now, digest):
            yield ConnectorChange(name, was, is_now, was_digest != digest)


def _contract(bff: Bff, settings_file: Path, environment: str) -> dict[str, Any] | None:
    """The OpenAPI document of the declarations as they are; None if a start is refused."""
    try:
        settings = load_settings(settings_file, {"NARROWS_ENVIRONMENT": environment}, secrets=False)
        document: dict[str, Any] = json.loads(Application(bff, offline(settings)).document)
    except NarrowsError:
        return None
    return document


def _compared(baseline: Path, ours: Mapping[str, Any]) -> tuple[EndpointChange, ...]:
    try:
        return tuple(_endpoints(_read(baseline), ours))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _read(baseline: Path) -> dict[str, Any]:
    document = json.loads(baseline.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError("it has no `paths`")
    return document


def _endpoints(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[EndpointChange]:
    """What differs, an endpoint each; one that is only described otherwise is the same."""
    left, right = (dict(_digests(document)) for document in (theirs, ours))
    for method, path in sorted(left.keys() | right.keys(), key=lambda one: (one[1], one[0])):
        was, is_now = left.get((method, path)), right.get((method, path))
        if was != is_now:
            change: Sort = "added" if was is None else "removed" if is_now is None else "changed"
            yield EndpointChange(change, method.upper(), path, breaking=change == "removed")


def _digests(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if isinstance(item, Mapping) and method in item:
                text = json.dumps(_Resolver(document).of(item[method], ()), sort_keys=True)
                yield (method, path), hashlib.sha256(text.encode()).hexdigest()


class _Resolver:
    """Fills in the references of one endpoint, up to a bound: a few lines can refer to each other without an end."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = _PARTS

    def of(self, value: Any, within: tuple[str, ...]) -> Any:
        """A part of a document with its references filled in, without its prose; a circle ends at its name.

        Raises ValueError for one that has more than a million parts.
        """
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"an endpoint has more than {_PARTS} parts")
        if isinstance(value, list):
            return [self.of(inner, within) for inner in value]
        if not isinstance(value, Mapping):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            if reference in within or len(within) > _DEPTH:
                return reference
            return self.of(self._found(reference), (*within, reference))
        return {key: self.of(inner, within) for key, inner in value.items() if key not in ("description", "summary")}

    def _found(self, reference: str) -> Any:
        found: Any = self._document
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return found
