import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from examples.where2eat.one_origin import OneOrigin


def app(name, start=None):
    """An application that answers with its name; `start` is awaited in its lifespan, and may fail."""

    async def serve(scope, receive, send):
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            if start is not None:
                await start()
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name})

    return serve


@asynccontextmanager
async def running(bff):
    """Both on one origin, with its lifespan; gives a client and what was told of the start."""
    told = []
    both = OneOrigin(bff, app(b"authority"), "/as", started=lambda: told.append("started"), failed=told.append)
    orders, heard = asyncio.Queue(), asyncio.Queue()
    await orders.put({"type": "lifespan.startup"})
    living = asyncio.create_task(both({"type": "lifespan"}, orders.get, heard.put))
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(both), base_url="http://one.test") as client:
        yield client, told
    await orders.put({"type": "lifespan.shutdown"})
    assert (await heard.get())["type"] == "lifespan.shutdown.complete"
    await living


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("/as/token", b"authority"),
        ("/.well-known/oauth-authorization-server/as", b"authority"),
        ("/.well-known/openid-configuration/as", b"authority"),
        ("/.well-known/oauth-protected-resource", b"bff"),
        ("/assistants", b"bff"),
        ("/as", b"bff"),
        ("/", b"bff"),
    ],
)
async def test_the_authorization_server_has_its_own_path_and_no_other(path, whose):
    """What does not lie under the issuer's path goes through the BFF's pipeline."""
    async with running(app(b"bff")) as (client, told):
        assert (await client.get(path)).content == whose
        assert told == ["started"] or whose == b"authority"


async def test_the_bff_can_ask_its_issuer_while_it_starts():
    """The issuer answers before the BFF has started, and a request to the BFF waits for it."""
    asked = asyncio.Event()
    async with running(app(b"bff", asked.wait)) as (client, told):
        early = asyncio.create_task(client.get("/"))
        assert (await client.get("/as/jwks")).content == b"authority"
        assert not early.done()
        assert told == []
        asked.set()
        assert (await early).content == b"bff"
        assert told == ["started"]


async def test_a_bff_that_does_not_start_is_told():
    """The reason of a refused start reaches whoever runs the world."""

    async def refuse():
        raise RuntimeError("not safe to start")

    async with running(app(b"bff", refuse)) as (client, told):
        assert (await client.get("/as/jwks")).content == b"authority"
        assert [str(fault) for fault in told] == ["not safe to start"]
