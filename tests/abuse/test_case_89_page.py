"""Case 89: the page and each of its files come with headers that leave an injected script nothing to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from tests.abuse.attack import Got, ask
from tests.abuse.victim import attacked
from tests.flow.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[2] / "bffs" / "where2eat" / "page"
FILES = sorted(file for file in PAGE.iterdir() if file.is_file() and not file.name.startswith("."))
PATHS = ["/", *(f"/page/{file.name}" for file in FILES)]
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[World]:
    """The BFF with its page."""
    async with world() as made:
        yield made


def policy(got: Got) -> dict[str, list[str]]:
    """The one content security policy of an answer: directive → sources."""
    text = got.header("content-security-policy")
    assert text is not None
    parts = [part.split() for part in text.split(";")]
    names = [part[0] for part in parts]
    assert len(set(names)) == len(names)
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("path", [*PATHS, "/?code=x&state=y", "/?error=%3Cscript%3Ealert(1)%3C/script%3E"])
async def test_case_89_every_asset_has_the_whole_policy(served: World, path: str) -> None:
    """Nothing from elsewhere, no inline script, no markup out of text, no frame: on each file."""
    got = await ask(served.app, path)
    assert got.status == 200
    directives = policy(got)
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["connect-src"] == directives["style-src"] == ["'self'"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert directives["form-action"] == ["'self'"]
    assert directives["require-trusted-types-for"] == ["'script'"]
    assert directives["trusted-types"] == ["'none'"]
    sources = {source for listed in directives.values() for source in listed}
    assert sources <= {"'none'", "'self'", "'script'", "data:"}
    assert [name for name, listed in directives.items() if "data:" in listed] == ["img-src"]
    assert "report-uri" not in directives


@pytest.mark.parametrize("path", PATHS)
async def test_case_89_every_asset_has_the_other_headers_once(served: World, path: str) -> None:
    """No guessing of types, no frame for old browsers, no referrer, no reader of another origin."""
    got = await ask(served.app, path, headers=[("origin", "https://evil.test"), ("referer", "https://evil.test/")])
    assert got.header("x-content-type-options") == "nosniff"
    assert got.header("x-frame-options") == "DENY"
    assert got.header("referrer-policy") == "no-referrer"
    assert got.header("cross-origin-opener-policy") == got.header("cross-origin-resource-policy") == "same-origin"
    assert got.header("cache-control") == "no-cache"
    assert not [name for name, _ in got.headers if name.startswith("access-control-") or name == "set-cookie"]
    names = [name for name, _ in got.headers]
    assert len(set(names)) == len(names)
    kind = KINDS[Path(path).suffix or ".html"]
    assert (got.header("content-type") or "").partition(";")[0] == kind
    if kind.startswith("text/"):
        assert got.header("content-type") == f"{kind}; charset=utf-8"


@pytest.mark.parametrize("path", PATHS)
async def test_case_89_an_asset_is_its_file_and_nothing_else(served: World, path: str) -> None:
    """Nothing of a request is put into a page: the bytes are those of the file."""
    name = "index.html" if path == "/" else path.removeprefix("/page/")
    headers = [("x-forwarded-host", "evil.test"), ("cookie", "a=<script>"), ("accept-language", "<script>")]
    got = await ask(served.app, path, headers=headers, token=served.token())
    assert got.body == (PAGE / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/page/", "/page", "/page/none.js", "/page/app.py", "/page/..%2fapp.py", "/page/%2e%2e/app.py",
        "/page/../app.py",
        "/page/app.js/", "/page/APP.JS", "/page/app.js%00", "/page/.hidden", "/page/app.js%2f..%2f..%2fapp.py",
        "/page/%2e%2e%2fnarrows.toml", "/page/app.js?x=1", "/page//app.js", "/page/app.js;x",
    ],
)  # fmt: skip
async def test_case_89_nothing_beside_the_page_is_served(served: World, path: str) -> None:
    """Only the files of the page that were read at start have a path; every other is a problem in JSON."""
    got = await ask(served.app, path)
    assert got.status in (400, 404)
    assert got.header("content-type") == "application/problem+json"
    assert got.header("x-content-type-options") == "nosniff"
    assert got.header("cache-control") == "private, no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "get"])
async def test_case_89_a_page_is_only_read(served: World, method: str) -> None:
    """No other method reaches a page, and no preflight is answered with leave."""
    got = await ask(served.app, "/", method, headers=[("origin", "https://evil.test")])
    assert (got.status, got.header("allow")) == (405, "GET")
    assert not [name for name, _ in got.headers if name.startswith("access-control-")]


SCRIPTS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u2028alert(1)//", '"};alert(1);//', "{{constructor.constructor('alert(1)')()}}", "<!--", "]]>", "&lt;script&gt;",
]  # fmt: skip


@pytest.mark.parametrize("text", SCRIPTS)
async def test_case_89_a_script_in_an_upstream_string_is_data(text: str) -> None:
    """A place's name stays a text of a JSON document that no browser takes for a page or a script."""
    async with attacked() as (made, host):
        host.body = msgspec.json.encode({"name": text, "more": [{"name": text}]})
        got = await ask(made.app, "/items/1", token=made.token(), headers=[("accept", "text/html")])
        assert got.status == 200
        assert msgspec.json.decode(got.body)["name"] == text
        assert got.header("content-type") == "application/json"
        assert got.header("x-content-type-options") == "nosniff"
        assert got.header("cache-control") == "private, no-store"


@pytest.mark.parametrize("text", ["%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%22%3E%3Csvg%20onload=1%3E"])
async def test_case_89_a_script_in_a_request_is_never_a_page(served: World, text: str) -> None:
    """What is echoed of a request, such as the name of an unknown parameter, is JSON that is not sniffed."""
    for path in (f"/teams/7/bookings?{text}=1", f"/{text.replace('%2F', '')}", f"/?{text}=1"):
        got = await ask(served.app, path, token=served.token(), headers=[("accept", "text/html")])
        assert got.status in (400, 404)
        assert got.header("content-type") == "application/problem+json"
        assert got.header("x-content-type-options") == "nosniff"
