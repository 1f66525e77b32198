"""A log in memory with a signer, as the tests of the audit log need it."""

from narrows.audit.checkpoint import Signer
from narrows.audit.export import export
from narrows.audit.merkle import grow, leaf_hash
from narrows.audit.signing import newest, sign
from narrows.stores.memory_audit import MemoryAuditStore

ORIGIN = "bff.test/lunch"
SIGNER = Signer(ORIGIN, [bytes(32)])
OTHER = Signer(ORIGIN, [b"k" * 32])
KEYS = SIGNER.public


def make_leaf(number, said="said"):
    """A record as it is hashed."""
    return f'{{"n":{number},"note":"{said} ☂"}}'.encode()


async def add(store, *leaves, signer=SIGNER):
    """Add leaves, and sign."""
    was = await store.head()
    head, nodes = grow(was, map(leaf_hash, leaves))
    assert await store.append(was, head, leaves, nodes)
    return await sign(store, signer, head) if signer else None


async def make_log(*sizes, signer=SIGNER, leaf=make_leaf):
    """A log that was signed at each of these sizes, with its checkpoints."""
    store, notes, at = MemoryAuditStore(), [], 0
    for size in sizes:
        notes.append(await add(store, *map(leaf, range(at, size)), signer=signer))
        at = size
    return store, notes


async def lines_of(store, origin=ORIGIN, **how):
    """The lines of an export of all of it."""
    return [line async for line in export(store, origin, (await store.head()).size, **how)]


__all__ = ["KEYS", "ORIGIN", "OTHER", "SIGNER", "add", "lines_of", "make_leaf", "make_log", "newest"]
