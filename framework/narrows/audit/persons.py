"""Who is behind a hash of the log: a key for each person, which can be destroyed, and then nobody knows any more."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from narrows.audit.record import caller_hash
from narrows.call import Named
from narrows.errors import Unavailable
from narrows.stores.audit import AuditStore, Person
from narrows.stores.sealing import KEY_BYTES, Sealer

HELD_S = 30.0
"""How long a process may go on using a key, in seconds: as late is felt what was forgotten in another one."""

MOST = 10_000
_ARGUMENTS_BYTES = 16


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What leads to somebody, as it is before it is sealed."""

    key: bytes
    issuer: str
    subject: str


class Persons:
    """Names callers by hashes under keys of their own.

    `store` gives the store when it is needed, `key` (32 bytes) seals what lies there and hides under what, `steady`
    gives seconds that only grow. Its methods raise `Unavailable`.
    """

    def __init__(
        self,
        store: Callable[[], AuditStore],
        *,
        key: bytes,
        steady: Callable[[], float],
        new_key: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._store = store
        self._sealer = Sealer(key, purpose="person")
        self._steady = steady
        self._new_key = new_key
        self._held: OrderedDict[tuple[str, str], tuple[float, Named]] = OrderedDict()

    def known(self, issuer: str, subject: str) -> Named | None:
        """The name of somebody that was asked for a moment ago; it waits for nothing."""
        held = self._held.get((issuer, subject))
        return held[1] if held is not None and self._steady() < held[0] else None

    async def name(self, issuer: str, subject: str) -> Named:
        """The name of somebody; who has none is given one, with a new key."""
        lookup = self._lookup(issuer, subject)
        kept = await self._store().person(lookup)
        if kept is None:
            kept = await self._store().put_person(lookup, self._make(issuer, subject))
        named = Named(hash=kept.hash, key=self._open(kept).key)
        self._hold(issuer, subject, named)
        return named

    async def find(self, issuer: str, subject: str) -> str | None:
        """The hash of somebody, if the log has one of them; none is made."""
        kept = await self._store().person(self._lookup(issuer, subject))
        return None if kept is None else kept.hash

    async def resolve(self, hashed: str) -> tuple[str, str] | None:
        """Issuer (by its name in the settings) and subject behind a hash; None for one that leads to nobody."""
        kept = await self._store().find_person(hashed)
        if kept is None:
            return None
        person = self._open(kept)
        return person.issuer, person.subject

    async def forget(self, issuer: str, subject: str) -> bool:
        """Destroy the key of somebody; whether there was one. Who calls again is somebody new to the log."""
        self._held.pop((issuer, subject), None)
        return await self._store().forget_person(self._lookup(issuer, subject))

    async def scrub(self) -> None:
        """See that nothing is left on the disk of whoever was forgotten, should that have been cut short."""
        await self._store().forget_person(b"")  # nobody has this lookup

    def _make(self, issuer: str, subject: str) -> Person:
        key = self._new_key(KEY_BYTES)
        hashed = caller_hash(key, issuer, subject)
        plain = msgspec.msgpack.encode(_Sealed(key, issuer, subject))
        return Person(hashed, self._sealer.seal(plain, hashed.encode()))

    def _lookup(self, issuer: str, subject: str) -> bytes:
        return bytes.fromhex(self._sealer.digest(issuer, subject))

    def _open(self, kept: Person) -> _Sealed:
        plain = self._sealer.open(kept.sealed, kept.hash.encode())
        if plain is None:
            raise Unavailable("A key of the audit log does not open.")
        return msgspec.msgpack.decode(plain, type=_Sealed)

    def _hold(self, issuer: str, subject: str, named: Named) -> None:
        """Keep a key for a moment; what is too old is dropped, so that no key outlives its time unseen."""
        held, now = self._held, self._steady()
        held.pop((issuer, subject), None)
        held[issuer, subject] = (now + HELD_S, named)
        while len(held) > MOST or next(iter(held.values()))[0] <= now:
            held.popitem(last=False)


def arguments_digest(named: Named, arguments: bytes) -> str:
    """A digest of arguments under the key of whoever sent them: with the key, what it stood for is gone too."""
    return hmac.digest(named.key, b"arguments\0" + arguments, "sha256")[:_ARGUMENTS_BYTES].hex()
