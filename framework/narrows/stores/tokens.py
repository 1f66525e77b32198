"""Tokens that were obtained for upstreams, shared by processes: a shelf that may read nothing, and what seals for it.

Whoever can read or write the shelf gets no token from it and puts none into it: what lies there is sealed, and opens
under its own name and with its own end alone. What a process knows of revocations does not depend on the shelf.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.sealing import Sealer, frame

PAUSE_S = 5.0
"""How long a shelf that was away is left alone."""

_UNTIL = struct.Struct(">d")


class Mark(NamedTuple):
    """Under which epoch something was made; `name` is a keyed digest of who or what it depends on."""

    name: bytes
    epoch: int


class Shelf(Protocol):
    """Keeps sealed tokens, each under a key and until its end. It also knows the highest epoch it heard of each name.

    Its methods raise `Unavailable` when it is away.
    """

    async def get(self, key: bytes, marks: Sequence[Mark]) -> bytes | None:
        """What lies under a key; None as well when one of the marks is older than the shelf knows."""
        ...

    async def put(self, key: bytes, marks: Sequence[Mark], sealed: bytes, life_s: float) -> bool:
        """Keep it for `life_s` unless a mark is older than the shelf knows: judged and kept in one step."""
        ...

    async def drop(self, key: bytes) -> None:
        """Forget what lies under a key."""
        ...


class Shared(NamedTuple):
    """A token that some process obtained, and the second until which it holds."""

    token: Secret
    until: float


class SharedTokens:
    """The tokens on a shelf, as one process uses them.

    A shelf that is away, or that gives something which was not sealed for this key, counts as empty: the token is
    obtained anew. After a failure it is left alone for `pause_s` seconds, so that calls do not wait for it one after
    the other. `now` gives seconds since the epoch, `steady` seconds of a clock that nobody sets; `on_event` hears
    `shared` (a token was found), `away` and `foreign` (something did not open).
    """

    def __init__(
        self,
        shelf: Shelf,
        key: bytes,
        *,
        now: Callable[[], float],
        steady: Callable[[], float],
        on_event: Callable[[str], None] = lambda _: None,
        skew_s: float = 10.0,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._shelf = shelf
        self._sealer = Sealer(key, purpose="tokens")
        self._now = now
        self._steady = steady
        self._on_event = on_event
        self._skew_s = skew_s
        self._pause_s = pause_s
        self._away_until = float("-inf")

    async def get(self, key: bytes, marks: Sequence[Mark]) -> Shared | None:
        """The token under a key, if one lies there that holds for longer than the skew."""
        if not self._is_asked():
            return None
        try:
            found = await self._shelf.get(key, marks)
        except Unavailable:
            self._leave()
            return None
        if found is None:
            return None
        shared = self._open(key, found)
        if shared is None:
            self._on_event("foreign")
            return None
        if shared.until - self._skew_s <= self._now():
            return None
        self._on_event("shared")
        return shared

    async def put(self, key: bytes, marks: Sequence[Mark], shared: Shared) -> None:
        """Let other processes have a token, unless one of them knows by now that its epoch is over."""
        life_s = shared.until - self._skew_s - self._now()
        if life_s <= 0 or not self._is_asked():
            return
        try:
            await self._shelf.put(key, marks, self._seal(key, shared), life_s)
        except Unavailable:
            self._leave()

    async def drop(self, key: bytes) -> None:
        """Take a token from all who do not hold it yet, because an upstream refused it."""
        if self._is_asked():
            try:
                await self._shelf.drop(key)
            except Unavailable:
                self._leave()

    def _is_asked(self) -> bool:
        return self._steady() >= self._away_until

    def _leave(self) -> None:
        self._away_until = self._steady() + self._pause_s
        self._on_event("away")

    def _seal(self, key: bytes, shared: Shared) -> bytes:
        until = _UNTIL.pack(shared.until)
        return until + self._sealer.seal(shared.token.reveal().encode(), _bound(key, until))

    def _open(self, key: bytes, found: bytes) -> Shared | None:
        until, sealed = found[: _UNTIL.size], found[_UNTIL.size :]
        plain = self._sealer.open(sealed, _bound(key, until))
        return None if plain is None else Shared(Secret(plain.decode()), _UNTIL.unpack(until)[0])


def _bound(key: bytes, until: bytes) -> bytes:
    """What a sealed token is bound to: where it lies, and when it ends."""
    return frame("token", key.hex(), until.hex())
