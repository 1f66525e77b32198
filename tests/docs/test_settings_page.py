"""Every key of the settings stands in the reference, with its default, and the reference lists no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from narrows import settings
from narrows.settings import alerting
from narrows.settings.basis import Part

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
TABLES = {
    "At the top": settings.Settings,
    "`[issuers.<name>]`": settings.IssuerSettings,
    "`[issuers.<name>.client]`": settings.ClientSettings,
    "`[[issuers.<name>.roles]]`": settings.RoleClaim,
    "`[upstreams.<name>]`": settings.UpstreamSettings,
    "`[connectors.<name>]`": settings.ConnectorSettings,
    "`[tenants.<name>]`": settings.TenantSettings,
    "`[limits]`": settings.LimitSettings,
    "`[stores]`": settings.StoreSettings,
    "`[governance]`": settings.GovernanceSettings,
    "`[receipts]`": settings.ReceiptSettings,
    "`[[receipts.keys]]`": settings.ReceiptKey,
    "`[audit]`": settings.AuditSettings,
    "`[telemetry]`": settings.TelemetrySettings,
    "`[alerts]`": settings.AlertSettings,
    "`[alerts.rules]`": alerting.AlertRules,
    "`[alerts.rules.spike]`": alerting.SpikeSettings,
    "`[alerts.rules.refusals]`": alerting.RefusalSettings,
    "`[alerts.rules.new_endpoint]`": alerting.EndpointSettings,
    "`[alerts.rules.new_origin]`": alerting.OriginSettings,
    "`[alerts.rules.volume]`": alerting.VolumeSettings,
    "`[alerts.rules.drift]`": alerting.DriftSettings,
    "`[alerts.rules.budget]`": alerting.BudgetSettings,
    "`[alerts.rules.deprecated]`": alerting.DeprecatedSettings,
    "`[alerts.rules.unused]`": alerting.UnusedSettings,
    "`[alerts.webhooks.<name>]`": settings.WebhookSettings,
    "`[serving]`": settings.ServingSettings,
}
# These keys hold the tables that have a section of their own.
HOLD_TABLES = {
    (settings.Settings, name)
    for name in (
        "issuers",
        "upstreams",
        "connectors",
        "tenants",
        "limits",
        "stores",
        "governance",
        "receipts",
        "audit",
        "telemetry",
        "alerts",
        "serving",
    )
}
HOLD_TABLES |= {
    (settings.IssuerSettings, "client"),
    (settings.IssuerSettings, "roles"),
    (settings.ReceiptSettings, "keys"),
    (settings.AlertSettings, "rules"),
    (settings.AlertSettings, "webhooks"),
    *((alerting.AlertRules, name) for name in alerting.AlertRules.__struct_fields__),
}


def sections() -> dict[str, str]:
    """The text of each section by its heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """The rows of a table by key: type, default, what."""
    found = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    return {key: rest for key, *rest in found}


def shown(field: msgspec.structs.FieldInfo) -> str:
    """A default as the page writes it: as in TOML, or in a word."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "none" if value is None else f"`{json.dumps(value)}`"


def test_each_table_of_the_settings_has_its_section():
    """No table is left out, and none is made up."""
    assert list(sections()) == list(TABLES)
    assert set(leaves(Part)) == set(TABLES.values())


def leaves(kind: type) -> Iterator[type]:
    """The tables themselves, without what some of them have in common."""
    for below in kind.__subclasses__():
        yield from leaves(below) if below.__subclasses__() else (below,)


@pytest.mark.parametrize("heading", TABLES)
def test_each_key_is_documented_with_its_default(heading):
    """What is written is what holds."""
    table = TABLES[heading]
    fields = [field for field in msgspec.structs.fields(table) if (table, field.encode_name) not in HOLD_TABLES]
    documented = rows(sections()[heading])
    assert {key: rest[1] for key, rest in documented.items()} == {field.encode_name: shown(field) for field in fields}


@pytest.mark.parametrize("heading", TABLES)
def test_each_choice_is_listed(heading):
    """Where only some words are accepted, the page names each of them."""
    documented = rows(sections()[heading])
    for field in msgspec.structs.fields(TABLES[heading]):
        info = msgspec.inspect.type_info(field.type)
        if isinstance(info, msgspec.inspect.LiteralType) and field.type is not settings.Algorithm:
            assert set(re.findall(r"`([^`]+)`", documented[field.encode_name][0])) == set(info.values)
