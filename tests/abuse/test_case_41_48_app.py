"""Cases 41 to 48 through the whole application: targets, hosts, redirects, headers and methods."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest

from tests.abuse.attack import Got, Instead, ask, mirrored, post, to_upstreams
from tests.abuse.sockets import answer, upstream
from tests.abuse.wire import get, served
from tests.flow.world import BFF, World, world

NEW = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}

EVIL = {
    "dots": "..",
    "one dot": ".",
    "encoded dots": "%2e%2e",
    "half encoded dots": ".%2E",
    "dots and an encoded slash": "..%2f",
    "dots and a slash": "../teams",
    "dots and a backslash": "..%5cteams",
    "twice encoded dots": "%252e%252e",
    "twice encoded slash": "a%252fb",
    "dots with a parameter": "..;",
    "dots with a parameter, encoded": "..%3b",
    "a slash": "a/b",
    "an encoded slash": "a%2fb",
    "a parameter": ";x=1",
    "a query": "?x=1",
    "an encoded query": "a%3fx=1",
    "a fragment": "#f",
    "an encoded fragment": "a%23f",
    "NUL": "%00",
    "NUL behind": "7%00.json",
    "CRLF": "a%0d%0aX-Evil:%201",
    "LF": "a%0ab",
    "C1": "%c2%85",
    "a host": "//evil",
    "a URL": "http://evil",
    "an encoded URL": "http:%2f%2fevil",
    "a user": "@evil",
    "overlong": "%c0%ae",
    "surrogate": "%ed%a0%80",
    "half a character": "%e2%82",
    "half an escape": "%2",
    "no escape": "%zz",
    "a percent": "%25",
    "nothing": "",
    "a blank": "%20",
    "ten kilobytes": "x" * 10_240,
    "full width dots": "%ef%bc%8e%ef%bc%8e",
    "full width slash": "..%ef%bc%8f..",
    "right to left": "%e2%80%ae",
}
PLACES = [
    ("GET", "/teams/{}/dining-suggestions"),
    ("GET", "/teams/{}/bookings"),
    ("POST", "/teams/{}/bookings"),
    ("DELETE", "/bookings/{}"),
    ("GET", "/rehearsals/{}"),
]


@pytest.mark.parametrize("prefix", ["", "/rehearse", "/sandbox"])
async def test_case_41_no_typed_path_value_can_leave_its_place(prefix: str) -> None:
    """On every path parameter each hostile value is refused by its type or before, and nothing is sent anywhere."""
    async with world(limits={"attempts": "100000/minute"}) as w:
        token = w.token()
        for method, path in PLACES:
            for name, value in EVIL.items():
                target = prefix + path.format(value)
                body = msgspec.json.encode(NEW) if method == "POST" else b""
                got = await ask(
                    w.app,
                    target,
                    method,
                    token=token,
                    headers=[("content-type", "application/json")] * bool(body),
                    body=body,
                )
                assert got.status in (400, 404, 413, 429), (name, target, got)
        assert to_upstreams(w) == []
        assert w.bookings() == 0


async def test_case_41_a_free_path_value_is_one_encoded_segment() -> None:
    """Where the type lets everything through, the upstream's raw path has the value as one segment, or gets nothing."""
    async with mirrored() as (w, _):
        token = w.token()
        for value in EVIL.values():
            got = await ask(w.app, f"/things/{value}", token=token)
            check_sent(w, got, unquote(value))


async def test_case_41_a_value_of_the_body_is_one_encoded_segment() -> None:
    """A value that comes in the body, raw and decoded, cannot leave its segment either."""
    async with mirrored() as (w, _):
        token = w.token()
        for evil in EVIL.values():
            for value in {evil, unquote(evil), f"../{evil}", f"{evil}/.."}:
                got = await post(w.app, "/notes", {"name": value, "text": "x"}, token=token)
                check_sent(w, got, value)


def check_sent(w: World, got: Got, value: str) -> None:
    """Refused and nothing sent, or sent with exactly one segment that says exactly the value."""
    sent = to_upstreams(w)
    w.network.sent.clear()
    if got.status != 200:
        assert got.status in (400, 404, 413), value
        assert sent == [], value
        return
    assert len(sent) == 1
    for request in sent:
        path = request.url.raw_path.decode().removesuffix("/notes")
        assert path.startswith("/base/things/")
        segment = path.removeprefix("/base/things/")
        assert segment == quote(value, safe="")
        assert segment not in ("", ".", "..")
        assert (request.url.scheme, request.url.netloc) == ("https", b"mirror.test")


async def test_case_41_what_is_on_the_wire_is_what_was_encoded() -> None:
    """On a real socket the request line carries the same one segment: no library on the way makes it another path."""

    async def behave(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b'{"name":"x"}'))

    values = ["%252e%252e", "..%3b", "a%3fb", "a%23f", "@evil", "%25", "..%ef%bc%8f..", "a%20b", "%2e%2e%2e"]
    async with upstream(behave) as site:
        url = f"http://{site.netloc}"
        where = {"upstreams": {"mirror": {"url": url, "audience": "people-api"}}}
        async with mirrored(hosts={site.netloc: site.transport}, **where) as (w, _):
            for value in values:
                assert (await ask(w.app, f"/things/{value}", token=w.token())).status == 200
    assert site.targets == [f"/base/things/{quote(unquote(value), safe='')}" for value in values]


NOWHERE = [
    "http://evil.test/",
    "https://evil.test",
    "//evil.test/x",
    "https://mirror.test@evil.test/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://[::ffff:127.0.0.1]/",
    "http://169.254.169.254/latest/meta-data/",
    "rebind.test",
    "evil.test:443",
    "file:///etc/passwd",
    "\\\\evil.test\\x",
    "x&url=http://evil.test",
    "x#@evil.test",
]


async def test_case_42_no_value_changes_the_host() -> None:
    """Whatever a parameter called url, host or callback says, the request goes to the host of the settings."""
    async with mirrored() as (w, _):
        token = w.token()
        for value in NOWHERE:
            w.network.sent.clear()
            query = "&".join(f"{name}={quote(value, safe='')}" for name in ("url", "host", "callback"))
            forwarded = [("x-forwarded-host", value), ("forwarded", f"host={value}"), ("x-original-url", value)]
            got = await ask(w.app, f"/search?{query}", token=token, headers=forwarded)
            assert got.status == 200
            await ask(w.app, f"/things/{quote(value, safe='')}", token=token)
            await post(w.app, "/notes", {"name": value, "text": "x"}, token=token)
            assert {request.url.host for request in w.network.sent} <= {"issuer.test", "mirror.test"}
            (searched,) = [request for request in to_upstreams(w) if request.url.path == "/base/search"]
            assert searched.url.params.multi_items() == [("url", value), ("host", value), ("callback", value)]
            assert searched.headers["host"] == "mirror.test"


REDIRECTS = [
    ("302 Found", "http://{evil}/"),
    ("301 Moved", "//{evil}/"),
    ("307 Temporary", "https://{evil}/teams/7/bookings"),
    ("308 Permanent", "/elsewhere"),
    ("303 See Other", "http://{evil}/"),
    ("300 Multiple", "http://{evil}/"),
    ("304 Not Modified", ""),
]


@pytest.mark.parametrize(("status", "location"), REDIRECTS)
async def test_case_43_a_redirect_is_not_followed(status: str, location: str) -> None:
    """Neither to another host nor to plain HTTP nor back: 502, and nobody else is even connected to."""

    async def nothing(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(nothing) as evil:

        async def behave(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(b"", status, f"Location: {location.format(evil=evil.netloc)}"))

        async with upstream(behave) as site:
            url = f"http://{site.netloc}"
            hosts = {site.netloc: site.transport, evil.netloc: evil.transport}
            async with world(hosts=hosts, upstreams={"tables": {"url": url}}) as w:
                got = await ask(w.app, "/teams/7/bookings", token=w.token())
                assert (got.status, got.kind) == (502, "upstream-failed")
                assert evil.netloc.encode() not in got.body
        assert (len(site.requests), site.targets) == (1, ["/teams/7/bookings"])
    assert evil.connections == 0


async def test_case_43_the_token_endpoint_is_not_followed_either() -> None:
    """A redirect of the authorization server would carry the caller's token away: 503, and it is asked once."""
    async with world() as w:

        async def away(_: bytes) -> Any:
            return 307, {"location": "https://evil.test/token"}, b""

        w.network.add({"issuer.test": Instead(w.authority.app, "/token", away)})
        got = await ask(w.app, "/teams/7/bookings", token=w.token())
        assert (got.status, got.kind) == (503, "unavailable")
        assert {request.url.host for request in w.network.sent} == {"issuer.test"}


async def test_case_44_a_line_break_in_a_value_makes_no_header_and_no_empty_reply() -> None:
    """Over a socket a broken target is a 400 problem, and the same connection serves the next request."""
    async with world() as w, served(w.app) as site, site.client() as client:
        bearer = f"Authorization: Bearer {w.token()}"
        for target in (
            "/teams/7%0d%0aX-Evil:%201/bookings",
            "/teams/7/bookings?x=%0d%0aX-Evil:%201",
            "/rehearsals/a%0ab",
        ):
            await client.send(get(target, bearer))
            got = await client.answer()
            assert got.status == 400
            assert got.problem["status"] == 400
            assert "x-evil" not in got.headers
        await client.send(get("/teams/7/bookings", bearer))
        assert (await client.answer()).status == 200


async def test_case_44_a_line_break_in_a_text_stays_in_its_text() -> None:
    """A note with line breaks goes upstream as JSON and comes back as JSON, and no header of either has it."""
    async with world() as w:
        note = "a\r\nX-Evil: 1\r\n\r\n{}\u2028\u0085"
        got = await post(w.app, "/teams/7/bookings", {**NEW, "note": note}, token=w.token())
        assert got.status == 201
        assert msgspec.json.decode(got.body)["note"] == note
        (sent,) = [request for request in w.network.to("tables.test") if request.method == "POST"]
        assert msgspec.json.decode(sent.content)["note"] == note
        assert not any("evil" in f"{name}{value}" for name, value in [*got.headers, *sent.headers.items()])


CONFUSING = [
    ("x-forwarded-user", "olga"),
    ("x_forwarded_user", "olga"),
    ("x-forwarded-uri", "/health"),
    ("x-original-url", "/health"),
    ("x-rewrite-url", "/health"),
    ("x-original-uri", "/health"),
    ("x-http-method-override", "DELETE"),
    ("x-http-method", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-forwarded-for", "10.0.0.1"),
    ("forwarded", "for=10.0.0.1;host=evil.test;proto=http"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-prefix", "/rehearse"),
    ("x-real-ip", "10.0.0.1"),
    ("connection", "authorization"),
    ("connection", "close, authorization, host"),
    ("x-connector", "page"),
    ("x-client-id", "where2eat-page"),
    ("x-tenant", "other"),
    ("cookie", "session=canary-cookie"),
    ("x-narrows-mode", "live"),
    ("x-dry-run", "true"),
    ("authorization_", "Bearer x"),
    ("proxy-authorization", "Bearer x"),
    ("te", "trailers"),
    ("origin", "https://evil.test"),
]


VOLATILE = ("trace_id", "time", "duration_ms", "rehearsal")


async def test_case_45_a_header_changes_neither_route_nor_identity() -> None:
    """With the header and without: the same answer and the same record; without a token it is still 401."""
    async with world() as w:
        for name, value in CONFUSING:
            w.clock.move(61)
            token = w.token()
            for target in ("/teams/7/bookings", "/teams/8/bookings", "/rehearse/teams/7/bookings"):
                plain = await ask(w.app, target, token=token)
                odd = await ask(w.app, target, token=token, headers=[(name, value)])
                assert (odd.status, *without_links(odd)) == (plain.status, *without_links(plain)), name
                first, second = ({k: v for k, v in r.items() if k not in VOLATILE} for r in w.records.calls()[-2:])
                assert first == second, name
            assert (await ask(w.app, "/teams/7/bookings", headers=[(name, value)])).status == 401, name
        for request in to_upstreams(w):
            assert set(request.headers) <= {"host", "accept", "accept-encoding", "authorization"}


def without_links(got: Got) -> tuple[Any, ...]:
    """Headers and body, but for what names this one call, and what counts calls."""
    body = got.problem if got.status >= 400 else got.body
    return [header for header in got.headers if header[0] not in ("link", "ratelimit")], body


HOSTS = [
    "x/admin?",
    "evil.test",
    "bff.test.evil.test",
    "bff.test:8443",
    "bff.test@evil.test",
    "",
    "bff.test, evil.test",
    "bff.test ",
]


async def test_case_46_another_host_is_refused() -> None:
    """A host that is not served is 421 or 400, whatever path and token come with it, and nothing repeats it."""
    async with world() as w:
        for host in HOSTS:
            for target in ("/teams/7/bookings", "/health", "/nowhere"):
                got = await ask(w.app, target, token=w.token(), host=host)
                assert (got.status, got.kind) in ((421, "wrong-host"), (400, "malformed-request"))
                assert b"evil" not in got.body + str(got.headers).encode()
        assert to_upstreams(w) == []
        assert (await ask(w.app, "/health", host=None)).status == 400
        assert (await ask(w.app, "/health", headers=[("host", "bff.test")])).status == 400


async def test_case_46_no_link_is_built_from_the_host() -> None:
    """On an accepted second name the challenge, the contract, the metadata and the links name the public URL."""
    async with world(accepted=("bff.test", "alias.test")) as w:
        token, odd = w.token(), [("x-forwarded-host", "evil.test"), ("x-forwarded-proto", "http")]
        for host in ("bff.test", "alias.test", "ALIAS.test"):
            missing = await ask(w.app, "/teams/7/bookings", host=host, headers=odd)
            assert f'resource_metadata="{BFF}/.well-known' in (missing.header("www-authenticate") or "")
            rehearsed = await ask(w.app, "/rehearse/teams/7/bookings", token=token, host=host, headers=odd)
            assert (rehearsed.header("link") or "").startswith(f"<{BFF}/rehearse/rehearsals/")
            for target in ("/openapi.json", "/.well-known/oauth-protected-resource", "/"):
                got = await ask(w.app, target, host=host, headers=odd)
                assert got.status == 200
                assert b"alias" not in got.body.lower()
                assert b"evil" not in got.body


SMUGGLED = (
    "POST /teams/7/bookings HTTP/1.1\r\nHost: bff.test\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: {length}", "Transfer-Encoding: chunked"],
        ["Content-Length: 0", "Content-Length: {length}"],
        ["Content-Length: 0", "Transfer-Encoding : chunked"],
        ["X-A: b", " Transfer-Encoding: chunked", "Content-Length: 5"],
    ],
)
async def test_case_47_a_smuggled_booking_is_not_made(lines: list[str]) -> None:
    """A request with two readings is 400 and the end of the connection: the booking hidden behind it never happens."""
    async with world() as w, served(w.app) as site, site.client() as client:
        body = msgspec.json.encode(NEW).decode()
        hidden = SMUGGLED.format(token=w.token(), length=len(body), body=body)
        head = ["POST /rehearse/teams/7/bookings HTTP/1.1", "Host: bff.test", f"Authorization: Bearer {w.token()}"]
        head += ["Content-Type: application/json", *(line.format(length=len(hidden) + 5) for line in lines), "", ""]
        await client.send(("\r\n".join(head) + "0\r\n\r\n" + hidden).encode())
        assert (await client.answer()).status == 400
        assert await client.rest() == b""
        assert w.bookings() == 0
        assert to_upstreams(w) == []
        assert w.records.calls() == []


METHODS = ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PUT", "post", "Delete", "get", "PROPFIND", "X" * 40, ""]
ALLOW = {
    "/teams/7/bookings": "GET, POST",
    "/bookings/booking-1": "DELETE",
    "/teams/7/dining-suggestions": "GET",
    "/health": "GET",
    "/openapi.json": "GET",
    "/rehearsals": "GET",
}


async def test_case_48_a_method_that_is_not_declared_is_405() -> None:
    """Under every base path: 405 with the methods that there are, no CORS, and nothing has happened."""
    async with world() as w:
        token = w.token()
        for method, prefix in itertools.product(METHODS, ("", "/rehearse", "/sandbox")):
            for (path, allow), credentials in itertools.product(ALLOW.items(), (None, token)):
                got = await ask(w.app, prefix + path, method, token=credentials, headers=[("origin", BFF)])
                assert (got.status, got.kind) == (405, "method-not-allowed")
                assert got.header("allow") == allow
                assert not any(name.startswith("access-control") for name, _ in got.headers)
        assert to_upstreams(w) == []


VARIANTS = [
    "/teams/7/bookings/",
    "/teams/7/bookings//",
    "//teams/7/bookings",
    "/teams//7/bookings",
    "/Teams/7/bookings",
    "/TEAMS/7/BOOKINGS",
    "/teams/7/bookings.json",
    "/teams/7/bookings;v=1",
    "/teams/7;v=1/bookings",
    "/teams/7/bookings%20",
    "/teams/7/bookings%00",
    "/teams/7/./bookings",
    "/teams/8/../7/bookings",
    "/teams/7%2fbookings",
    "/teams/7\\bookings",
    "/teams/7/bookings/%2e",
    "/%74eams/7/bookings",
    "/teams/7/bookings?",
    "/teams/7/bookings?x=1",
    "/teams/7/bookings#x",
    "https://bff.test/teams/7/bookings",
    "*",
    "teams/7/bookings",
    "",
]


async def test_case_48_a_variant_of_a_path_skips_no_guard() -> None:
    """A path written otherwise leads nowhere, or to the same guards: no token is 401, another team's is 403."""
    async with world() as w:
        for target in VARIANTS:
            w.clock.move(61)
            token = w.token("olga")
            assert (await ask(w.app, target)).status in (400, 401, 404), target
            assert (await ask(w.app, target, token=token)).status in (400, 403, 404), target
            assert (await post(w.app, target, NEW, token=token)).status in (400, 403, 404), target
        assert w.bookings() == 0
        assert to_upstreams(w) == []


async def test_case_48_head_has_no_body_on_the_wire() -> None:
    """HEAD is a 405 without a body, and the connection goes on with the next request."""
    async with world() as w, served(w.app) as site, site.client() as client:
        await client.send(b"HEAD /teams/7/bookings HTTP/1.1\r\nHost: bff.test\r\n\r\n")
        got = await client.answer(with_body=False)
        assert (got.status, got.headers["allow"]) == (405, "GET, POST")
        await client.send(get("/health"))
        assert (await client.answer()).status == 200
