"""Cases 68 and 69: nothing of one caller stays in a cache, and no secret in anything that is written."""

from __future__ import annotations

import base64
import io
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from narrows import Surroundings
from narrows.audit.diagnostics import install_json_logging
from narrows.errors import SettingsError
from narrows.settings import load_settings
from narrows.settings.absent import secrets_of
from narrows.surfaces.http import Application
from narrows.testing import serving
from tests.abuse.attack import Got, ask, post, to_upstreams
from tests.abuse.victim import SETTINGS, Host, attacked, victim
from tests.flow.world import ISSUER, World, make_settings

Attacked = tuple[World, Host]
BASES = ["", "/rehearse", "/sandbox"]
PRIVATE = "private, no-store"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept() -> AsyncIterator[Attacked]:
    """One world for all of case 68."""
    async with attacked(limits={"body_bytes": 1000, "unverified": "5/minute"}) as made:
        yield made


# --- case 68 --------------------------------------------------------------------------------------------------------


def private(got: Got, *statuses: int) -> None:
    """An answer that no cache may keep, and that says so once."""
    assert got.status in statuses, (got.status, got.body)
    assert got.header("cache-control") == PRIVATE, got.headers
    names = {name for name, _ in got.headers}
    assert not names & {"etag", "last-modified", "expires", "age", "set-cookie", "access-control-allow-origin"}
    assert got.header("x-content-type-options") == "nosniff"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("base", BASES)
async def test_case_68_no_answer_of_a_caller_may_be_kept(kept: Attacked, base: str) -> None:
    """Each answer and each problem that depends on who asks carries `private, no-store`, under each base path."""
    world, _ = kept
    token, none = world.token(), world.token(scope="dining:book")
    private(await ask(world.app, f"{base}/items/1", token=token), 200)
    private(await post(world.app, f"{base}/parcels", {"text": "x"}, token=token), 200)
    private(await ask(world.app, f"{base}/items/1", "DELETE", token=token), 204, 502)
    private(await ask(world.app, f"{base}/rehearsals", token=token), 200)
    private(await ask(world.app, f"{base}/rehearsals/none", token=token), 404)
    private(await ask(world.app, f"{base}/items/1?x=1", token=token), 400)
    private(await ask(world.app, f"{base}/items/1", token=token, headers=[("authorization", "Bearer x")]), 400)
    private(await ask(world.app, f"{base}/items/1"), 401)
    private(await ask(world.app, f"{base}/items/1", token="x.y.z"), 401)
    private(await ask(world.app, f"{base}/items/1", token=none), 403)
    private(await ask(world.app, f"{base}/nowhere", token=token), 404)
    private(await ask(world.app, f"{base}/items/1", "PUT", token=token), 405)
    private(await ask(world.app, f"{base}/items/1", "HEAD", token=token), 405)
    private(await post(world.app, f"{base}/parcels", {"text": "x" * 2000}, token=token), 413)
    private(await ask(world.app, f"{base}/parcels", "POST", token=token, body=b"x"), 415)
    private(await ask(world.app, f"{base}/items/1", token=token, host="evil.test"), 421)
    private(await ask(world.app, f"{base}/faults", token=token), 500)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("status", "wanted"), [(410, 404), (500, 502), (302, 502), (429, 503), (503, 503)])
async def test_case_68_no_failure_of_an_upstream_may_be_kept(kept: Attacked, status: int, wanted: int) -> None:
    """What an upstream says about keeping its answer never reaches a client."""
    world, host = kept
    host.status = status
    host.headers += [(b"cache-control", b"public, max-age=3600"), (b"etag", b'"1"'), (b"set-cookie", b"a=b")]
    try:
        private(await ask(world.app, "/items/1", token=world.token()), wanted)
    finally:
        host.reset()


@pytest.mark.asyncio(loop_scope="module")
async def test_case_68_a_good_answer_of_an_upstream_brings_no_header_along(kept: Attacked) -> None:
    """A upstream's permission to keep an answer is its own; here it is the caller's alone."""
    world, host = kept
    host.headers += [(b"cache-control", b"public"), (b"set-cookie", b"a=b"), (b"x-canary", b"c"), (b"vary", b"*")]
    try:
        got = await ask(world.app, "/items/1", token=world.token())
    finally:
        host.reset()
    private(got, 200)
    assert {name for name, _ in got.headers} == {
        "content-type", "cache-control", "x-content-type-options", "content-length", "ratelimit-policy", "ratelimit",
    }  # fmt: skip


async def test_case_68_a_refusal_for_too_much_may_not_be_kept() -> None:
    """A 429 is one caller's too, whether the attempts or the tokens of an address are used up."""
    async with attacked(limits={"attempts": "1/minute", "unverified": "1/minute"}) as (world, _):
        token = world.token()
        private(await ask(world.app, "/items/1", token=token), 200)
        private(await ask(world.app, "/items/1", token=token), 429)
        private(await ask(world.app, "/items/1", token="x.y.z", peer="192.0.2.1"), 401)
        private(await ask(world.app, "/items/1", token="x.y.z", peer="192.0.2.1"), 429)


PUBLIC = ("/openapi.json", "/.well-known/oauth-protected-resource", "/health")
UNKEYED = [
    ("x-forwarded-host", "evil.test"), ("x-forwarded-proto", "http"), ("x-forwarded-for", "192.0.2.7"),
    ("x-forwarded-port", "1"), ("x-forwarded-prefix", "/evil"), ("x-forwarded-scheme", "http"),
    ("forwarded", "host=evil.test;proto=http"), ("x-host", "evil.test"), ("x-original-url", "/evil"),
    ("x-rewrite-url", "/evil"), ("x-http-method-override", "DELETE"), ("x-original-host", "evil.test"),
    ("accept", "text/html"), ("accept-language", "de"), ("accept-encoding", "gzip, br"), ("accept-charset", "utf-16"),
    ("user-agent", "canary"), ("referer", "https://evil.test/"), ("origin", "https://evil.test"),
    ("cookie", "session=canary"), ("range", "bytes=0-1"), ("if-none-match", "*"), ("if-modified-since", "canary"),
    ("if-range", '"x"'), ("if-match", '"x"'), ("expect", "canary"), ("prefer", "return=minimal"), ("via", "1.1 evil"),
    ("x-narrows-mode", "rehearse"), ("dry-run", "true"), ("x-user", "root"), ("pragma", "x"), ("te", "trailers"),
    ("cache-control", "only-if-cached"), ("x-tenant", "other"), ("sec-fetch-site", "cross-site"), ("dnt", "1"),
]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "path",
    ["/items/1", "/nowhere", "/items/1?x=1", "/openapi.json", "/.well-known/oauth-protected-resource", "/health"],
)
async def test_case_68_no_unkeyed_header_changes_an_answer(kept: Attacked, path: str) -> None:
    """What a shared cache does not key on changes neither status nor body nor headers, alone or together."""
    world, _ = kept
    token = world.token()

    async def one(*headers: tuple[str, str]) -> tuple[int, list[tuple[str, str]], Any]:
        got = await ask(world.app, path, token=token, headers=headers)
        body = msgspec.json.decode(got.body)
        body.pop("trace_id", None)
        # How much of the rate is left counts down, whatever the header.
        return got.status, [header for header in got.headers if header[0] not in ("content-length", "ratelimit")], body

    plain = await one()
    for header in UNKEYED:
        assert await one(header) == plain, header
    assert await one(*UNKEYED) == plain


@pytest.mark.asyncio(loop_scope="module")
async def test_case_68_public_documents_are_the_same_for_everybody(kept: Attacked) -> None:
    """What a cache may keep holds nothing of the one who asked: with a token, a bad one or none, the same bytes."""
    world, _ = kept
    for path in PUBLIC:
        answers = [
            await ask(world.app, path),
            await ask(world.app, path, token=world.token()),
            await ask(world.app, path, token=world.token("ben")),
            await ask(world.app, path, token="junk"),
        ]
        assert {got.status for got in answers} == {200}
        assert len({got.body for got in answers}) == 1
        assert {got.header("cache-control") for got in answers} <= {"no-cache", PRIVATE}


# --- case 69 --------------------------------------------------------------------------------------------------------

CANARY = "canary-7f3a"
HOST = "depot-canary-7f3a.test"


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What the framework says to its operators, as `narrows run` writes it, but without any secret being named."""
    stream = io.StringIO()
    logger = logging.getLogger("narrows")
    before = logger.level, logger.propagate
    handler = install_json_logging(stream, level=logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before[0])
    logger.propagate = before[1]


STORE_KEY = base64.b64encode(b"canary-7f3a-canary-7f3a-canary-7").decode()

BAD_ANSWERS: list[tuple[int, bytes, bytes]] = [
    (500, b"text/html", b"<pre>Traceback canary-7f3a password=canary-7f3a</pre>"),
    (500, b"application/problem+json", b'{"detail":"canary-7f3a","status":500}'),
    (200, b"application/json", b'{"name":["canary-7f3a"]}'),
    (200, b"application/json", b'{"name":"canary-7f3a'),
    (200, b"application/json", b'{"count":"canary-7f3a"}'),
    (200, b"text/canary-7f3a", b"canary-7f3a"),
    (401, b"application/json", b'{"error":"canary-7f3a"}'),
    (403, b"application/json", b'{"error":"canary-7f3a"}'),
    (404, b"application/json", b'{"error":"canary-7f3a"}'),
    (410, b"application/json", b'{"detail":"canary-7f3a"}'),
    (302, b"application/json", b"canary-7f3a"),
    (429, b"application/json", b'{"error":"canary-7f3a"}'),
    (503, b"application/json", b'{"error":"canary-7f3a"}'),
]


async def everything(world: World, host: Host) -> bytes:
    """Everything that clients read while everything fails that can."""
    seen: list[bytes] = []

    def read(answer: Any) -> int:
        seen.extend((answer.content, repr(answer.headers.multi_items()).encode()))
        return int(answer.status_code)

    for base in BASES:
        for status, media, body in BAD_ANSWERS:
            host.status, host.body = status, body
            host.headers = [(b"content-type", media), (b"x-canary", b"canary-7f3a"), (b"location", b"/canary-7f3a")]
            host.headers += [(b"www-authenticate", b"Bearer canary-7f3a"), (b"retry-after", b"canary-7f3a")]
            read(await world.get(f"{base}/items/1"))
            read(await world.post(f"{base}/parcels", {"text": "x"}))
            read(await world.delete(f"{base}/items/1"))
        host.reset()
        assert read(await world.get(f"{base}/faults")) == 500
        assert read(await world.get(f"{base}/rehearsals")) == 200
        read(await world.client.get(f"{base}/items/1"))
        read(await world.client.get(f"{base}/openapi.json"))
        read(await world.client.get(f"{base}/.well-known/oauth-protected-resource"))
        read(await world.client.get(f"{base}/health"))
    return b"\n".join(seen)


async def test_case_69_no_secret_is_in_anything_that_is_written(
    tmp_path: Path, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets of settings and environment, hosts, and what upstreams and handlers say in their faults stay inside."""
    monkeypatch.setenv("CANARY_VARIABLE", CANARY)
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    host = Host()
    over = {
        "stores": {"key": {"file": "key"}},
        "base": str(tmp_path),
        "upstreams": {"depot": {"url": f"https://{HOST}"}},
    }
    (tmp_path / "key").write_text(STORE_KEY, encoding="utf-8")
    async with attacked(hosts={HOST: host}, around={"tracer_provider": provider}, **over) as (world, _):
        answers = await everything(world, host)
        leaves = await world.app.plan.audit.leaves(0, 10_000)
        settings = repr(world.app.plan.settings) + str(world.app.plan.settings)
        assert len(to_upstreams(world)) > 20
        tokens = {request.headers["authorization"].split(" ")[1] for request in to_upstreams(world)}
        used = [world.token().rpartition(".")[0], *tokens]
    assert len(leaves) > 20
    records = b"".join([*world.records.lines, *leaves])
    written = said.getvalue()
    assert "/faults" in written or "fail" in written  # the fault was told to the operators
    traced = "".join(span.to_json() for span in spans.get_finished_spans())
    for where, text in {
        "answers": answers.decode("latin-1"), "records": records.decode(), "log": written, "settings": settings,
    }.items():  # fmt: skip
        known = [CANARY, STORE_KEY, "bff-secret", "canary-in-an-exception", *used]
        if where == "settings":
            known.remove(CANARY)  # the settings name the upstream's host
            assert STORE_KEY not in text
        for secret in known:
            assert secret not in text, (where, secret[:30])
    # Spans tell the operators which host was called, and nothing of what it said.
    told = traced.replace(HOST, "")
    assert all(secret not in told for secret in (CANARY, "bff-secret", "canary-in-an-exception", *used))
    assert "Traceback" not in answers.decode("latin-1")


async def test_case_69_a_fault_outside_the_pipeline_says_nothing(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where no step is at fault, and with the debug switches of Litestar on, the client reads a bare 500."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("canary-7f3a")

    async with attacked() as (world, _):
        monkeypatch.setenv("LITESTAR_DEBUG", "1")
        monkeypatch.setenv("LITESTAR_PDB", "1")
        around = Surroundings(dial=world.network.dial, now=world.clock, write_record=world.records.write)
        app = Application(victim, make_settings(**SETTINGS), around)
        async with serving(app):
            monkeypatch.setattr(app.plan, "call", broken)
            got = await ask(app, "/items/1", token=world.token())
    private(got, 500)
    assert got.kind == "internal-error"
    assert b"canary" not in got.body
    assert "RuntimeError" in said.getvalue()
    assert "canary" not in said.getvalue()


async def test_case_69_the_client_secret_goes_to_the_issuer_alone() -> None:
    """The BFF proves itself at the token endpoint and nowhere else."""
    basic = base64.b64encode(b"where2eat-bff:bff-secret").decode()
    async with attacked() as (world, _):
        assert (await world.get("/items/1")).status_code == 200
        holding = [r for r in world.network.sent if basic in repr(r.headers.raw) or b"bff-secret" in r.content]
        assert holding
        assert {str(request.url) for request in holding} == {f"{ISSUER}/token"}


@pytest.mark.parametrize(
    "lines",
    [
        'key = "canary-7f3a"',
        "key = { env = 'canary-7f3a-not-set' }\nrehearsals = 5",
        'key = { text = "canary-7f3a" }',
        'key = ["canary-7f3a"]',
        'key = { file = "key", env = "canary-7f3a" }',
        'kye = "canary-7f3a"',
    ],
)
def test_case_69_a_secret_in_a_wrong_place_is_not_repeated(tmp_path: Path, lines: str) -> None:
    """The refusal of settings names the key, and not the value that somebody took for a secret."""
    (tmp_path / "narrows.toml").write_text(f'public_url = "https://b.test"\n[stores]\n{lines}\n', encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "narrows.toml", {})
    assert "stores" in str(refused.value)
    if "env = 'canary" not in lines:  # the name of a variable is no secret
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["NARROWS_STORES__KEY", "NARROWS_ISSUERS__CORP__CLIENT__SECRET", "NARROWS_ISSUERS__CORP__CLIENT__PRIVATE_KEY"],
)
def test_case_69_a_secret_in_a_variable_of_a_wrong_form_is_not_repeated(tmp_path: Path, name: str) -> None:
    """A secret written straight into a variable is refused without being shown."""
    text = 'public_url = "https://b.test"\n[issuers.corp]\nurl = "https://i.test"\naudience = "a"\nclient.id = "b"\n'
    (tmp_path / "narrows.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "narrows.toml", {f"NARROWS_{name}": CANARY})
    assert CANARY not in str(refused.value)


def test_case_69_the_log_masks_every_secret_and_prints_no_source_line(said: io.StringIO) -> None:
    """A fault whose text holds a secret or a token is told without both, and its stack holds no value."""
    stream = io.StringIO()
    handler = install_json_logging(stream, secrets=list(secrets_of(make_settings())))
    try:
        local_value = "bff-secret"
        raise RuntimeError(f"{local_value} Bearer abcdefghijk eyJhbGciOiJub25lIn0.e30.c2ln")
    except RuntimeError:
        logging.getLogger("narrows.test").exception("with %s", "bff-secret")
    finally:
        logging.getLogger("narrows").removeHandler(handler)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert "RuntimeError" in written
    for secret in ("bff-secret", "abcdefghijk", "eyJhbGci", "local_value"):
        assert secret not in written


RUN = "from narrows.cli import main; main()"


def test_case_69_a_crash_of_the_command_prints_no_secret(tmp_path: Path) -> None:
    """A process that ends at start because of its settings tells the rule, without stack and without secret."""
    (tmp_path / "narrows.toml").write_text(
        'public_url = "https://b.test"\nenvironment = "development"\n[stores]\nkey = "canary-7f3a"\n', encoding="utf-8"
    )
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-c", RUN, "run", "bffs.where2eat.app:bff", "--settings", str(tmp_path / "narrows.toml")],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path), "CANARY": CANARY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "stores.key" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
