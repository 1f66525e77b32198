"""The keys that sign how far the audit log goes, and the name that the log has in its checkpoints."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import urlsplit

from narrows.audit.checkpoint import Signer, is_name
from narrows.errors import SettingsError
from narrows.settings import Secret, Settings
from narrows.stores.sealing import KEY_BYTES, derive

_MAKE_KEY = (
    "make a key with `openssl rand -base64 32 > audit.key`, keep that file out of the repository, "
    'and set `audit.key = { file = "audit.key" }`'
)


def signer_of(settings: Settings, bff: str, key: bytes, *, derived: bool = False) -> Signer:
    """What signs the log of a BFF. `key` is that of the process, of which one is derived in development.

    With `derived` it may be derived anywhere, for a log that somebody else opened. Raises `SettingsError` for a key
    that is missing or not 32 bytes in base64, and for a name that no checkpoint may have.
    """
    for fault in key_faults(settings, derived=derived):
        raise SettingsError(fault)
    named = [secret for secret in (settings.audit.key, settings.audit.old_key) if secret is not None]
    seeds = [_read(secret) for secret in named] or [derive(key, "narrows/audit/checkpoint")]
    return Signer(origin_of(settings, bff), seeds)


def origin_of(settings: Settings, bff: str) -> str:
    """The name of a BFF's log. Raises `SettingsError` for one that no checkpoint may have."""
    origin = settings.audit.origin or f"{urlsplit(settings.public_url).hostname}/{bff}"
    if not is_name(origin):
        raise SettingsError(
            "audit.origin: a log's name has no spaces, no controls and no `+`. Remedy: write it like example.com/lunch."
        )
    return origin


def key_faults(settings: Settings, *, derived: bool = False) -> Iterator[str]:
    """What does not hold of the key; no key is read."""
    if settings.audit.key is None and settings.audit.old_key is not None:
        yield f"audit.old_key: there is no new key beside the old one. Remedy: {_MAKE_KEY}."
    elif settings.audit.key is None and settings.environment != "development" and not derived:
        yield f"audit.key: nothing would sign how far the audit log goes. Remedy: {_MAKE_KEY}."


def _read(secret: Secret) -> bytes:
    try:
        key = base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"audit.key: a key is not {KEY_BYTES} bytes in base64. Remedy: {_MAKE_KEY}.")
    return key
