"""Cases 36, 62, 68 and 74 of GraphQL: only registered documents run, and no form of a request gets around that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.flow.graphql_site import LUNCH, SOUP, error, graphql_site, post, sha256
from tests.unit.surfaces.site import Site

TEAM = {"team_id": 7}
QUERY = quote('{"team_id":7}')
TRIES = 1200

AD_HOC = [
    "{ menu(team_id: 7) { dishes } }",
    "query soup($team_id: Long!) { menu(team_id: $team_id) { dishes } }",
    "{ __schema { types { name } } }",
    "{ __type(name: \"Menu\") { name } }",
    "{ __typename }",
    "query IntrospectionQuery { __schema { queryType { name } } }",
    "{ " + " ".join(f"a{number}: menu(team_id: 7) {{ dishes }}" for number in range(1000)) + " }",
    "{ " + "menu(team_id: 7) { " * 500 + "}" * 501,
    "mutation { order(team_id: 7, order: {dish: \"soup\"}) { text } }",
    "subscription { menu(team_id: 7) { dishes } }",
    SOUP + "\n",
    SOUP.replace("\n", "\r\n"),
    SOUP.rstrip("\n"),
    "\ufeff" + SOUP,
    SOUP + LUNCH,
    SOUP.upper(),
    SOUP.replace("menu", "me\u200bnu"),
    "",
    "{",
    "null",
    "soup",
    f"sha256:{sha256(SOUP)}",
]  # fmt: skip


@pytest.mark.parametrize("ladder", ["id", "match", "log"])
async def test_case_62_no_text_runs_that_is_no_document(
    ladder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By POST, by GET, and with the hash that Apollo's clients would register it by; on every step of the ladder."""
    async with graphql_site(tmp_path, limits={"attempts": "100000/minute", "target_bytes": 65_536}) as one:
        let(one, monkeypatch, documents=ladder)
        for text in AD_HOC:
            hashed = {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}
            for body in ({"query": text}, {"query": text, "extensions": hashed}, {"query": text, "variables": TEAM}):
                got = await post(one, body)
                assert (got.status, error(got)["type"]) == (400, "urn:narrows:problem:document-required")
            got = await one.ask(f"/graphql?query={quote(text)}")
            # What a URL may not hold is refused before.
            assert (got.status, error(got)["remedy"] != "") == (400, True)
            assert (await post(one, {"extensions": hashed})).status == 404
        assert one.cooked == []


@pytest.mark.parametrize(
    "name",
    [
        *(f"sha256:{sha256(SOUP).upper()}", f"SHA256:{sha256(SOUP)}", f"sha256:{sha256(SOUP)} ", sha256(SOUP)),
        *(f"sha256:{sha256(SOUP + ' ')}", f"sha-256:{sha256(SOUP)}", f"md5:{sha256(SOUP)[:32]}", "x-soup:soup"),
        *("Soup", "SOUP", "soup.graphql", "cafe.soup", "queries/soup", "../soup", "soup\x00", "\u0455oup", "menu", "*"),
    ],
)
async def test_case_62_no_other_id_leads_to_a_document(name: str, tmp_path: Path) -> None:
    """Upper-case digits, another scheme, another case, the name of an endpoint or of a file."""
    async with graphql_site(tmp_path) as one:
        for got in (
            await post(one, {"documentId": name, "variables": TEAM}),
            await one.ask(f"/graphql?documentId={quote(name)}&variables={QUERY}"),
            await one.ask(f"/graphql/{quote(name, safe='')}?variables={QUERY}"),
        ):
            assert got.status in (400, 404)
            assert error(got)["type"].rpartition(":")[2] in ("document-not-found", "invalid-input", "malformed-request")
        assert one.cooked == []


async def test_case_62_a_document_of_another_tenant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the record of a program does not name does not run, by whichever id and whatever its token holds."""
    async with graphql_site(tmp_path) as one:
        let(one, monkeypatch, tenant="other", endpoints=frozenset({"cafe.menu", "cafe.strange"}), documents="match")
        for body in ({"documentId": "soup"}, {"documentId": f"sha256:{sha256(SOUP)}"}, {"query": SOUP}):
            got = await post(one, {**body, "variables": TEAM})
            assert (got.status, error(got)["type"]) == (403, "urn:narrows:problem:connector-refused")
        assert one.cooked == []


@pytest.mark.parametrize("prefix", ["", "/rehearse", "/sandbox"])
async def test_case_36_nothing_of_graphql_is_reached_without_credentials(prefix: str, tmp_path: Path) -> None:
    """Every method and form, documents that were added at start included; and no method is a way around another."""
    seen: Counter[int] = Counter()
    async with graphql_site(tmp_path) as one:
        for path in ("/graphql", "/graphql/soup", "/graphql/lunch", "/graphql/nothing"):
            for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "QUERY", "get", "post"):
                for body in (b"", msgspec.json.encode({"documentId": "soup", "variables": TEAM})):
                    for headers in ([], [("x-http-method-override", "POST")], [("cookie", "session=1")]):
                        got = await one.ask(prefix + path, method, token=None, body=body, headers=headers)
                        assert got.status == (401 if method in ("GET", "POST") else 405)
                        seen[got.status] += 1
        assert one.cooked == []
        assert len(one.records.calls()) == sum(seen.values())


async def test_case_68_no_cache_keeps_what_graphql_answers(tmp_path: Path) -> None:
    """A GET of a document is as much for its caller alone as any other, and so is each refusal."""
    async with graphql_site(tmp_path) as one:
        for got in (
            await one.ask(f"/graphql/soup?variables={QUERY}"),
            await one.ask(f"/graphql?documentId=soup&variables={QUERY}", token=None),
            await one.ask("/graphql?documentId=nothing"),
            await one.ask("/graphql", "HEAD"),
        ):
            assert got.header("cache-control") == "private, no-store"


@pytest.mark.parametrize(
    "path",
    [
        *("/rehearse//graphql", "//graphql", "/graphql//lunch", "/graphql%2flunch", "/graphql/../graphql/lunch"),
        *("/Rehearse/graphql", "/sandbox/rehearse/graphql", "/rehearse/sandbox/graphql", "/graphql/rehearse/lunch"),
        *("/graphql/", "/graphql/lunch/", "/GraphQL", "/graphql.json", "/graphql/lunch/more", "/graphql;x=1"),
        *("/rehearse%2fgraphql", "/%72ehearse/graphql", "/graphql/./lunch", "/graphql/%2e%2e/graphql"),
    ],
)
async def test_case_74_a_target_that_is_not_quite_one_of_graphql_is_none(path: str, tmp_path: Path) -> None:
    """It leads nowhere, and never to a live mutation."""
    order = {"documentId": "lunch", "variables": {**TEAM, "order": {"dish": "soup"}}}
    async with graphql_site(tmp_path) as one:
        assert (await post(one, order, path)).status in (400, 404)
        assert one.cooked == []


async def test_case_62_no_mutated_request_runs_what_was_not_asked_for(tmp_path: Path) -> None:
    """Of many broken bodies each is one well-formed answer with one record; data is of `soup` and team 7 alone."""
    chance = Random(62)  # noqa: S311 - the same requests each time
    seen: Counter[int] = Counter()
    async with graphql_site(tmp_path, limits={"attempts": "1000000/minute"}) as one:
        for number in range(TRIES):
            before = len(one.cooked)
            got = await post(one, mutated(chance))
            seen[got.status] += 1
            assert len(one.records.lines) == number + 1
            if got.status == 200:
                assert got.json == {"data": {"menu": {"dishes": ["soup"]}}}
                assert len(one.cooked) == before + 1
            else:
                assert got.status < 500
                assert error(got)["trace_id"]
                assert len(one.cooked) == before
    assert seen[200] > 10
    assert seen[400] > TRIES / 2
    assert {200, 400, 403, 404} <= set(seen)


PIECES: list[Any] = [
    *('"documentId":"soup"', '"documentId":"lunch"', '"documentId":"nothing"', '"documentId":null', '"documentId":""'),
    *(
        f'"documentId":"sha256:{sha256(SOUP)}"',
        f'"documentId":"sha256:{sha256(SOUP).upper()}"',
        '"documentId":["soup"]',
    ),
    *('"variables":{"team_id":7}', '"variables":{"team_id":8}', '"variables":{"team_id":"7"}', '"variables":{}'),
    *('"variables":{"team_id":7,"team_id":8}', '"variables":null', '"variables":[]', '"variables":{"team_id":7.0}'),
    *('"query":null', '"query":"{ __typename }"', f'"query":{msgspec.json.encode(SOUP).decode()}', '"query":{}'),
    *('"operationName":"soup"', '"operationName":"lunch"', '"operationName":""', '"operationName":null'),
    *('"extensions":{}', '"extensions":null', '"extensions":{"persistedQuery":null}', '"extensions":{"x":1}'),
    *('"docum\\u0065ntId":"lunch"', '"id":"soup"', '"":1', '"__proto__":{}', '"batch":[]'),
    f'"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{sha256(SOUP)}"}}}}',
]


def mutated(chance: Random) -> bytes:
    """A body of some parameters, and sometimes with a byte less, more or other."""
    sound = ['"documentId":"soup"', '"variables":{"team_id":7}']
    chosen = [*chance.sample(sound, chance.randint(0, 2)), *chance.sample(PIECES, chance.randint(0, 2))]
    chance.shuffle(chosen)
    body = bytearray(("{" + ",".join(chosen) + "}").encode())
    if chance.random() < 0.1:
        body = bytearray(b"[" + body + b"]")
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        at = chance.randrange(len(body))
        match chance.choice(["drop", "double", "other"]):
            case "drop" if len(body) > 1:
                del body[at]
            case "double":
                body.insert(at, body[at])
            case _:
                body[at] = chance.randrange(256)
    return bytes(body)


def let(one: Site, monkeypatch: pytest.MonkeyPatch, **over: Any) -> None:
    """Let the record of the till say something else."""
    find = one.app.plan.directory.find

    async def found(*who: str) -> Any:
        return msgspec.structs.replace(await find(*who), **over)  # type: ignore[type-var]

    monkeypatch.setattr(one.app.plan.directory, "find", found)
