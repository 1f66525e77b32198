"""Cases 62 and 68 of GraphQL: what who has no token that holds learns of documents, and what hostile requests cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.flow.graphql_site import error, graphql_site, post
from tests.unit.surfaces.site import Site

QUERY = quote('{"team_id":7}')
NAMES = ("soup", "lunch", "strange", "nothing", "no name")
Headers = list[tuple[str, str]]


def credentials(one: Site) -> list[Headers]:
    """Credentials that do not hold, for every reason that is told before a record of a program is looked at."""
    return [
        [("authorization", "Basic eDp5")],
        [("authorization", "Bearer a"), ("authorization", "Bearer b")],
        [("authorization", "Bearer a b")],
        [("authorization", "Bearer a.b.c")],
        [("authorization", f"Bearer {one.token(exp=1)}")],
        [("authorization", f"Bearer {one.token(aud='other-api')}")],
    ]


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_62_a_token_that_does_not_hold_learns_of_no_document(base: str, tmp_path: Path) -> None:
    """Known or not, a query or a mutation, by GET, path or POST: status, headers and bytes are the same."""
    async with graphql_site(tmp_path) as one:
        for headers in credentials(one):
            told = set()
            for name in NAMES:
                for got in (
                    await one.ask(
                        f"{base}/graphql?documentId={quote(name)}&variables={QUERY}", token=None, headers=headers
                    ),
                    await one.ask(f"{base}/graphql/{quote(name)}?variables={QUERY}", token=None, headers=headers),
                    await post(
                        one,
                        {"documentId": name, "variables": {"team_id": 7}},
                        f"{base}/graphql",
                        token=None,
                        headers=headers,
                    ),
                ):
                    trace = error(got)["trace_id"].encode()
                    told.add((got.status, tuple(sorted(got.headers)), got.body.replace(trace, b"")))
            assert [status for status, *_ in told] in ([400], [401])
        assert one.cooked == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"documentId":"soup","variables":{"team_id":8},"variables":{"team_id":7}}',
        b'{"documentId":"soup","variables":null,"variables":{"team_id":7}}',
        b'{"documentId":"soup","variables":{"team_id":7,"team_id":7}}',
        b'{"documentId":"lunch","documentId":"soup","variables":{"team_id":7}}',
        b'{"documentId":"soup","extensions":{"{}":1,"{}":2},"variables":{"team_id":7}}',
        b'{"documentId":"soup","extensions":{"a":{"b":1,"b":1}},"variables":{"team_id":7}}',
        b'{"documentId":"soup","extensions":{"a":NaN},"variables":{"team_id":7}}',
        b'{"documentId":"soup","extensions":{"a":' + b"9" * 5000 + b'},"variables":{"team_id":7}}',
        b'{"documentId":"soup","variables":{"team_id":7},"operationName":"\\ud800"}',
        b'{"documentId":"soup","variables":{"team_id":7}}x',
        b'\xef\xbb\xbf{"documentId":"soup","variables":{"team_id":7}}',
        b'{"documentId":"soup","variables":{"team_id":7,"x":"\xff"}}',
        b'{"documentId":"soup","variables":{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
        b'{"documentId":"soup","extensions":{"a":' + b"[" * 30_000 + b"}}",
        b'{"query":"\\ud800","extensions":{"persistedQuery":{"version":1,"sha256Hash":"' + b"a" * 64 + b'"}}}',
        *(b"null", b"1", b'"soup"', b" ", b"{}", b'{"extensions":[]}'),
    ],
)
async def test_case_62_what_is_not_strictly_one_request_runs_nothing(body: bytes, tmp_path: Path) -> None:
    """Keys twice, hidden ones too, numbers and depths without bound, half characters: 400, and never a fault."""
    async with graphql_site(tmp_path) as one:
        got = await post(one, body)
        assert (got.status, one.cooked) == (400, [])
        assert error(got)["remedy"]


async def test_case_62_no_unknown_text_breaks_what_puts_it_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it nests, up to where parsing ends: it is refused, put down once, and nothing of its words is kept."""
    async with graphql_site(tmp_path, limits={"attempts": "100000/minute"}) as one:
        find = one.app.plan.directory.find

        async def found(*who: str) -> Any:
            return msgspec.structs.replace(await find(*who), documents="log")  # type: ignore[type-var]

        monkeypatch.setattr(one.app.plan.directory, "find", found)
        sent = 0
        for depth in range(1, 330, 8):
            for before, core, after in (
                ("{a", "", "}"),
                ("[", "ANNA_BERG", "]"),
                ("{c:", "ANNA_BERG", "}"),
            ):
                nested = before * depth + core + after * depth
                assert (await post(one, {"query": nested if not core else f"{{a(b:{nested})}}"})).status == 400
                sent += 1
        events = [record for record in one.records.all() if record["event"] == "document"]
        assert len(events) == sent
        assert b"ANNA" not in b"".join(one.records.lines)
