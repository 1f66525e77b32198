"""The settings of a BFF as `narrows dev` serves it: its own, but for what a developer's machine does not have.

Issuers that are not real become the embedded one, upstreams that are not there are made up, and a connector of each
kind is added. All of it is laid over the plain tables, so that a secret of another environment is never asked for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from narrows.declare.bff import Bff
from narrows.declare.commit import OF_KIND
from narrows.declare.connectors import ConnectorRecord, Written, read_records
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.upstream import Operation, Upstream
from narrows.devkit.dev.orders import HOST, Run
from narrows.devkit.dev.people import roles_in
from narrows.devkit.dev.registry import has_registry
from narrows.errors import Refusal, SettingsError, StartRefused
from narrows.settings import (
    ConnectorKind,
    ConnectorSettings,
    RoleClaim,
    Secret,
    Settings,
    StoreSettings,
    is_loopback,
    load_document,
    read_settings,
)
from narrows.upstreams.send import Sendables

MADE_UP = ".made-up.invalid"
TENANT = "development"

_ISSUER = "development"
_PLACEHOLDERS = (".example", ".invalid", ".test", "example.com", "example.org", "example.net")
_CONNECT_S = 0.3


class Upstreaming(msgspec.Struct, frozen=True, kw_only=True):
    """Where an upstream's answers come from, and why."""

    name: str
    key: str
    real: bool
    why: str


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer of the settings for which the embedded authorization server stands in."""

    name: str
    path: str
    audience: str
    client_id: str
    sign_in_scope: str
    roles: tuple[RoleClaim, ...]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A connector that signs people in at an embedded issuer: of the settings, or of a file beside the BFF."""

    name: str
    issuer: str
    client_id: str
    kind: ConnectorKind


class Arranged(msgspec.Struct, frozen=True, kw_only=True):
    """The settings to serve with, and what was put in.

    `governed` is whether the registry that the settings name decides about the connectors of the files.
    """

    settings: Settings
    governed: bool
    issuers: list[Embedded]
    kept: list[str]
    upstreams: list[Upstreaming]
    records: list[Written]
    programs: list[Program]
    watch: list[str]

    @property
    def home(self) -> Embedded:
        """The issuer of the made-up people."""
        return self.issuers[0]


class Reach(msgspec.Struct, frozen=True):
    """How it is found out what is there: whether something listens, and whether an issuer answers."""

    listens: Callable[[str, int], bool]
    is_issuer: Callable[[Mapping[str, Any]], bool]


def listens(host: str, port: int) -> bool:
    """Whether anything takes a connection there."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def arrange(bff: Bff, run: Run, reach: Reach, environ: Mapping[str, str] | None = None) -> Arranged:
    """Read the settings, and put in what is missing.

    Raises `SettingsError`, also outside development, `ConnectorError` for a file of a connector, and `StartRefused` for
    a path that belongs to the dev pages.
    """
    _check_paths(bff)
    records = read_records(bff.folder / "connectors")
    variables = dict(os.environ if environ is None else environ)
    file = Path(run.settings) if run.settings else bff.folder / "narrows.toml"
    document = _document(file, variables, named=run.settings is not None)
    upstreams = [_upstream(document, upstream, reach) for upstream in upstreams_of(bff)]
    issuers, kept = _issuers(document, bff, reach)
    clients = {issuer.name: issuer.client_id for issuer in issuers}
    governed = has_registry(_table(document, "stores"), Path(document["base"]), variables)
    changed = {
        **document,
        "public_url": run.origin,
        "hosts": [],
        "issuers": {
            **{name: document["issuers"][name] for name in kept},
            **{issuer.name: _issuer_table(issuer, run) for issuer in issuers},
        },
        "upstreams": {
            **document.get("upstreams", {}),
            **{u.key: _made_up(document, u.key, next(iter(clients))) for u in upstreams if not u.real},
        },
        "connectors": {**document.get("connectors", {}), **_connectors(next(iter(clients)))},
        "stores": _stores(document.get("stores", {}), run, governed=governed),
        "audit": {},
        # Nobody outside is told of what is tried here, and no secret is needed to sign it.
        "alerts": {**_table(document, "alerts"), "webhooks": {}},
        "serving": {**_limits(document.get("serving", {})), "host": HOST, "port": run.port},
    }
    settings = read_settings(changed, where=file.name, environ=variables)
    return Arranged(
        settings=settings,
        governed=governed,
        issuers=issuers,
        kept=kept,
        upstreams=upstreams,
        records=records,
        programs=_programs(settings, records, clients),
        watch=[str(file), *(str(settings.path(name)) for name in settings.policies)],
    )


def _programs(settings: Settings, records: Iterable[Written], embedded: Container[str]) -> list[Program]:
    """The connectors of the embedded issuers, those of the files first."""
    known: list[tuple[str, ConnectorRecord | ConnectorSettings]] = [(one.record.id, one.record) for one in records]
    known += settings.connectors.items()
    return [
        Program(name=name, issuer=c.issuer, client_id=c.client_id, kind=c.kind)
        for name, c in known
        if c.issuer in embedded
    ]


def upstreams_of(bff: Bff) -> list[type[Upstream]]:
    """The upstreams that the endpoints and joins of a BFF use, in the order of their first use."""
    sent = [operation for endpoint in bff.endpoints for operation in operations_of(endpoint)]
    joined = [operation for join in bff.joins for operation in counts(join.uses or ())]
    return list(dict.fromkeys(o.upstream for o in (*sent, *joined) if o.upstream is not None))


def operations_of(endpoint: Endpoint) -> list[Operation[..., Any]]:
    """Every operation that an endpoint may send, the reads of its guards first."""
    guards = [*endpoint.given.values(), *(operation for operation, _ in endpoint.inside.values())]
    return [*guards, *((endpoint.roles_from,) if endpoint.roles_from else ()), *counts(endpoint.uses or ())]


def is_made_up(sendables: Sendables, sent: Iterable[Operation[..., Any]]) -> bool:
    """Whether none of these operations leaves this process."""
    hosts = (urlsplit(sendables[operation].settings.url).hostname for operation in sent)
    return all((host or "").endswith(MADE_UP) for host in hosts)


def _check_paths(bff: Bff) -> None:
    taken = [endpoint for endpoint in bff.endpoints if f"{endpoint.path}/".startswith("/dev/")]
    if taken:
        rule, remedy = "its path belongs to the pages of `narrows dev`", "give it a path that does not begin with /dev"
        raise StartRefused([
            Refusal(code="path-of-dev", subject=e.id, where=e.where, rule=rule, remedy=remedy) for e in taken
        ])  # fmt: skip


def _document(file: Path, environ: Mapping[str, str], *, named: bool) -> dict[str, Any]:
    """The plain tables; without a file there is nothing that is not made up. Raises `SettingsError`."""
    if not named and not file.exists():
        return {"environment": "development", "base": str(file.parent)}
    document = load_document(file, environ, default="development")
    if document["environment"] != "development":
        raise SettingsError(
            f"{file.name}: environment is {document['environment']!r}, and `narrows dev` makes people and data up. "
            "Remedy: start it with NARROWS_ENVIRONMENT=development, or serve with `narrows run`."
        )
    return document


def _upstream(document: Mapping[str, Any], upstream: type[Upstream], reach: Reach) -> Upstreaming:
    """Whether an upstream of the settings is real: named by no placeholder, and there if it is on this machine."""
    table = _table(document, "upstreams").get(upstream.key, {})
    url = str(table.get("url", ""))
    host = urlsplit(url).hostname or ""
    name, key = upstream.__name__, upstream.key
    if not url:
        return Upstreaming(name=name, key=key, real=False, why=f"the settings have no [upstreams.{key}]")
    if _is_placeholder(host):
        return Upstreaming(name=name, key=key, real=False, why=f"{host} is a placeholder")
    if not is_loopback(url):
        return Upstreaming(name=name, key=key, real=True, why=f"configured as {host}")
    port = urlsplit(url).port or 80
    if reach.listens(host, port):
        return Upstreaming(name=name, key=key, real=True, why=f"listens on {host}:{port}")
    return Upstreaming(name=name, key=key, real=False, why=f"nothing listens on {host}:{port}")


def _made_up(document: Mapping[str, Any], key: str, issuer: str) -> dict[str, Any]:
    """The table of an upstream that is made up: what it was, at an address that leads nowhere else."""
    table = _table(document, "upstreams").get(key, {})
    kept = {name: value for name, value in table.items() if name not in ("url", "ca", "issuer")}
    service = {"issuer": issuer} if table.get("identity") == "service" else {}
    return {"audience": f"{key}-api", **kept, **service, "url": f"https://{key}{MADE_UP}"}


def _issuers(document: Mapping[str, Any], bff: Bff, reach: Reach) -> tuple[list[Embedded], list[str]]:
    """Which issuers are embedded, and which are real and kept; made-up people need one that is embedded."""
    tables = _table(document, "issuers")
    kept = [name for name, table in tables.items() if _is_real(table) and reach.is_issuer(table)]
    wanted = {name: table for name, table in tables.items() if name not in kept}
    if not wanted:
        roles = [claim for name in kept for claim in tables[name].get("roles", ())]
        wanted[_ISSUER] = {"roles": roles or _granting(bff)}
    made = [
        Embedded(
            name=name,
            path="/dev/as" if index == 0 else f"/dev/as-{index + 1}",
            audience=str(table.get("audience", f"{bff.name}-api")),
            client_id=str(_table(table, "client").get("id", f"{bff.name}-bff")),
            sign_in_scope=str(_table(table, "client").get("sign_in_scope", "openid")),
            roles=msgspec.convert(table.get("roles", ()), tuple[RoleClaim, ...]),
        )
        for index, (name, table) in enumerate(wanted.items())
    ]
    return made, kept


def _granting(bff: Bff) -> list[dict[str, Any]]:
    """Claims for all roles that are asked for, where no issuer of the settings says how they are granted."""
    pairs = sorted(roles_in(bff))
    return [
        {
            "claim": f"{role}_of_{domain.partition(':')[0]}",
            "role": role,
            "domain": f"{domain.partition(':')[0]}:{{value}}" if "{" in domain else domain,
        }
        for role, domain in pairs
    ]


def _is_real(table: Mapping[str, Any]) -> bool:
    url = str(table.get("url", ""))
    return url.startswith("https://") and not is_loopback(url) and not _is_placeholder(urlsplit(url).hostname or "")


def _is_placeholder(host: str) -> bool:
    return host.endswith(_PLACEHOLDERS)


def _issuer_table(issuer: Embedded, run: Run) -> dict[str, Any]:
    return {
        "url": run.origin + issuer.path,
        "audience": issuer.audience,
        "algorithms": ["ES256"],
        "roles": msgspec.to_builtins(issuer.roles),
        "client": {
            "id": issuer.client_id,
            "secret": Secret(client_secret(issuer, run)),
            "sign_in_scope": issuer.sign_in_scope,
        },
    }


def client_secret(issuer: Embedded, run: Run) -> str:
    """What the BFF proves itself with at the embedded server."""
    return run.derive(f"client {issuer.name}")


def _connectors(issuer: str) -> dict[str, Any]:
    """A connector of each kind, so that the pages can act as any of them, and must do before a write what it must."""
    return {
        f"dev-{kind}": {
            "issuer": issuer,
            "client_id": f"dev-{kind}",
            "tenant": TENANT,
            "kind": kind,
            "state": "live",
            "commit": commit,
        }
        for kind, commit in OF_KIND.items()
    }


def _stores(table: Mapping[str, Any], run: Run, *, governed: bool) -> dict[str, Any]:
    """Every store in the folder of this run: it outlives a reload, and never touches what the settings name.

    A registry whose key is at hand stays where it is, so that an approval is felt here as it is elsewhere.
    """
    moved = {
        field.name: f"sqlite:{run.folder}/{field.name}.db"
        for field in msgspec.structs.fields(StoreSettings)
        if field.default == "memory:" and field.name not in ("tokens", "limits")
    }
    # Exchanged tokens are short, rates begin anew with a reload, and the log of made-up people is nobody's to keep.
    moved |= {"tokens": "memory:", "limits": "memory:", "audit": "memory:"}
    if governed:
        return {**table, **moved, "connectors": table["connectors"]}
    return {**table, **moved, "key": Secret(run.store_key())}


def _limits(serving: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of serving without what says where and how to listen."""
    placed = ("tls_certificate", "tls_key", "behind_tls_proxy", "trusted_proxies")
    return {name: value for name, value in serving.items() if name not in placed}


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    return table if isinstance(table, Mapping) else {}
