"""PostgreSQL dies by kill -9 while many write through an application, and comes back; nothing is doubled or lost."""

import asyncio
import itertools

import msgspec

from narrows.stores.commits import CommitEnvelope
from tests.abuse.apart import PATH, stores
from tests.abuse.attack import post
from tests.abuse.errands import LedgerHost, running
from tests.interop.servers import until

WRITERS, EACH = 8, 12
ENDED = {(200, None), (409, "already-attempted"), (409, "receipt-refused")}


class Noting(LedgerHost):
    """Keeps the text of each write that reached it."""

    def __init__(self):
        super().__init__()
        self.texts = []

    async def __call__(self, scope, receive, send):
        if scope["method"] != "POST":
            await super().__call__(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.texts.append(msgspec.json.decode(body)["text"])

        async def nothing():
            return {"type": "http.request", "body": b""}

        await super().__call__(scope, nothing, send)


class Writers:
    """Clients that ask again, with the same key, until they read what became of their write."""

    def __init__(self, made):
        self.made = made
        self.ends = {}
        self.seen = []
        self.unheard = 0

    async def send(self, path, text, **headers):
        got = await post(self.made.app, path, {"text": text}, token=self.made.token(), headers=list(headers.items()))
        self.seen.append((got.status, got.kind if got.status != 200 else None, got.header("retry-after")))
        return got

    async def write(self, text, with_receipt):
        """One write, to its end; the answer of a 409 that it is on its way is asked for again, too."""
        headers = {"idempotency-key": f"key-{text}"}
        if with_receipt:
            headers["rehearsal-receipt"] = await self.rehearse(text)
        while True:
            got = await self.send(PATH, text, **headers)
            if (got.status, got.kind if got.status != 200 else None) in ENDED:
                self.ends[text] = got
                return headers
            self.unheard += 1
            await asyncio.sleep(0.05)
            if got.kind == "key-in-use":
                # Its first attempt was lost with the server; the clock of the BFF stands still otherwise.
                self.made.clock.move(1)

    async def rehearse(self, text):
        """A rehearsal, to its receipt."""
        while True:
            got = await self.send(f"/rehearse{PATH}", text)
            if got.status == 200:
                return got.header("rehearsal-receipt")
            await asyncio.sleep(0.05)

    async def run(self, number):
        return [await self.write(f"{number}-{n}", with_receipt=n % 2 == 0) for n in range(EACH)]


async def test_nothing_is_doubled_or_lost_when_postgresql_dies_under_load(postgres_peer, postgres_url, caplog):
    """Each write reached its upstream once at the most and has its intent; who read a success reads it again; calls in
    between are 503 and say when to come again; and all goes on by itself."""
    host = Noting()
    async with running(host, stores=stores(postgres_url)) as (made, _):
        writers = Writers(made)
        running_all = asyncio.gather(*(writers.run(number) for number in range(WRITERS)))
        for _ in range(2):
            done = len(writers.ends) + 12
            await until(lambda done=done: len(writers.ends) >= done)
            postgres_peer.kill()
            seen = len(writers.seen)
            await until(lambda seen=seen: len(writers.seen) >= seen + 16)
            postgres_peer.start()
        headers = list(itertools.chain(*await asyncio.wait_for(running_all, 120)))

        assert len(writers.ends) == WRITERS * EACH
        assert len(host.texts) == len(set(host.texts))
        # Who was told of success had it, once; and whoever was told that it may have happened had no second.
        succeeded = {text for text, got in writers.ends.items() if got.status == 200}
        assert succeeded <= set(host.texts)
        assert len(succeeded) > WRITERS * EACH / 2

        # No effect without its intent.
        envelope = CommitEnvelope(b"k" * 32, made.app.plan.commits._bounds)
        rows = postgres_peer.ask("SELECT id, sealed FROM narrows_intents", postgres_url)
        intents = [envelope.open_intent(name, bytes(sealed)) for name, sealed in rows]
        assert len(intents) >= len(host.texts)
        assert {intent.operation for intent in intents} == {"Ledger.add"}

        # What was told stays true: the same bytes, nothing sent for it. Where the server died between the effect and
        # its end, the retry is told that it may have happened.
        sent, lost = len(host.texts), 0
        await until(lambda: not made.app.plan.settle._concluding)
        made.clock.move(20)  # so that no call can be on its way any more
        for header in headers:
            text = header["idempotency-key"].removeprefix("key-")
            if text in succeeded:
                again = await writers.send(PATH, text, **header)
                if again.status == 409:
                    assert again.kind == "already-attempted"
                    lost += 1
                    continue
                assert again.body == writers.ends[text].body
                assert again.header("idempotency-replayed") == "true"
        assert lost <= sum("an outcome could not be kept" in message for message in caplog.messages)
        assert len(host.texts) == sent

        away = [retry_after for status, _, retry_after in writers.seen if status == 503]
        assert len(away) >= 16
        assert None not in away
        # A 409 is read only by who asks again before the outcome is down, which is tried once more behind the answer.
        assert {200, 503} <= {status for status, _, _ in writers.seen} <= {200, 409, 503}
