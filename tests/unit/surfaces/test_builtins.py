from pathlib import Path
from typing import Any

import msgspec
import pytest

from narrows import Bff
from narrows.call import Page
from narrows.declare.endpoint import Endpoint
from narrows.errors import StartRefused
from narrows.surfaces.builtins import builtins
from tests.unit.surfaces.site import make_bff, make_settings, site

ORDER = b'{"dish":"soup"}'
METADATA = "/.well-known/oauth-protected-resource"


def declared(bff: Bff | None = None, **over: Any) -> dict[str, Endpoint]:
    """Narrows' own endpoints by path."""

    def nothing() -> Any:
        raise AssertionError("it is asked for when it is needed")

    own = builtins(bff or make_bff(), make_settings(**over), nothing, nothing, nothing)
    return {endpoint.path: endpoint for endpoint in own}


def page_of(folder: Path) -> Bff:
    """A BFF with a page."""
    bff = make_bff()
    bff.page = folder
    return bff


def test_the_list_is_closed() -> None:
    """Each is a read; without credentials only what tells nothing of anybody, with its reason."""
    own = declared()
    assert list(own) == ["/health", METADATA, "/openapi.json", "/rehearsals", "/rehearsals/{rehearsal_id}"]
    assert {endpoint.kind for endpoint in own.values()} == {"read"}
    assert {endpoint.method for endpoint in own.values()} == {"GET"}
    assert [path for path, endpoint in own.items() if endpoint.owned] == ["/rehearsals", "/rehearsals/{rehearsal_id}"]
    assert all(endpoint.owned or endpoint.public for endpoint in own.values())
    assert not any(endpoint.owned and endpoint.public for endpoint in own.values())


# --- what everybody may read ----------------------------------------------------------------------------------------


async def test_health_tells_that_the_process_serves() -> None:
    """And nothing else; a token that is not valid does not matter."""
    async with site() as one:
        got = await one.ask("/health", token="junk")
        assert (got.status, got.json) == (200, {"status": "ok"})
        assert (await one.ask("/health?x=1", token=None)).status == 400


async def test_the_metadata_lead_to_where_to_sign_in() -> None:
    """RFC 9728; what has no value is left out."""
    async with site() as one:
        got = await one.ask(METADATA, token=None)
    assert (got.header("content-type"), got.header("cache-control")) == ("application/json", "no-cache")
    assert got.json == {
        "resource": "cafe-api",
        "authorization_servers": ["https://issuer.test"],
        "scopes_supported": ["cafe"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Serve lunch",
    }


async def test_metadata_without_issuer_name_the_public_url() -> None:
    """Such a BFF does not start, but its document can be made."""
    empty = Bff("cafe")
    own = builtins(empty, msgspec.structs.replace(make_settings(), issuers={}), lambda: b"", lambda: None, lambda: None)  # type: ignore[arg-type, return-value]  # nothing is kept
    page: Page = await next(endpoint for endpoint in own if endpoint.path == METADATA).function()
    assert msgspec.json.decode(page.body) == {"resource": "https://bff.test", "bearer_methods_supported": ["header"]}


async def test_the_contract_is_served_as_it_was_made() -> None:
    """Byte by byte."""
    async with site() as one:
        got = await one.ask("/openapi.json", token=None)
    assert got.body == one.app.document
    assert got.header("content-type") == "application/json"


# --- rehearsals -----------------------------------------------------------------------------------------------------


async def test_rehearsals_are_listed_newest_first_and_read_one_by_one() -> None:
    """By their owner; under /sandbox, only those of the sandbox, however many others are newer."""
    async with site() as one:
        shown = await one.ask("/sandbox/teams/7/orders", "POST", body=ORDER)
        own = (shown.header("link") or "").split("/")[-1].partition(">")[0]
        one.clock.move(1)
        links = []
        for _ in range(3):
            got = await one.ask("/rehearse/teams/7/orders", "POST", body=ORDER)
            links.append((got.header("link") or "").split("/")[-1].partition(">")[0])
            one.clock.move(1)
        for base in ("", "/rehearse"):
            listed = await one.ask(f"{base}/rehearsals")
            assert [document["id"] for document in listed.json] == [*links[::-1], own]
            single = await one.ask(f"{base}/rehearsals/{links[0]}")
            assert single.json == listed.json[-2]
        assert single.json["endpoint"] == "cafe.order"
        for _ in range(20):
            await one.ask("/rehearse/teams/7/menu")
        assert [document["id"] for document in (await one.ask("/sandbox/rehearsals")).json] == [own]
        assert (await one.ask(f"/sandbox/rehearsals/{own}")).status == 200
        assert (await one.ask(f"/sandbox/rehearsals/{links[0]}")).status == 404


async def test_twenty_are_listed_at_the_most() -> None:
    """The newest."""
    async with site() as one:
        for _ in range(22):
            await one.ask("/rehearse/teams/7/menu")
        assert len((await one.ask("/rehearsals")).json) == 20


async def test_another_and_an_absent_rehearsal_look_alike() -> None:
    """To another caller, and to nobody; expired ones too."""
    async with site() as one:
        got = await one.ask("/rehearse/teams/7/orders", "POST", body=ORDER)
        rehearsal = (got.header("link") or "").split("/")[-1].partition(">")[0]
        stranger = one.authority.issue("eve", "till", "cafe-api", "cafe")
        foreign = await one.ask(f"/rehearsals/{rehearsal}", token=stranger)
        absent = await one.ask("/rehearsals/none")
        assert (foreign.status, absent.status) == (404, 404)
        assert {**foreign.json, "trace_id": ""} == {**absent.json, "trace_id": ""}
        assert (await one.ask("/rehearsals", token=stranger)).json == []
        one.clock.move(4000)
        assert (await one.ask(f"/rehearsals/{rehearsal}")).status == 404


@pytest.mark.parametrize("path", ["/rehearsals", "/rehearsals/x"])
async def test_rehearsals_are_not_for_nobody(path: str) -> None:
    """Without a token there is a challenge."""
    async with site() as one:
        assert (await one.ask(path, token=None)).status == 401


@pytest.mark.parametrize("name", ["a.b", "a%20b", "x" * 65, "%C3%A9"])
async def test_the_id_of_a_rehearsal_has_its_form(name: str) -> None:
    """Anything else is no id."""
    async with site() as one:
        assert (await one.ask(f"/rehearsals/{name}")).status == 400


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page with its files, and things that do not belong to it."""
    for name, content in {
        "index.html": "<p>",
        "app.js": "1",
        "style.css": "p{}",
        "logo.png": "\x89PNG",
        ".env": "SECRET=1",
        ".hidden.js": "1",
        "unknown.zzz": "?",
        "Makefile": "all:",
    }.items():
        (tmp_path / name).write_text(content, encoding="latin-1")
    (tmp_path / "sub.js").mkdir()
    return tmp_path


def test_the_files_of_the_page_are_served(folder: Path) -> None:
    """Those whose type is known, and no hidden ones."""
    assert [path for path in declared(page_of(folder)) if path.startswith("/page") or path == "/"] == [
        "/page/app.js",
        "/page/index.html",
        "/",
        "/page/logo.png",
        "/page/style.css",
    ]


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/index.html", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/logo.png", "image/png"),
        ("/rehearse", "text/html; charset=utf-8"),
    ],
)
async def test_an_asset_has_its_type_and_a_strict_policy(folder: Path, path: str, media: str) -> None:
    """Nothing from elsewhere, no inline script, no frame, no guessing."""
    async with site(bff=page_of(folder)) as one:
        got = await one.ask(path, token=None)
    assert (got.status, got.header("content-type")) == (200, media)
    policy = got.header("content-security-policy") or ""
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    assert (got.header("x-content-type-options"), got.header("x-frame-options")) == ("nosniff", "DENY")
    assert got.header("cache-control") == "no-cache"


async def test_the_page_takes_an_authorization_response(folder: Path) -> None:
    """A sign-in leads back to it with parameters for its own script; others are refused."""
    async with site(bff=page_of(folder)) as one:
        assert (await one.ask("/?code=abc&state=x&iss=https%3A%2F%2Fissuer.test", token=None)).status == 200
        assert (await one.ask("/?error=access_denied&error_description=no&error_uri=x", token=None)).status == 200
        assert (await one.ask("/?next=https://evil.test", token=None)).status == 400
        assert (await one.ask("/?code=" + "x" * 3000, token=None)).status == 400
        assert (await one.ask("/page/app.js?v=1", token=None)).status == 400


async def test_assets_are_read_once(folder: Path) -> None:
    """What changes on the disk is not served."""
    async with site(bff=page_of(folder)) as one:
        (folder / "index.html").write_text("changed", encoding="utf-8")
        assert (await one.ask("/", token=None)).body == b"<p>"


def test_a_page_without_folder_does_not_start(tmp_path: Path) -> None:
    """The refusal says where it is declared."""
    with pytest.raises(StartRefused) as caught:
        declared(page_of(tmp_path / "none"))
    [refusal] = caught.value.refusals
    assert (refusal.code, refusal.subject) == ("page-missing", "cafe")
    assert refusal.where.endswith(tuple("0123456789"))
    with pytest.raises(StartRefused):
        declared(page_of(Path(__file__)))
