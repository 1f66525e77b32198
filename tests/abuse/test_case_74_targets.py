"""Case 74 at large: whatever becomes of the base path on its way, a request that was meant to be dry is never live."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.abuse.attack import post, to_upstreams
from tests.flow.world import world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
INSERTS = [
    *("/", "//", "/.", "/./", "/..", "/../", ";", ";x=1", "%2f", "%2F", "%5c", "\\", "%00", "%20", "%09", "%0d%0a"),
    *("%2e", "%2e%2e/", "%252f", "%252e", ".", "?", "#", "@", ":", "*", "+", "%", "%c0%af", "%e2%80%8b", "%ef%bc%8f"),
    *("rehearse/", "sandbox/", "live/", "/rehearse", "/sandbox", "http://bff.test", "https://bff.test/", "%u002f", "~"),
]  # fmt: skip
TRIES = 1500


def mutated(chance: Random, base: str) -> str:
    """A target that some layer may take for one under the base path."""
    text = f"/{base}/teams/7/bookings"
    for _ in range(chance.randint(1, 3)):
        # Most of what can go wrong goes wrong in the base path and around it.
        at = chance.randint(0, len(base) + 2 if chance.random() < 0.8 else len(text))
        match chance.choice(["insert", "insert", "case", "encode", "drop", "double", "swap"]):
            case "insert":
                text = text[:at] + chance.choice(INSERTS) + text[at:]
            case "case":
                text = text[:at] + text[at:].swapcase() if chance.random() < 0.3 else text[:at] + text[at:].title()
            case "encode":
                text = text[:at] + "".join(f"%{ord(one):02x}" for one in text[at : at + 1]) + text[at + 1 :]
            case "drop":
                text = text[:at] + text[at + 1 :]
            case "double":
                text = text[:at] + text[at : at + 1] * 2 + text[at + 1 :]
            case "swap":
                text = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    return text


def decoding(app: Any) -> Any:
    """The application behind a server that keeps no raw path, but decodes it."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await app({name: value for name, value in scope.items() if name != "raw_path"}, receive, send)

    return serve


@pytest.mark.parametrize("base", ["rehearse", "sandbox"])
@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "decoded"])
async def test_case_74_no_mutated_base_path_is_live(base: str, is_raw: bool) -> None:
    """Of many broken targets each is dry, or leads nowhere; no booking is made, and no write leaves."""
    chance = Random(74)  # noqa: S311 - the same targets each time
    seen: Counter[int] = Counter()
    async with world(limits={"attempts": "1000000/minute"}) as made:
        token = made.token()
        app = made.app if is_raw else decoding(made.app)
        for _ in range(TRIES):
            target = mutated(chance, base)
            got = await post(app, target, NEW, token=token)
            seen[got.status] += 1
            path = target.partition("?")[0]
            if got.status < 300:
                link = got.header("link") or ""
                assert "/rehearse/rehearsals/" in link or "/sandbox/rehearsals/" in link, target
                assert path.startswith(("/rehearse/", "/sandbox/")) or not is_raw, target
            assert got.status in (201, 400, 404, 405, 429), (target, got.status)
            assert made.bookings() == 0, target
        assert [request for request in to_upstreams(made) if request.method != "GET"] == []
    assert seen[400] > TRIES / 4
    assert seen[404] > TRIES / 20
    assert seen[201] >= 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "PoSt", "CONNECT", "TRACE", "FOO"])
async def test_case_74_no_method_makes_a_base_path_live(method: str) -> None:
    """Under a base path no method, known or not, writes."""
    async with world() as made:
        for base in ("/rehearse", "/sandbox"):
            got = await post(made.app, f"{base}/teams/7/bookings", NEW, token=made.token(), method=method)
            assert got.status == (201 if method == "POST" else 405)
        assert made.bookings() == 0
