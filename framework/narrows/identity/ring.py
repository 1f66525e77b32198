"""How the keys of an issuer are kept fresh: one fetch for all, never too often, and never lost to a bad answer."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any

from narrows.errors import Unavailable
from narrows.identity.keys import KeySet, KeysRefused, VerifyKey
from narrows.transport import Failure

_log = logging.getLogger("narrows.identity")


class KeyRing:
    """The keys of one issuer: fetched once for all who wait, kept while they are fresh, never lost to a bad answer.

    Times are seconds. Keys are fresh for `max_age_s`; when they cannot be renewed they are used for `stale_s` longer,
    then nothing is verified with them. No two fetches begin within `cooldown_s`, whatever the tokens ask for.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Coroutine[Any, Any, KeySet]],
        *,
        max_age_s: float,
        stale_s: float,
        cooldown_s: float,
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.keys: Mapping[str | None, VerifyKey] = {}
        self.fault: Exception | None = None
        self.last_error: str | None = None
        self.alarms = 0
        self._fetch = fetch
        self._max_age_s = max_age_s
        self._stale_s = stale_s
        self._cooldown_s = cooldown_s
        self._now = now
        self._fetched = -math.inf
        self._tried = -math.inf
        self._flight: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None, algorithm: str) -> VerifyKey | None:
        """The key with this id if it may be used for the algorithm. Raises `Unavailable`."""
        if not self._is_within(self._max_age_s):
            await self._renew()
        self._check_usable()
        if self._get(key_id) is None:
            await self._renew()
        key = self._get(key_id)
        return key if key is not None and algorithm in key.algorithms else None

    def holds(self, key_id: str | None, key: VerifyKey) -> bool:
        """Tell whether a key that verified a token before would still be used; renews aged keys in the background."""
        if not self._is_within(self._max_age_s):
            self._depart()
        return self._get(key_id) is key and self._is_within(self._max_age_s + self._stale_s)

    async def refresh(self) -> None:
        """Fetch the keys now, or wait for the fetch that is under way. Never raises for what the issuer does."""
        # Whoever waits may be cancelled; the fetch goes on for the others.
        await asyncio.shield(self._flight or self._start())

    async def close(self) -> None:
        """End the fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def unavailable(self) -> Unavailable:
        """Make the answer for a time without keys; it says when the next fetch may begin."""
        wait = math.ceil(self._tried + self._cooldown_s - self._now()) if self._is_cooling() else 1
        return Unavailable("The keys of the token's issuer cannot be had.", headers={"Retry-After": str(max(wait, 1))})

    def _get(self, key_id: str | None) -> VerifyKey | None:
        """Look a key up; a token without a key id means the only key there is (RFC 7515, 4.1.4)."""
        if key_id is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(key_id) if key_id is not None else None

    def _check_usable(self) -> None:
        if not self._is_within(self._max_age_s + self._stale_s):
            raise self.unavailable()

    def _is_within(self, seconds: float) -> bool:
        # A clock that was set back makes an age negative: such keys count as old.
        return 0 <= self._now() - self._fetched < seconds

    def _is_cooling(self) -> bool:
        return 0 <= self._now() - self._tried < self._cooldown_s

    async def _renew(self) -> None:
        if self._depart():
            await self.refresh()

    def _depart(self) -> bool:
        """Start a fetch unless one began a moment ago; tells whether one is under way."""
        if self._flight is None and not self._is_cooling():
            self._start()
        return self._flight is not None

    def _start(self) -> asyncio.Task[None]:
        self._tried = self._now()
        # An empty context: the fetch belongs to nobody's call, and outlives the one that asked first.
        self._flight = asyncio.create_task(self._run(), name=f"keys of {self.name}", context=Context())
        self._flight.add_done_callback(self._land)
        return self._flight

    def _land(self, _flight: asyncio.Task[None]) -> None:
        self._flight = None

    async def _run(self) -> None:
        try:
            fetched = await self._fetch()
        except Exception as fault:
            # Whatever went wrong, the keys that are known must survive it.
            self._raise_alarm(fault.kind if isinstance(fault, Failure | KeysRefused) else "fault")
            self.fault = fault.with_traceback(None)
            return
        self.fault = self.last_error = None
        self.keys = {kid: self._kept(kid, key) for kid, key in fetched.keys.items()}
        self._fetched = self._now()
        for kind in fetched.alarms:
            self._raise_alarm(kind)

    def _kept(self, key_id: str | None, key: VerifyKey) -> VerifyKey:
        """Keep the object of a key that stays: what was verified with it is known by it."""
        old = self.keys.get(key_id)
        return old if old is not None and key.is_same(old) else key

    def _raise_alarm(self, kind: str) -> None:
        self.last_error = kind
        self.alarms += 1
        _log.warning("issuer %s: its keys are not as they should be (%s)", self.name, kind)
