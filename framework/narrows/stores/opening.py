"""Which store the settings name, and with which key."""

from __future__ import annotations

import base64
import binascii
import secrets
import sqlite3
from collections.abc import Callable

from narrows.errors import SettingsError
from narrows.settings import Settings
from narrows.stores import Rehearsals
from narrows.stores.memory import MemoryRehearsals
from narrows.stores.sealing import KEY_BYTES
from narrows.stores.sqlite import SqliteRehearsals

_MAKE_KEY = (
    "make a key with `openssl rand -base64 32 > rehearsals.key`, keep that file out of the repository, "
    'and set `stores.key = { file = "rehearsals.key" }`'
)


def open_rehearsals(settings: Settings, now: Callable[[], float]) -> Rehearsals:
    """Open the store that `stores.rehearsals` names: `memory:` or `sqlite:<path>`, relative to the settings file.

    `now` gives seconds of the wall clock. Raises `SettingsError` for another store, a file that does not open and a
    key that is missing or not 32 bytes in base64; memory without a key gets one that ends with the process.
    """
    stores = settings.stores
    kind, _, name = stores.rehearsals.partition(":")
    if stores.rehearsal_s <= 0:
        raise SettingsError("stores.rehearsal_s: the lifetime is not above 0. Remedy: give seconds, such as 3600.")
    if stores.rehearsals == "memory:":
        return MemoryRehearsals(now, stores.rehearsal_s, _key(settings) or secrets.token_bytes(KEY_BYTES))
    if kind == "sqlite" and name:
        return _open_sqlite(settings, name, now)
    raise SettingsError(
        f"stores.rehearsals: {stores.rehearsals!r} names no store. "
        "Remedy: set `memory:` or `sqlite:` with a path, such as `sqlite:rehearsals.db`."
    )


def _open_sqlite(settings: Settings, name: str, now: Callable[[], float]) -> Rehearsals:
    key = _key(settings)
    if key is None:
        raise SettingsError(f"stores.key: a store in a file is encrypted and needs a key. Remedy: {_MAKE_KEY}.")
    try:
        return SqliteRehearsals(settings.path(name), now, settings.stores.rehearsal_s, key)
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(
            f"stores.rehearsals: {name!r} does not open ({error}). "
            "Remedy: name a plain file, new or made by Narrows, in an existing folder that this user may write."
        ) from None


def _key(settings: Settings) -> bytes | None:
    """The key of the settings; what it holds is never repeated."""
    if settings.stores.key is None:
        return None
    try:
        key = base64.b64decode(settings.stores.key.reveal(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"stores.key: the key is not {KEY_BYTES} bytes in base64. Remedy: {_MAKE_KEY}.")
    return key
