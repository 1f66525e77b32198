"""What does not hold in the settings: every fault at once, each with its key and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from narrows.settings.alerting import AlertSettings, WebhookSettings
from narrows.settings.parts import (
    AuditSettings,
    ConnectorSettings,
    GovernanceSettings,
    IssuerSettings,
    LimitSettings,
    ReceiptSettings,
    ServingSettings,
    Settings,
    StoreSettings,
    TelemetrySettings,
    TenantSettings,
    UpstreamSettings,
    is_loopback,
)

# The tables of the settings, of which one stands for itself or each has a name.
_SINGLE = {
    "limits": LimitSettings,
    "stores": StoreSettings,
    "governance": GovernanceSettings,
    "receipts": ReceiptSettings,
    "audit": AuditSettings,
    "telemetry": TelemetrySettings,
    "alerts": AlertSettings,
    "serving": ServingSettings,
}
_NAMED = {
    "issuers": IssuerSettings,
    "upstreams": UpstreamSettings,
    "connectors": ConnectorSettings,
    "tenants": TenantSettings,
    "alerts.webhooks": WebhookSettings,
}

_SECRETS = {
    "the secret's file": (
        "write the secret into that file, which is looked for beside the settings; `narrows dev` needs none"
    ),
    "the secret's variable": "set it where this runs (export NAME=…), or name a file; `narrows dev` needs none",
    "the secret of": "write the secret there",
    "a secret is given": "write it into a file, keep that out of the repository, and name the file here",
}
_ORDER = {"<=": "of at most", ">=": "of at least", "<": "below", ">": "above"}


def explained(document: Mapping[str, Any], error: Exception, secret: Any, where: str) -> str:
    """What does not hold, a line for each table; msgspec tells the first alone, and not which issuer it means."""
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    # A table under a wrong name leaves another incomplete, so the name comes first.
    found = [_told(f"Object contains unknown field `{key}`", "", Settings) for key in document if key not in known]
    for prefix, value, kind in _tables(document):
        try:
            msgspec.convert(value, kind, strict=False, dec_hook=secret)
        except msgspec.ValidationError as fault:
            found.append(_told(str(fault), prefix, kind))
    return "\n".join(f"{where}: {told}" for told in found or [_told(str(error), "", Settings)])


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Every table of the settings: its name, its value and its type."""
    for name, kind in _SINGLE.items():
        if name in document:
            yield name, _but_named(name, document[name]), kind
    for name, kind in _NAMED.items():
        listed: Any = document
        for part in name.split("."):
            listed = listed.get(part) if isinstance(listed, Mapping) else None
        for key, value in listed.items() if isinstance(listed, Mapping) else ():
            yield f"{name}.{key}", value, kind


def _but_named(name: str, table: Any) -> Any:
    """A table without those within it that have names, which are looked at one by one."""
    if not isinstance(table, Mapping):
        return table
    named = {key for key, value in table.items() if f"{name}.{key}" in _NAMED and isinstance(value, Mapping)}
    return {key: value for key, value in table.items() if key not in named}


def _told(fault: str, prefix: str, kind: Any) -> str:
    """`Expected … - at `$.call_s`` in `limits` → `limits.call_s: Expected …. Remedy: ….`."""
    said, _, place = fault.partition(" - at `$")
    place = place.rstrip("`")
    key = (prefix + place).strip(".")
    rule = f"{key}: {said}" if key else said
    return f"{rule}. Remedy: {_remedy(said, key, _type_at(kind, place))}."


def _remedy(said: str, key: str, wanted: Any) -> str:
    """What helps against one fault; `wanted` is the type at its place."""
    _, _, missing = said.partition("missing required field ")
    match wanted:
        case msgspec.inspect.StructType(fields=fields) if "unknown field" in said:
            # `base` is the folder of the file: it is set, and never written.
            return f"use one of: {', '.join(sorted({field.encode_name for field in fields} - {'base'}))}"
        case msgspec.inspect.LiteralType(values=values):
            return f"write one of: {', '.join(map(str, values))}"
        case msgspec.inspect.VarTupleType() if said.startswith("Expected `array`, got"):
            return f'write a list, as in {key.rpartition(".")[2]} = ["…"]'
        case _ if number := re.match(r"Expected `(?:int|float)` ([<>]=?) ([\d.]+)$", said):
            return f"write a number {_ORDER[number[1]]} {number[2]}"
        case _ if missing:
            return f"add {missing.strip('`')} = …"
        case _ if helps := next((text for begins, text in _SECRETS.items() if said.startswith(begins)), ""):
            return helps
    return "see docs/reference/settings.md for the keys"


def _type_at(kind: Any, place: str) -> Any:
    """The type at a place such as `.client` or `.algorithms[0]`; None where a table has keys of any name."""
    found: Any = msgspec.inspect.type_info(kind)
    for name, _ in re.findall(r"\.([^.\[]+)|(\[)", place):
        if isinstance(found, msgspec.inspect.StructType):
            found = next((field.type for field in found.fields if field.encode_name == name), None)
        else:
            found = getattr(found, "item_type", None)
        if isinstance(found, msgspec.inspect.UnionType):
            found = next(one for one in found.types if not isinstance(one, msgspec.inspect.NoneType))
    return found


def wrong_names(settings: Settings) -> Iterator[str]:
    """Names that point to nothing, and programs that could not be told apart."""
    pointing = {f"connectors.{name}.issuer": c.issuer for name, c in settings.connectors.items()}
    pointing |= {f"upstreams.{name}.issuer": u.issuer for name, u in settings.upstreams.items() if u.issuer}
    for key, issuer in pointing.items():
        if issuer not in settings.issuers:
            remedy = f"add [issuers.{issuer}] or correct the name"
            yield f"{key} names {issuer!r}, which is not in [issuers]. Remedy: {remedy}."
    for name, known in settings.issuers.items():
        if known.exchange == "entra" and known.attribution != "none":
            remedy = 'leave it out, or set exchange = "rfc8693"'
            yield f"issuers.{name}.attribution is not part of Entra's dialect, so it would be lost. Remedy: {remedy}."
    seen: dict[tuple[str, str], str] = {}
    for name, c in settings.connectors.items():
        first = seen.setdefault((c.issuer, c.client_id), name)
        if first != name:
            rule = f"connectors.{name} shares (issuer, client_id) with connectors.{first}"
            yield f"{rule}. Remedy: give each its own client."


def wrong_listener(settings: Settings) -> Iterator[str]:
    """An address to read metrics at that is none, or that others can reach without anybody having said so."""
    key, address = "telemetry.prometheus", settings.telemetry.prometheus
    if address is None:
        return
    if not _is_url(f"http://{address}") or urlsplit(f"http://{address}").port is None or "/" in address:
        yield f'{key} is no address. Remedy: write it as host:port, such as "127.0.0.1:9464".'
    elif not settings.telemetry.prometheus_off_loopback and not is_loopback(f"http://{address}"):
        rule = f"{key} can be reached from other machines, and whoever reads it needs no credentials"
        yield f'{rule}. Remedy: write "127.0.0.1:9464", or prometheus_off_loopback = true.'


def wrong_urls(settings: Settings) -> Iterator[str]:
    """URLs that are none, or that carry what is lost or logged. A URL is not repeated: it may hold a password."""
    urls = {"public_url": settings.public_url}
    urls |= {f"issuers.{name}.url": issuer.url for name, issuer in settings.issuers.items()}
    urls |= {f"upstreams.{name}.url": upstream.url for name, upstream in settings.upstreams.items()}
    urls |= {f"alerts.webhooks.{name}.url": webhook.url for name, webhook in settings.alerts.webhooks.items()}
    for key, url in urls.items():
        if not _is_url(url):
            yield f"{key} is no plain URL. Remedy: write it as https://host/path, without user, query and fragment."


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and "@" not in parts.netloc and not set("?# \\").intersection(url)
