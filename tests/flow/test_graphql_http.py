"""GraphQL over HTTP: documents by GET and POST, in every mode; all else there is one error, and runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from narrows.call import Raw
from narrows.errors import StartRefused, Unavailable
from narrows.surfaces.graphql import dispatch
from narrows.testing import running
from tests.flow.graphql_site import (
    DOCUMENTS,
    JSON,
    LUNCH,
    RESPONSE,
    SOUP,
    error,
    graphql_site,
    make_graphql_bff,
    post,
    sha256,
)
from tests.unit.surfaces.site import Got, Site, make_bff
from tests.unit.surfaces.site import site as graphql_less

MENU = {"data": {"menu": {"dishes": ["soup"]}}}
TEAM = {"team_id": 7}
QUERY = quote('{"team_id":7}')
ORDER = {"team_id": 7, "order": {"dish": "soup"}}
BASES = ["", "/rehearse", "/sandbox"]
UTF8 = "; charset=utf-8"
Ask = Callable[[Site], Awaitable[Got]]
HASH = f"sha256:{sha256(SOUP)}"
EXTENSIONS = {"persistedQuery": {"version": 1, "sha256Hash": sha256(SOUP)}}


def by(**sent: Any) -> Ask:
    """A POST."""
    return lambda one: post(one, {"variables": TEAM, **sent})


def at(target: str, method: str = "GET", **how: Any) -> Ask:
    """A request of a target."""
    return lambda one: one.ask(target, method, **how)


# --- what runs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        by(documentId="soup"),
        by(documentId=HASH),
        by(documentId=HASH, operationName="soup"),
        by(extensions=EXTENSIONS),
        lambda one: post(one, {"variables": TEAM}, "/graphql/soup"),
        lambda one: post(one, {"variables": TEAM}, f"/graphql/{HASH}"),
        at(f"/graphql?documentId=soup&variables={QUERY}"),
        at(f"/graphql?documentId={HASH}&operationName=soup&variables={QUERY}"),
        at(f"/graphql?extensions={quote(msgspec.json.encode(EXTENSIONS).decode())}&variables={QUERY}"),
        at(f"/graphql/soup?variables={QUERY}"),
    ],
)
async def test_a_query_runs_by_every_id_by_get_and_by_post(ask: Ask, tmp_path: Path) -> None:
    """It is one document, recorded under its own name and asked by GraphQL, whichever way it is named."""
    async with graphql_site(tmp_path) as one:
        got = await ask(one)
        (record,) = one.records.calls()
    assert (got.status, got.json) == (200, MENU)
    assert (record["endpoint"], record["way"], record["status"]) == ("cafe.soup", "graphql", 200)


async def test_a_record_has_the_method_that_came(tmp_path: Path) -> None:
    """A query by POST is not put down as a GET."""
    async with graphql_site(tmp_path) as one:
        await by(documentId="soup")(one)
        await at(f"/graphql/soup?variables={QUERY}")(one)
        await by(documentId="nothing")(one)
        assert [record["method"] for record in one.records.calls()] == ["POST", "GET", "POST"]


@pytest.mark.parametrize("base", BASES)
async def test_a_mutation_runs_by_post_in_the_mode_of_its_path(base: str, tmp_path: Path) -> None:
    """Live it orders; under the other base paths nothing leaves, and a link leads to what would have happened."""
    async with graphql_site(tmp_path, kitchen=lambda _: httpx.Response(204)) as one:
        got = await post(one, {"documentId": "lunch", "variables": ORDER}, f"{base}/graphql")
        (record,) = one.records.calls()
        assert (got.status, got.json) == (200, {"data": {"order": {"text": "soup"}}})
        assert len(one.cooked) == (1 if base == "" else 0)
        assert record["mode"] == (base[1:] or "live")
        assert (got.header("link") is None) == (base == "")
        assert (got.header("rehearsal-receipt") is None) == (base != "/rehearse")


async def test_a_mutation_with_a_key_is_answered_again_in_the_type_that_is_accepted(tmp_path: Path) -> None:
    """Nothing is ordered twice, and another request with the key is refused with an error."""
    key = ("idempotency-key", "once")
    body = {"documentId": "lunch", "variables": ORDER}
    async with graphql_site(tmp_path, kitchen=lambda _: httpx.Response(204)) as one:
        first = await post(one, body, headers=[key])
        again = await post(one, body, "/graphql", headers=[key, ("accept", JSON)])
        other = await post(one, {**body, "variables": {**ORDER, "order": {"dish": "fish"}}}, headers=[key])
        assert len(one.cooked) == 1
    assert (first.json, first.header("idempotency-replayed")) == (again.json, None)
    assert (again.header("idempotency-replayed"), again.header("content-type")) == ("true", JSON + UTF8)
    assert (other.status, error(other)["type"]) == (422, "urn:narrows:problem:key-reused")


async def test_a_receipt_of_a_rehearsed_mutation_lets_it_through_once(tmp_path: Path) -> None:
    """As for any write: without one it is a 428, with one it orders, and then the receipt is spent."""
    connectors = {"till": {"commit": "receipt"}}
    body = {"variables": ORDER}
    async with graphql_site(tmp_path, kitchen=lambda _: httpx.Response(204), connectors=connectors) as one:
        without = await post(one, body, "/graphql/lunch")
        rehearsed = await post(one, body, "/rehearse/graphql/lunch")
        receipt = [("rehearsal-receipt", rehearsed.header("rehearsal-receipt") or "")]
        live = await post(one, {"documentId": "lunch", **body}, headers=receipt)
        spent = await post(one, body, "/graphql/lunch", headers=receipt)
        assert len(one.cooked) == 1
    assert (without.status, error(without)["rehearse_url"]) == (428, "https://bff.test/rehearse/graphql/lunch")
    assert (rehearsed.status, live.status, live.json) == (200, 200, rehearsed.json)
    assert (spent.status, error(spent)["type"]) == (409, "urn:narrows:problem:receipt-refused")


async def test_an_answer_is_for_its_caller_alone(tmp_path: Path) -> None:
    """Neither an answer nor an error is kept by a cache, nor is its type guessed."""
    async with graphql_site(tmp_path) as one:
        for ask in (by(documentId="soup"), by(documentId="nothing"), at("/graphql/soup", "PUT")):
            got = await ask(one)
            assert got.header("cache-control") == "private, no-store"
            assert got.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ([], RESPONSE),
        (["*/*"], JSON),
        ([f"{RESPONSE}, {JSON}"], RESPONSE),
        ([JSON], JSON),
        ([RESPONSE], RESPONSE),
        (["text/html", f"{JSON};q=0.2"], JSON),
    ],
)
async def test_an_answer_has_the_type_that_is_accepted(accept: list[str], kind: str, tmp_path: Path) -> None:
    """Data, problems, and what never became a call; the status is the same in both types."""
    headers = [("accept", value) for value in accept]
    async with graphql_site(tmp_path) as one:
        for status, got in (
            (200, await by(documentId="soup")(one) if not accept else await post(
                one, {"documentId": "soup", "variables": TEAM}, headers=headers)),
            (404, await post(one, {"documentId": "nothing"}, headers=headers)),
            (401, await one.ask("/graphql/soup", token=None, headers=headers)),
            (405, await one.ask("/graphql", "PUT", headers=headers)),
            (404, await one.ask("/graphql/soup/more", headers=headers)),
            (421, await one.ask("/graphql", host="other.test", headers=headers)),
        ):  # fmt: skip
            assert (got.status, got.header("content-type")) == (status, kind + UTF8)
            if status != 200:
                assert error(got)["trace_id"]


# --- what does not --------------------------------------------------------------------------------------------------


BROKEN = at("/graphql/soup?variables=%zz")
REFUSED: list[tuple[Ask, int, str]] = [
    (by(documentId="nothing"), 404, "document-not-found"),
    (by(documentId=f"sha256:{'0' * 64}"), 404, "document-not-found"),
    (by(extensions={"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}), 404, "document-not-found"),
    (at("/graphql/nothing"), 404, "document-not-found"),
    (at("/graphql/Soup"), 404, "document-not-found"),
    (by(documentId=HASH.upper()), 400, "invalid-input"),
    (by(documentId="x-own:1"), 400, "invalid-input"),
    (by(documentId="soup", query=SOUP), 400, "invalid-input"),
    (by(documentId="soup", extensions=EXTENSIONS), 400, "invalid-input"),
    (by(query="{ menu(team_id: 7) { dishes } }"), 400, "document-required"),
    (by(query="{ __schema { types { name } } }"), 400, "document-required"),
    (by(query="{ __typename }"), 400, "document-required"),
    (by(query=SOUP + "\n"), 400, "document-required"),
    (by(query=SOUP), 400, "document-required"),
    (by(query=SOUP, extensions=EXTENSIONS), 400, "document-required"),
    (by(query="{", extensions=EXTENSIONS), 400, "invalid-input"),
    (by(), 400, "document-required"),
    (at("/graphql"), 400, "document-required"),
    (at(f"/graphql?query={quote('{ __typename }')}"), 400, "document-required"),
    (at("/graphql?documentId=soup&documentId=soup"), 400, "invalid-input"),
    (at(f"/graphql/soup?documentId=soup&variables={QUERY}"), 400, "invalid-input"),
    (at("/graphql/soup?team_id=7"), 400, "invalid-input"),
    (at(f"/graphql/soup?operationName=lunch&variables={QUERY}"), 400, "invalid-input"),
    (by(documentId="strange", operationName="Strange"), 400, "invalid-input"),
    (BROKEN, 400, "malformed-request"),
    (lambda one: post(one, [{"documentId": "soup"}]), 400, "malformed-request"),
    (lambda one: post(one, b"NONSENSE"), 400, "malformed-request"),
    (lambda one: post(one, {"documentId": "soup", "variables": TEAM}, "/graphql?x=1"), 400, "invalid-input"),
    (at(f"/graphql/lunch?variables={QUERY}"), 405, "method-not-allowed"),
    (at("/graphql?documentId=lunch"), 405, "method-not-allowed"),
    (at("/graphql/soup", headers=[("accept", "text/html")]), 406, "not-acceptable"),
    (at("/graphql", "POST"), 415, "unsupported-media-type"),
    (lambda one: post(one, b"x" * 70_000), 413, "content-too-large"),
    (at("/graphql/soup", body=b"{}"), 400, "malformed-request"),
    *(
        (
            at("/graphql", "POST", headers=[("content-type", kind), ("content-length", "2")]),
            415,
            "unsupported-media-type",
        )
        for kind in ("text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data")
    ),
    (
        at("/graphql", "POST", body=b"{}", headers=[("content-encoding", "gzip")]),
        415,
        "unsupported-media-type",
    ),
]


@pytest.mark.parametrize("base", BASES)
async def test_what_leads_to_no_document_runs_nothing_and_is_one_error(base: str, tmp_path: Path) -> None:
    """Each is well-formed, tells what to do, and is put down as a request of its caller."""
    async with graphql_site(tmp_path) as one:
        for ask, status, slug in REFUSED:
            got = await ask(_Under(one, base))  # type: ignore[arg-type]  # it asks like a site
            extensions = error(got)
            assert (got.status, extensions["type"]) == (status, f"urn:narrows:problem:{slug}")
            assert extensions["remedy"]
            record = one.records.calls()[-1]
            assert (record["way"], record["status"], record["outcome"]) == ("graphql", status, "refused")
        assert one.cooked == []


class _Under:
    """A site, asked under a base path."""

    def __init__(self, one: Site, base: str) -> None:
        self._one, self._base = one, base

    async def ask(self, target: str, *args: Any, **how: Any) -> Got:
        """Ask under it."""
        return await self._one.ask(self._base + target, *args, **how)


async def test_an_unknown_id_is_told_as_apollo_tells_it(tmp_path: Path) -> None:
    """So a client knows it; whatever it then does, nothing is registered."""
    async with graphql_site(tmp_path) as one:
        assert error(await by(documentId="nothing")(one))["code"] == "PERSISTED_QUERY_NOT_FOUND"
        text = "{ menu(team_id: 7) { dishes } }"
        hashed = {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}
        for _ in range(2):
            assert (await post(one, {"query": text, "extensions": hashed})).status == 400
            assert (await post(one, {"extensions": hashed})).status == 404


async def test_a_mutation_by_get_is_told_by_which_method(tmp_path: Path) -> None:
    """A GET never has effects, even for whoever may order."""
    async with graphql_site(tmp_path) as one:
        got = await one.ask(f"/graphql?documentId=lunch&variables={quote(msgspec.json.encode(ORDER).decode())}")
        assert (got.status, got.header("allow")) == (405, "POST")
        assert (await one.ask("/graphql/soup", "DELETE")).header("allow") == "GET, POST"
        assert one.cooked == []


async def test_a_problem_of_a_field_has_its_place_and_its_members(tmp_path: Path) -> None:
    """The first field's problem ends the document; its own status, and the place by the alias."""
    async with graphql_site(tmp_path) as one:
        got = await by(documentId="strange")(one)
    (found,) = got.json["errors"]
    assert (got.status, found["path"], found["extensions"]["type"]) == (409, ["first"], "urn:narrows:problem:odd")
    assert got.header("x-even") == "b"


async def test_a_fault_is_an_error_that_says_nothing(tmp_path: Path) -> None:
    """Neither its place in the document nor a word of the fault."""
    async with graphql_site(tmp_path, kitchen=lambda _: httpx.Response(200, text="anna earns 52000")) as one:
        got = await by(documentId="soup")(one)
    assert got.status == 502
    assert b"52000" not in got.body


async def test_wrong_variables_are_named_at_their_places(tmp_path: Path) -> None:
    """All of them at once, as the fields of a REST request are."""
    async with graphql_site(tmp_path) as one:
        got = await post(one, {"documentId": "soup", "variables": {"team_id": "seven", "more": 1}})
        assert {field["pointer"] for field in error(got)["errors"]} == {"/variables/team_id", "/variables/more"}
        got = await post(one, {"documentId": "soup"})
        assert [field["pointer"] for field in error(got)["errors"]] == ["/variables/team_id"]


async def test_rates_and_attempts_are_told_in_headers_and_errors(tmp_path: Path) -> None:
    """The headers of REST stay; who guesses ids runs into the bucket of attempts."""
    async with graphql_site(tmp_path, limits={"attempts": "3/minute"}) as one:
        assert (await by(documentId="soup")(one)).header("ratelimit") is not None
        assert [(await by(documentId="nothing")(one)).status for _ in range(3)] == [404, 404, 429]
        got = await by(documentId="soup")(one)
    assert got.header("retry-after") is not None
    assert error(got)["type"].endswith("quota-exceeded")


# --- who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
async def test_without_credentials_nobody_learns_which_documents_there_are(base: str, tmp_path: Path) -> None:
    """Known, unknown, ad hoc, a mutation by GET and what is no request at all: the same 401, and no body is read."""
    async with graphql_site(tmp_path) as one:
        told = set()
        for ask, *_ in REFUSED:
            if ask is BROKEN:
                continue  # is refused before anybody looks at credentials, as in REST
            got = await ask(_Anonymous(one, base))  # type: ignore[arg-type]  # it asks like a site
            body = msgspec.json.decode(got.body)
            body["errors"][0]["extensions"].pop("trace_id")
            told.add((got.status, got.header("www-authenticate"), msgspec.json.encode(body)))
        for name in DOCUMENTS:
            got = await one.ask(f"{base}/graphql/{name}?variables={QUERY}", token=None)
            body = got.json
            body["errors"][0]["extensions"].pop("trace_id")
            told.add((got.status, got.header("www-authenticate"), msgspec.json.encode(body)))
    assert [status for status, _, _ in told] == [401]


class _Anonymous(_Under):
    """The same without credentials; a body that is read is a failure."""

    async def ask(self, target: str, *args: Any, **how: Any) -> Got:
        """Ask under the base path."""

        async def never() -> Any:
            raise AssertionError("the body of a request without credentials was read")

        if args == ("POST",):
            how["receive"] = [never()]
        try:
            return await super().ask(target, *args, token=None, **how)
        finally:
            for waiting in how.get("receive", ()):
                waiting.close()


async def test_a_token_in_the_url_is_refused(tmp_path: Path) -> None:
    """RFC 6750, 2.3: it would stand in logs; where it stands is told with its own problem."""
    async with graphql_site(tmp_path) as one:
        for target in ("/graphql/soup?access_token=x", f"/graphql?documentId=soup&access%5Ftoken={one.token()}"):
            got = await one.ask(target, token=None)
            assert error(got)["type"] == "urn:narrows:problem:ambiguous-credentials"


async def test_a_web_socket_is_closed(tmp_path: Path) -> None:
    """No subscription, and no older protocol that begins without credentials."""
    async with graphql_site(tmp_path) as one:
        scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-ws"], "state": {}}
        sent = await one.exchange(scope, [{"type": "websocket.connect"}])
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


# --- a program that is being moved ----------------------------------------------------------------------------------


def climb(one: Site, documents: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the record of the till say how it may name documents."""
    find = one.app.plan.directory.find

    async def found(*who: str) -> Any:
        return msgspec.structs.replace(await find(*who), documents=documents)  # type: ignore[type-var]

    monkeypatch.setattr(one.app.plan.directory, "find", found)


@pytest.mark.parametrize("documents", ["match", "log"])
async def test_text_that_is_a_document_runs_where_the_record_says_so(
    documents: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, under the name of the document, and with all its guards."""
    async with graphql_site(tmp_path) as one:
        climb(one, documents, monkeypatch)
        assert (await by(query=SOUP)(one)).json == MENU
        assert (await by(query=SOUP, extensions=EXTENSIONS)(one)).json == MENU
        assert (await by(query=SOUP, variables={"team_id": 8})(one)).status == 403
        assert (await by(query=SOUP + " ")(one)).status == 400
        assert (await by(query=LUNCH, operationName="soup")(one)).status == 400
        assert [record["endpoint"] for record in one.records.calls()][:3] == ["cafe.soup"] * 3


@pytest.mark.parametrize(("documents", "told"), [("id", 0), ("match", 0), ("log", 2)])
async def test_text_that_is_none_is_put_down_of_a_program_that_is_logged(
    documents: str, told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused all the same; its values are not kept."""
    async with graphql_site(tmp_path) as one:
        climb(one, documents, monkeypatch)
        for team in (7, 123456):
            assert (await by(query=f"{{ menu(team_id: {team}) {{ dishes }} }}")(one)).status == 400
        events = [record for record in one.records.all() if record["event"] == "document"]
        assert len(events) == told
        assert all(event["connector"] == "till" for event in events)
        assert b"123456" not in b"".join(one.records.lines)
        assert one.cooked == []


# --- the surroundings -----------------------------------------------------------------------------------------------


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    """The deadline of a call holds before there is one."""
    async with graphql_site(tmp_path, limits={"call_s": 0.01}) as one:
        got = await one.ask("/graphql", "POST", headers=[("content-type", JSON)], receive=[])
        assert (got.status, error(got)["type"]) == (408, "urn:narrows:problem:request-timeout")


async def test_a_client_that_goes_away_cancels_a_query_by_post_too(tmp_path: Path) -> None:
    """Nobody needs it; that it was asked by POST makes no write of it."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> httpx.Response:
        begun.set()
        try:
            return await asyncio.Event().wait() or httpx.Response(500)
        finally:
            ended.set()

    async def leave() -> Any:
        await begun.wait()
        return {"type": "http.disconnect"}

    body = msgspec.json.encode({"documentId": "soup", "variables": TEAM})
    async with graphql_site(tmp_path, kitchen=lambda _: slow()) as one:
        with pytest.raises(ValueError, match="not enough values"):  # nothing is sent
            await one.ask("/graphql", "POST", body=body, receive=[{"type": "http.request", "body": body}, leave()])
        await ended.wait()
        (record,) = one.records.calls()
    assert (record["outcome"], record["status"], record["way"]) == ("cancelled", 499, "graphql")


async def test_the_gate_refuses_whatever_leads_to_it(tmp_path: Path) -> None:
    """Without a reason too: nothing else than a refusal is behind it."""
    async with graphql_site(tmp_path) as one:
        gate = one.app.plan.routes()["/graphql"]["GET"]

        async def nothing(_: int) -> bytes:
            return b""

        raw = Raw(headers={"authorization": [f"Bearer {one.token()}"]}, read_body=nothing)
        reply = await one.app.plan.call(gate, "live", raw, way="graphql", span=one.app.plan.telemetry.silent())
    assert (reply.status, b"document-required" in reply.body) == (400, True)


async def test_where_nothing_can_be_recorded_the_error_is_one_of_graphql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun, and a client of GraphQL can still read why."""
    async with graphql_site(tmp_path) as one:

        async def full() -> None:
            raise Unavailable()

        monkeypatch.setattr(one.app.plan.log, "room", full)
        got = await by(documentId="soup")(one)
    assert (got.status, got.header("retry-after"), error(got)["title"]) == (503, "5", "A part that is needed is away")
    assert one.cooked == []


async def test_a_record_that_cannot_be_written_takes_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that goes out in its place is one of GraphQL too."""
    async with graphql_site(tmp_path) as one:

        def broken(_: object) -> None:
            raise OSError

        monkeypatch.setattr(one.app.plan.log, "append", broken)
        monkeypatch.setattr(one.app.plan.log, "keep", broken)
        got = await by(documentId="soup")(one)
    assert (got.status, error(got)["status"]) == (503, 503)


async def test_a_way_to_a_document_that_skips_its_guards_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof asks by name, hash and text, in every mode, and not even the proof has an effect."""
    one = Site(bff=make_graphql_bff(tmp_path))

    async def lead(self: Any, incoming: Any) -> Any:
        entry, raw = await dispatch_lead(self, incoming)
        return msgspec.structs.replace(entry, steps=entry.steps[2:]), raw

    dispatch_lead = dispatch.Dispatch.lead
    monkeypatch.setattr(dispatch.Dispatch, "lead", lead)
    with pytest.raises(RuntimeError, match="guard-skipped"):
        async with running(one.app):
            pass
    assert one.cooked == []


def test_a_path_below_graphql_is_no_endpoint_s(tmp_path: Path) -> None:
    """Documents are there; a BFF without them may use it."""
    bff = make_graphql_bff(tmp_path)
    guards = {"roles": {"cook"}, "within": "team:{team_id}", "scope": "cafe", "rate": "9/minute", "uses": []}

    async def more(team_id: int) -> None:
        """More."""

    for made in (bff, plain := make_bff()):
        made.read("/graphql/{team_id}", **guards)(more)
    with pytest.raises(StartRefused) as caught:
        Site(bff=bff)
    assert "path-reserved" in {refusal.code for refusal in caught.value.refusals}
    Site(bff=plain)


async def test_without_graphql_its_paths_are_like_any_other(tmp_path: Path) -> None:
    """Nothing is there, which is told as elsewhere."""
    del tmp_path
    async with graphql_less() as one:
        for method in ("GET", "POST"):
            got = await one.ask("/graphql", method)
            assert (got.status, got.kind) == (404, "not-found")
        assert one.records.calls()[-1]["way"] == "rest"


async def test_what_a_client_has_to_change_is_told(tmp_path: Path) -> None:
    """Variables that are no JSON at their place; text of a registered document with the id in its place."""
    async with graphql_site(tmp_path) as one:
        pythonic = quote("{'team_id': 7}")
        broken = error(await one.ask(f"/graphql/soup?variables={pythonic}", "GET"))
        text = error(await by(query=SOUP)(one))
    assert broken["detail"] == "What stands at /variables is not valid JSON in UTF-8 (RFC 8259)."
    assert broken["remedy"].startswith("Send a JSON object there, ")
    assert text["remedy"].startswith("Send `documentId` in place of `query`: ")
    assert 'documents = "match"' in text["remedy"]
