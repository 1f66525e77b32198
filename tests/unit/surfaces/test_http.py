import asyncio
from typing import Any

import httpx
import pytest

from narrows.settings import Settings
from narrows.surfaces import http
from narrows.surfaces.http import Application
from narrows.testing import running
from tests.unit.surfaces.site import Site, make_bff, make_settings, site

MENU = "/teams/7/menu"
ORDERS = "/teams/7/orders"
ORDER = b'{"dish":"soup"}'
DISCONNECT = {"type": "http.disconnect"}


# --- requests and replies -------------------------------------------------------------------------------------------


async def test_a_read_is_answered_with_json_for_its_caller_alone() -> None:
    """The declared fields, a length, and no cache that keeps them."""
    async with site() as one:
        got = await one.ask(MENU)
    assert (got.status, got.json) == (200, {"dishes": ["soup"]})
    headers = dict(got.headers)
    limits = [headers.pop("ratelimit-policy").partition(";pk")[0], headers.pop("ratelimit").partition(";pk")[0]]
    assert limits == ['"1000/minute per caller";q=1000;w=60', '"1000/minute per caller";r=999;t=60']
    assert headers == {
        "content-type": "application/json",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "content-length": str(len(got.body)),
    }


async def test_a_write_is_answered_with_its_status() -> None:
    """The body arrives whole, in however many pieces it came."""
    async with site() as one:
        pieces = [
            {"type": "http.request", "body": ORDER[:5], "more_body": True},
            {"type": "http.request", "body": ORDER[5:]},
        ]
        got = await one.ask(ORDERS, "POST", body=ORDER, receive=pieces)
    assert (got.status, got.json) == (201, {"text": "soup"})
    assert one.cooked[0].content == ORDER


async def test_the_base_path_is_the_mode() -> None:
    """A rehearsed order is not cooked, and says where to read of it."""
    async with site() as one:
        for mode in ("rehearse", "sandbox"):
            got = await one.ask(f"/{mode}{ORDERS}", "POST", body=ORDER)
            link = got.header("link") or ""
            assert (got.status, got.json) == (201, {"text": "soup"})
            assert link.startswith(f"<https://bff.test/{mode}/rehearsals/")
            document = await one.ask(link[len("<https://bff.test") : link.index(">")])
            assert [effect["operation"] for effect in document.json["effects"]] == ["Kitchen.order"]
            assert document.header("cache-control") == "private, no-store"
    assert one.cooked == []


async def test_what_stands_in_the_path_is_decoded_once() -> None:
    """A percent sign that was sent as one stays one."""
    async with site() as one:
        for sent, text in (
            ("%2541", "%41"),
            ("%C3%A9", "\u00e9"),
            ("a;b=c", "a;b=c"),
            ("%3Fx%23y", "?x#y"),
            ("+", "+"),
        ):
            got = await one.ask(f"/teams/7/echo/{sent}?note=n")
            assert (got.status, got.json["text"]) == (200, f"{text}|n")


async def test_the_query_is_decoded_once() -> None:
    """And a plus is a space."""
    async with site() as one:
        got = await one.ask("/teams/7/echo/a?note=b+c%2Bd%2541")
    assert got.json["text"] == "a|b c+d%41"


async def test_a_server_without_raw_path_gives_a_path_that_was_decoded() -> None:
    """It is not decoded again."""
    async with site() as one:
        for raw in ({"raw_path": None}, {"raw_path": b""}):
            got = await one.ask("/", path="/teams/7/echo/%41 :@", **raw)
            assert got.json["text"] == "%41 :@|"


async def test_a_peer_without_address_is_served() -> None:
    """A Unix socket has none."""
    async with site() as one:
        assert (await one.ask(MENU, client=None)).status == 200
    assert one.records.all()[-1]["peer"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "X_Forwarded_User",
        "X-Forwarded-User",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "Forwarded",
        "Connection",
        "Host_",
    ],
)
async def test_headers_of_others_have_no_effect(name: str) -> None:
    """Neither on who calls, nor on what, nor on the record."""
    async with site() as one:
        plain = await one.ask(MENU)
        got = await one.ask(MENU, headers=[(name.lower(), "authorization, eve, POST, /teams/8/menu")])
        record, other = one.records.all()
    assert (got.status, got.body) == (plain.status, plain.body)
    # How much of the rate is left counts down.
    assert [h for h in got.headers if h[0] != "ratelimit"] == [h for h in plain.headers if h[0] != "ratelimit"]
    assert {k: v for k, v in record.items() if k != "trace_id"} == {k: v for k, v in other.items() if k != "trace_id"}


async def test_a_header_name_with_an_underscore_is_another_name() -> None:
    """No server of ours makes a dash of it."""
    async with site() as one:
        got = await one.ask(
            ORDERS, "POST", body=ORDER, headers=[("content_encoding", "gzip"), ("idempotency_key", "x")]
        )
    assert got.status == 201


# --- what leads nowhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "POST", "PUT", "get", "Get", "BREW", "QUERY", ""]
)
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_a_method_that_is_not_declared_is_a_405(method: str, base: str) -> None:
    """With those that are, in every mode, with a trace id and a record."""
    async with site() as one:
        got = await one.ask(f"{base}{MENU}", method)
    assert (got.status, got.kind, got.header("allow")) == (405, "method-not-allowed", "GET")
    [record] = one.records.all()
    assert (record["status"], record["trace_id"], record["mode"]) == (405, got.json["trace_id"], base[1:] or "live")
    assert one.cooked == []


async def test_the_methods_of_a_path_are_all_named() -> None:
    """A write's too."""
    async with site() as one:
        assert (await one.ask(ORDERS)).header("allow") == "POST"
        assert (await one.ask("/health", "POST", token=None)).header("allow") == "GET"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nowhere", 404),
        ("/", 404),
        ("/teams/7", 404),
        ("/teams/7/menu/", 404),
        ("/teams/7/menu.json", 404),
        ("/Teams/7/menu", 404),
        ("/teams/7/MENU", 404),
        ("/rehearse", 404),
        ("/rehearse/", 404),
        ("/Rehearse/teams/7/menu", 404),
        ("/%72ehearse/teams/7/menu", 404),
        ("/sandbox/rehearse/teams/7/menu", 404),
        ("/rehearse//teams/7/menu", 400),
        ("/rehearse/../teams/7/menu", 400),
        ("/teams//7/menu", 400),
        ("/teams/7%2fmenu", 400),
        ("/teams/%2e%2e/menu", 400),
        ("/teams/7/menu\x00", 400),
        ("/teams/7/menu?a=%", 400),
        ("/teams/7/menu?a=%zz", 400),
        ("/teams/7/menu?a=%ff", 400),
        ("/teams/7/menu?a=%00", 400),
        ("/teams/7/menu?a=%c2%85", 400),
        ("/teams/7/menu?" + "a" * 9000, 413),
        ("/" + "a" * 9000, 413),
    ],
)
async def test_what_never_became_a_call_is_a_problem_with_a_record(target: str, status: int) -> None:
    """Whoever sent it; nothing is cooked."""
    async with site() as one:
        got = await one.ask(target)
    assert got.status == status
    assert got.kind in ("not-found", "malformed-request", "content-too-large")
    assert (got.header("cache-control"), got.header("x-content-type-options")) == ("private, no-store", "nosniff")
    [record] = one.records.all()
    assert (record["status"], record["trace_id"], record["endpoint"]) == (status, got.json["trace_id"], "")
    assert one.cooked == []


@pytest.mark.parametrize(
    ("host", "status"),
    [("bff.test", 200), ("BFF.test", 200), ("evil.test", 421), ("bff.test:443", 421), ("x/admin?", 421), (None, 400)],
)
async def test_another_host_is_not_served(host: str | None, status: int) -> None:
    """A link or a challenge is never made of it."""
    async with site() as one:
        got = await one.ask("/health", token=None, host=host)
        assert got.status == status
        denied = await one.ask(MENU, token=None, headers=[("x-forwarded-host", "evil.test")])
    assert b"evil" not in got.body + denied.body
    assert "evil" not in str(denied.headers)


async def test_two_hosts_and_large_headers_are_refused() -> None:
    """Before anything is routed."""
    async with site() as one:
        assert (await one.ask("/health", headers=[("host", "bff.test")])).status == 400
        assert (await one.ask("/health", headers=[("x", "y" * 40_000)])).status == 413


async def test_hosts_can_be_named() -> None:
    """A BFF behind a proxy has more names than its public one."""
    async with site(hosts=["Inner.test:8443"]) as one:
        assert (await one.ask("/health", host="inner.test:8443")).status == 200
        assert (await one.ask("/health", host="bff.test")).status == 421


async def test_a_fault_outside_the_pipeline_is_a_500_that_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The operators read where it was, and the record is there."""
    async with site() as one:

        async def fail(*_: Any, **__: Any) -> None:
            raise LookupError("anna earns 52000")

        one.app.plan.call = fail  # type: ignore[method-assign]  # a fault where none should be
        got = await one.ask("/health", token=None)
    assert (got.status, got.kind) == (500, "internal-error")
    assert b"52000" not in got.body
    assert "a request failed outside the pipeline: LookupError" in caplog.text
    assert "52000" not in caplog.text
    assert one.records.all()[-1]["status"] == 500


# --- bodies ---------------------------------------------------------------------------------------------------------


async def test_a_body_that_grows_over_its_cap_is_refused_while_it_is_read() -> None:
    """Whatever its announced length was; what follows is not read."""
    read: list[int] = []

    def pieces() -> Any:
        for number in range(1000):
            read.append(number)
            yield {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async with site() as one:
        got = await one.ask(ORDERS, "POST", headers=[("content-type", "application/json")], receive=pieces())
    assert (got.status, got.kind) == (413, "content-too-large")
    assert len(read) == 66


async def test_a_body_that_ends_early_is_malformed() -> None:
    """The client went away in its midst; nothing is cooked."""
    async with site() as one:
        pieces = [{"type": "http.request", "body": ORDER[:5], "more_body": True}, DISCONNECT]
        got = await one.ask(ORDERS, "POST", body=ORDER, receive=pieces)
    assert (got.status, got.kind) == (400, "malformed-request")
    assert one.cooked == []


async def test_nobody_reads_the_body_of_a_stranger() -> None:
    """Without a token it stays where it is."""

    def pieces() -> Any:
        raise AssertionError("the body was read")
        yield

    async with site() as one:
        assert (await one.ask(ORDERS, "POST", token=None, body=ORDER, receive=pieces())).status == 401


# --- replies --------------------------------------------------------------------------------------------------------


async def test_no_value_can_begin_another_header() -> None:
    """The header that could is left out; the others go along."""
    async with site() as one:
        got = await one.ask("/teams/7/odd")
    assert (got.status, got.kind, got.json["detail"]) == (409, "odd", "x\r\ny")
    assert (got.header("x-odd"), got.header("x-even")) == (None, "b")
    assert "stolen" not in str(got.headers)


@pytest.mark.parametrize(
    ("target", "token", "status"),
    [(MENU, "", 200), (MENU, None, 401), ("/teams/8/menu", "", 403), ("/rehearsals", "", 200), ("/nowhere", "", 404)],
)
async def test_no_cache_keeps_what_is_for_one_caller(target: str, token: str | None, status: int) -> None:
    """Answers and problems alike."""
    async with site() as one:
        got = await one.ask(target, token=token)
    assert (got.status, got.header("cache-control")) == (status, "private, no-store")


# --- clients that go away -------------------------------------------------------------------------------------------


class Slow:
    """A kitchen that takes its time."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.begun.set()
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended.set()
        return httpx.Response(200, json={"dishes": []})


async def gone(one: Site, kitchen: Slow, target: str, *messages: Any) -> list[Any]:
    """What is sent to a client that goes away once the kitchen has begun."""

    async def leave() -> Any:
        await kitchen.begun.wait()
        return DISCONNECT

    sent: list[Any] = []
    real = one.app

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            sent.append(message)

        await real(scope, receive, note)

    one.app = noting  # type: ignore[assignment]  # what goes out is looked at, also when nothing does
    with pytest.raises(ValueError, match="not enough values"):
        await one.ask(target, receive=[*messages, leave()])
    return sent


@pytest.mark.parametrize("messages", [[], [{"type": "http.request", "body": b"", "more_body": False}]])
@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_a_client_that_goes_away_ends_its_read(base: str, messages: list[Any]) -> None:
    """The request upstream is cancelled, the record says so, and nothing is answered."""
    kitchen = Slow()
    async with site(kitchen) as one:
        assert await gone(one, kitchen, base + MENU, *messages) == []
    assert kitchen.cancelled
    [record] = one.records.all()
    assert (record["outcome"], record["status"]) == ("cancelled", 499)


async def test_a_client_that_goes_away_does_not_end_its_write() -> None:
    """Half a write is worse than one that nobody waits for."""
    kitchen = Slow()
    async with site(kitchen) as one:
        task = asyncio.create_task(
            one.ask(ORDERS, "POST", body=ORDER, receive=[{"type": "http.request", "body": ORDER}, DISCONNECT])
        )
        await kitchen.begun.wait()
        kitchen.ready.set()
        assert (await task).status == 201
    assert not kitchen.cancelled
    assert one.records.all()[-1]["effects"] == ["Kitchen.order"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.request", "body": b"", "more_body": False}],
        [{"type": "http.request", "body": b"", "more_body": True}, {"type": "http.request"}],
        [{"type": "http.request"}, {"type": "http.request"}],
        [{"type": "http.request"}] * 5,
    ],
)
async def test_a_client_that_stays_gets_its_answer(messages: list[Any]) -> None:
    """Whatever its server tells of a body that is empty."""
    async with site() as one:
        assert (await one.ask(MENU, receive=messages)).status == 200


async def test_a_server_that_stops_ends_the_call() -> None:
    """A call that is cancelled from outside stays cancelled, and is recorded."""
    kitchen = Slow()
    async with site(kitchen) as one:
        task = asyncio.create_task(one.ask(MENU))
        await kitchen.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await kitchen.ended.wait()
    assert kitchen.cancelled
    assert [record["outcome"] for record in one.records.all()] == ["cancelled"]


# --- other scopes, the start and the end ----------------------------------------------------------------------------


async def test_a_websocket_is_closed_before_it_is_one() -> None:
    """There is no such way in; the refusal is recorded."""
    async with site() as one:
        scope = {"type": "websocket", "path": MENU, "headers": [(b"host", b"bff.test")], "client": ("192.0.2.1", 1)}
        sent = await one.exchange(scope, [{"type": "websocket.connect"}])
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    [record] = one.records.all()
    assert (record["status"], record["outcome"], record["peer"]) == (404, "refused", "192.0.2.1")


async def test_an_unknown_scope_is_an_error() -> None:
    """As ASGI wants it."""
    with pytest.raises(ValueError, match="'telepathy'"):
        await Site().exchange({"type": "telepathy"}, [])


async def test_a_start_that_is_refused_tells_its_reasons_and_no_stack() -> None:
    """The operator reads what to do, and not where in the code it was found."""
    one = Site(issuers={"corp": {"url": "https://issuer.test/other"}})
    with pytest.raises(RuntimeError) as caught:
        async with running(one.app):
            raise AssertionError("it started")
    said = str(caught.value)
    assert "declaration(s) are not safe to start" in said
    assert "remedy:" in said
    assert "Traceback" not in said


async def test_a_start_that_fails_otherwise_says_how() -> None:
    """A fault of the framework is not dressed up."""
    one = Site()

    async def fail() -> None:
        raise LookupError("broken")

    one.app.plan.start = fail  # type: ignore[method-assign]  # a fault where none should be
    with pytest.raises(RuntimeError, match="LookupError"):
        async with running(one.app):
            raise AssertionError("it started")


async def test_stopping_closes_what_was_opened() -> None:
    """Connections do not outlive the application."""
    closed: list[str] = []
    one = Site()
    close = one.app.plan.close

    async def note() -> None:
        closed.append("plan")
        await close()

    one.app.plan.close = note  # type: ignore[method-assign]  # it is only counted
    async with running(one.app):
        assert closed == []
    assert closed == ["plan"]


def test_app_reads_the_settings_that_lie_beside_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team writes `app = narrows.app(bff)`."""
    (tmp_path / "narrows.toml").write_text(
        """
        public_url = "https://bff.test"
        environment = "development"
        [issuers.corp]
        url = "https://issuer.test"
        audience = "cafe-api"
        roles = [{ claim = "teams", role = "cook", domain = "team:{value}" }]
        [upstreams.kitchen]
        url = "https://kitchen.test"
        identity = "none"
        """,
        encoding="utf-8",
    )
    bff = make_bff()
    monkeypatch.setattr(bff, "folder", tmp_path)
    assert isinstance(http.app(bff), Application)
    settings: Settings = make_settings()
    assert http.app(make_bff(), settings).plan.settings is settings


async def test_the_environment_cannot_switch_on_what_shows_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the web framework are not read."""
    around = Site().around
    monkeypatch.setenv("LITESTAR_DEBUG", "1")
    monkeypatch.setenv("LITESTAR_PDB", "1")
    litestar = Application(make_bff(), make_settings(), around)._litestar
    assert (litestar.debug, litestar.pdb_on_exception) == (False, False)
