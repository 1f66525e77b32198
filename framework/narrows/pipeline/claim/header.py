"""The headers of a live write, read strictly: what is not exactly one value of its form is a 400."""

from __future__ import annotations

import re

from narrows.call import Raw
from narrows.errors import MalformedRequest

# An SF String (RFC 9651, 3.3.3) without spaces, or the bare form that most clients send; a comma joins two headers.
IDEMPOTENCY_KEY = re.compile(r'^(?:"(?:[!#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-\[\]-~]{1,255})$')
RECEIPT = re.compile(r"^[A-Za-z0-9_.-]{1,160}$")
"""The forms of both headers; the contract shows them as they are."""

_ESCAPED = re.compile(r'\\(["\\])')


def idempotency_key(raw: Raw) -> str | None:
    """The key of `Idempotency-Key`, None without the header. Raises `MalformedRequest`."""
    text = _one(raw, "idempotency-key", "Idempotency-Key")
    if text is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(text):
        raise MalformedRequest(
            "`Idempotency-Key` is not 1 to 255 visible characters.",
            remedy='Send one value, such as `Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"`.',
        )
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def receipt_text(raw: Raw) -> str | None:
    """The text of `Rehearsal-Receipt`, None without the header. Raises `MalformedRequest`."""
    text = _one(raw, "rehearsal-receipt", "Rehearsal-Receipt")
    if text is not None and not RECEIPT.fullmatch(text):
        raise MalformedRequest(
            "`Rehearsal-Receipt` is no receipt.", remedy="Send the header as the answer of the rehearsal had it."
        )
    return text


def _one(raw: Raw, name: str, shown: str) -> str | None:
    values = raw.headers.get(name)
    if values is None:
        return None
    if len(values) != 1:
        raise MalformedRequest(f"There is more than one `{shown}`.", remedy=f"Send `{shown}` once.")
    return values[0].strip(" \t")
