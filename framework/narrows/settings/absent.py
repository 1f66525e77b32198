"""Settings without their secrets: enough to judge declarations, and never enough to serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import msgspec

from narrows.errors import SettingsError
from narrows.settings.basis import Secret
from narrows.settings.parts import AuditSettings, ReceiptSettings, Settings, StoreSettings


class AbsentSecret(Secret):
    """Stands where a secret would; whoever reveals it is told that there is none."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__("")
        self._name = name

    def reveal(self) -> NoReturn:
        """Raise `SettingsError`."""
        raise SettingsError(
            f"the secret of {self._name!r} was not read, so these settings cannot serve. "
            "Remedy: read the settings with their secrets."
        )


def secrets_of(part: Any) -> Iterator[Secret]:
    """Every secret of the settings or of a part of them."""
    if isinstance(part, Secret):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from secrets_of(getattr(part, name))
    elif isinstance(part, Mapping | tuple):
        for value in part.values() if isinstance(part, Mapping) else part:
            yield from secrets_of(value)


def refuse_absent(settings: Settings) -> None:
    """Raise `SettingsError` for settings that were read without their secrets."""
    for secret in secrets_of(settings):
        if isinstance(secret, AbsentSecret):
            secret.reveal()


def offline(settings: Settings) -> Settings:
    """The settings as a plan is made with that opens, sends and signs nothing: no store, no key, no telemetry."""
    return msgspec.structs.replace(
        settings,
        stores=StoreSettings(),
        receipts=ReceiptSettings(),
        audit=AuditSettings(),
        telemetry=msgspec.structs.replace(settings.telemetry, otlp_endpoint=None, prometheus=None),
    )
