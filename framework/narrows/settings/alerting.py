"""The part of the settings about alerts: what is told, when it is unusual, who hears of it, and what follows."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from narrows.settings.basis import Amount, Part, Seconds, Secret, Text

AlertRule = Literal[
    "spike", "refusals", "new_endpoint", "new_origin", "volume", "drift", "budget", "deprecated", "unused"
]
Reaction = Literal["ignore", "tell", "suspend", "revoke"]

Quiet = Annotated[float, Meta(ge=0, le=90 * 86_400)]
Days = Annotated[int, Meta(ge=1, le=730)]
Factor = Annotated[float, Meta(ge=1.0, le=1000.0)]
DAY_S = 86_400.0
_KEY_BYTES = (24, 64)


class RuleSettings(Part, frozen=True, kw_only=True):
    """What follows when a rule finds something: `ignore` it, `tell` it, or also `suspend` or `revoke` the connector.

    The same of the same connector is told again after `quiet_s` seconds at the earliest.
    """

    then: Reaction = "tell"
    quiet_s: Quiet = 21_600.0


class SpikeSettings(RuleSettings, frozen=True, kw_only=True):
    """Calls of a connector in one hour: more than `floor`, `factor` times the usual, and `spreads` beyond it."""

    floor: Amount = 60
    factor: Factor = 3.5
    spreads: Factor = 6.0


class RefusalSettings(RuleSettings, frozen=True, kw_only=True):
    """Answers 401, 403 and 429 within ten minutes; not the 429 of volumes, and of rates `per tenant` or `per endpoint`.

    Of a connector: more than `floor`, at least `share` of its calls, and `factor` times its usual peak. Of programs
    that nobody knows: more than `unknown_floor` from one network; from all of them `factor` times the usual peak too.
    """

    floor: Amount = 20
    share: Annotated[float, Meta(gt=0, le=1)] = 0.3
    factor: Factor = 3.0
    unknown_floor: Amount = 40


class EndpointSettings(RuleSettings, frozen=True, kw_only=True):
    """The first use of an endpoint by a connector that has been known for `alerts.learn_days` in this version."""

    quiet_s: Quiet = 0.0


class OriginSettings(RuleSettings, frozen=True, kw_only=True):
    """Networks that a connector is first seen from: more in one day than come by `chance` at its usual pace."""

    chance: Annotated[float, Meta(gt=0, lt=1)] = 0.02


class VolumeSettings(RuleSettings, frozen=True, kw_only=True):
    """Answer bytes, or records, of a connector in one day: `factor` times the usual, and `spreads` beyond it."""

    floor_bytes: Amount = 256 * 1024
    floor_records: Amount = 1000
    factor: Factor = 3.5
    spreads: Factor = 6.0


class DriftSettings(RuleSettings, frozen=True, kw_only=True):
    """Answer bytes, or records, that stay above the usual day after day.

    What a day is above it, in spreads and less one and a half, is added up, to `sum` at the most.
    """

    sum: Factor = 10.0
    floor_bytes: Amount = 256 * 1024
    floor_records: Amount = 1000
    quiet_s: Quiet = 7 * DAY_S


class BudgetSettings(RuleSettings, frozen=True, kw_only=True):
    """Budgets of which a threshold was crossed, or that stopped a call."""


class DeprecatedSettings(RuleSettings, frozen=True, kw_only=True):
    """Calls to endpoints that are declared deprecated."""

    quiet_s: Quiet = 7 * DAY_S


class UnusedSettings(RuleSettings, frozen=True, kw_only=True):
    """Connectors, credentials, endpoints and scopes that were not used for `days`; looked for once a day."""

    days: Days = 90
    quiet_s: Quiet = 30 * DAY_S


class AlertRules(Part, frozen=True, kw_only=True):
    """A table for each rule."""

    spike: SpikeSettings = SpikeSettings()
    refusals: RefusalSettings = RefusalSettings()
    new_endpoint: EndpointSettings = EndpointSettings()
    new_origin: OriginSettings = OriginSettings()
    volume: VolumeSettings = VolumeSettings()
    drift: DriftSettings = DriftSettings()
    budget: BudgetSettings = BudgetSettings()
    deprecated: DeprecatedSettings = DeprecatedSettings()
    unused: UnusedSettings = UnusedSettings()


class WebhookSettings(Part, frozen=True, kw_only=True):
    """Who is told by a signed webhook (Standard Webhooks): `url` by HTTPS, or HTTP on loopback.

    `keys` are one or two secrets `whsec_…` (24 to 64 bytes in base64); with two, both sign, which is how one is
    replaced. `rules` are those that are sent, without them all. `ca` names a file of certificates to trust.
    """

    url: Text
    keys: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=2)]
    rules: tuple[AlertRule, ...] = ()
    ca: str | None = None
    deadline_s: Annotated[float, Meta(gt=0, le=30)] = 5.0

    def signing(self) -> list[bytes]:
        """The keys as bytes. Raises `ValueError` for one that is not in the form above, and does not repeat it."""
        return [_key(secret.reveal()) for secret in self.keys]


class AlertSettings(Part, frozen=True, kw_only=True):
    """Alerts on unusual patterns. `every_s` is how often the audit log is looked at, `learn_days` how many days of a
    connector must be known before its own baseline is gone by, `connectors` how many are kept in mind.
    """

    watch: bool = True
    every_s: Seconds = 2.0
    learn_days: Annotated[int, Meta(ge=1, le=28)] = 7
    connectors: Annotated[int, Meta(ge=1, le=5_000)] = 500
    rules: AlertRules = AlertRules()
    webhooks: dict[str, WebhookSettings] = msgspec.field(default_factory=dict)


def _key(text: str) -> bytes:
    """`whsec_…` as bytes."""
    prefix, _, encoded = text.partition("_")
    try:
        key = base64.b64decode(encoded, validate=True) if prefix == "whsec" else b""
    except (binascii.Error, ValueError):
        key = b""
    if not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
        raise ValueError("a key is not `whsec_` and 24 to 64 bytes in base64")
    return key
