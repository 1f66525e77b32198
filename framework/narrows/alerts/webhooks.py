"""Alerts as signed webhooks, in the form of Standard Webhooks: id, timestamp, and an HMAC-SHA-256 for each key."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Literal

import httpx
import msgspec

from narrows.alerts.alert import Alert
from narrows.errors import SettingsError
from narrows.settings.alerting import WebhookSettings
from narrows.transport import Dial, Failure, fetch, new_request

RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""After which time each further attempt is made; after the last there is none."""

Delivery = Literal["delivered", "failed", "gone"]
_ANSWER_BYTES = 64 * 1024
_GONE = 410


class Receiver:
    """One receiver of the settings, made ready at start.

    A redirect is not followed and counts as a failure. 410 says that nobody listens there any more.
    """

    def __init__(self, name: str, settings: WebhookSettings, transport: httpx.AsyncBaseTransport) -> None:
        """Raises `SettingsError` for a key that is none."""
        self.name = name
        self._settings = settings
        self._transport = transport
        try:
            self._keys = settings.signing()
        except ValueError as error:
            raise SettingsError(
                f"alerts.webhooks.{name}.keys: {error}. Remedy: make one with "
                '`echo "whsec_$(openssl rand -base64 32)"`, and give it to the receiver too.'
            ) from None

    def wants(self, alert: Alert) -> bool:
        """Whether this receiver is told of alerts of that rule."""
        return not self._settings.rules or alert.rule in self._settings.rules

    async def send(self, alert: Alert, now: float) -> Delivery:
        """Make one attempt, at a time in seconds since 1970."""
        body = body_of(alert)
        headers = {"content-type": "application/json", **signed(self._keys, f"msg_{alert.id}", now, body)}
        request = new_request("POST", self._settings.url, headers, body)
        try:
            answer = await fetch(
                self._transport, request, deadline_s=self._settings.deadline_s, max_bytes=_ANSWER_BYTES
            )
        except Failure:
            return "failed"
        if answer.status == _GONE:
            return "gone"
        return "delivered" if answer.status < 300 else "failed"

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def receivers(webhooks: dict[str, WebhookSettings], base: Sequence[str | None], dial: Dial) -> dict[str, Receiver]:
    """All receivers by name; `base` are their files of certificates, in the same order. Raises `SettingsError`."""
    return {
        name: Receiver(name, settings, dial(ca)) for (name, settings), ca in zip(webhooks.items(), base, strict=True)
    }


def body_of(alert: Alert) -> bytes:
    """The payload: type, time and the alert itself. It is the same bytes at each attempt."""
    document = {"type": f"narrows.alert.{alert.rule}", "timestamp": alert.time, "data": alert}
    return msgspec.json.encode(document)


def signed(keys: Sequence[bytes], message_id: str, now: float, body: bytes) -> dict[str, str]:
    """The three headers; several keys give several signatures, of which a receiver needs to know one."""
    stamp = str(int(now))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
