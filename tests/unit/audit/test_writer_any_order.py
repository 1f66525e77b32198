"""Whatever happens in whatever order, each record is in the log once: those that were kept, and those that waited."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.audit.merkle import grow, leaf_hash
from narrows.audit.writer import Writer
from narrows.errors import Unavailable
from narrows.stores.memory_audit import MemoryAuditStore
from tests.unit.audit.logs import SIGNER
from tests.unit.audit.test_merkle import tree

MOODS = ("well", "away", "lost", "late")
STEPS = st.sampled_from([*MOODS, "put", "keep", "other", "wait", "cancel", "sign"])


class Unsteady(MemoryAuditStore):
    """A log of which the answer may get lost, or the question, or which does it after it was given up."""

    def __init__(self):
        super().__init__()
        self.mood = "well"
        self.late = None

    async def head(self):
        await asyncio.sleep(0)
        if self.mood == "away":
            raise Unavailable
        return await super().head()

    async def append(self, *what):
        await asyncio.sleep(0)
        if self.late is not None:
            late, self.late = self.late, None
            await super().append(*late)
        match self.mood:
            case "away":
                raise Unavailable
            case "lost":
                await super().append(*what)
                raise Unavailable
            case "late":
                self.late = what
                raise Unavailable
        return await super().append(*what)


class Play:
    """A writer, and what is done to it."""

    def __init__(self):
        self.store = Unsteady()
        self.writer = Writer(self.store, SIGNER, most=5, sleep=self._turn)
        self.given, self.kept, self.tasks = [], [], []

    async def put(self, leaf):
        self.given.append(leaf)
        self.writer.put(leaf)

    async def keep(self, leaf):
        self.given.append(leaf)
        self.tasks.append(asyncio.create_task(self._keep(leaf)))
        await self._turn(0)

    async def other(self, leaf):
        """Another process adds one, when the log is well; should it be slower, it tries again."""
        while self.store.mood == "well":
            was = await self.store.head()
            head, nodes = grow(was, [leaf_hash(leaf)])
            if await self.store.append(was, head, [leaf], nodes):
                self.given.append(leaf)
                return

    async def cancel(self, _):
        for task in self.tasks[-1:]:
            task.cancel()

    async def sign(self, _):
        self.tasks.append(asyncio.create_task(self.writer.sign()))

    async def wait(self, _):
        for _ in range(20):
            await self._turn(0)

    async def end(self):
        """Let everything end well."""
        self.store.mood = "well"
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.writer.close()

    async def _keep(self, leaf):
        await self.writer.keep(leaf)
        self.kept.append(leaf)

    async def _turn(self, _):
        await asyncio.sleep(0)


async def play(steps):
    """Do these steps, each with a record of its own."""
    made = Play()
    for number, step in enumerate(steps):
        if step in MOODS:
            made.store.mood = step
        else:
            await getattr(made, step)(f"{step} {number}".encode())
    await made.end()
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_nothing_is_lost_and_nothing_is_doubled(steps):
    """Answers that get lost, questions that are carried out late, other writers, clients that go away."""
    made = asyncio.run(play(steps))
    leaves = asyncio.run(made.store.leaves(0, 1000))
    assert made.writer.waiting == 0
    assert Counter(leaves) == Counter(made.given)
    assert set(made.kept) <= set(leaves)
    assert asyncio.run(made.store.head()) == tree(leaves)[0]
