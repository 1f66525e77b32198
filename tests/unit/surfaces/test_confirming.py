from typing import Any

import msgspec
import pytest

from narrows.errors import StartRefused
from narrows.surfaces.confirming import FOLDER, confirming
from narrows.surfaces.selftest import prove
from tests.unit.surfaces.site import Site, site
from tests.unit.surfaces.test_selftest import broken


def nothing() -> Any:
    """Nothing is there yet."""
    raise AssertionError("it is asked for when it is needed")


def test_the_list_is_closed() -> None:
    """Everything is public and static, or leads to the issuer, or wants a session; only two change anything."""
    own = confirming(nothing)
    listed = {(e.method, e.path): "session" if e.session else "public" if e.public else "?" for e in own}
    assert listed == {
        ("GET", "/confirm/{rehearsal_id}"): "public",
        ("GET", "/confirm/assets/confirm.js"): "public",
        ("GET", "/confirm/assets/elements.js"): "public",
        ("GET", "/confirm/assets/index.html"): "public",
        ("GET", "/confirm/assets/style.css"): "public",
        ("GET", "/confirm/sign-in"): "public",
        ("GET", "/confirm/callback"): "public",
        ("DELETE", "/confirm/session"): "session",
        ("GET", "/confirmations/{rehearsal_id}"): "session",
        ("POST", "/confirmations/{rehearsal_id}"): "session",
    }
    assert [(e.method, e.kind) for e in own if e.kind == "write"] == [("DELETE", "write"), ("POST", "write")]
    assert all(e.owned for e in own if e.session)


@pytest.mark.parametrize("path", ["/confirmations/{rehearsal_id}", "/confirm/session"])
async def test_sessions_are_proven_at_start(path: str) -> None:
    """An endpoint for a session that skips step 2 does not start."""
    with pytest.raises(StartRefused, match="guard-skipped"):
        await prove(broken(Site(), path, "authenticate"))


async def test_a_page_can_tell_of_a_refusal() -> None:
    """Its status is sent, and stands in the record as what it is."""
    async with site() as one:
        got = await one.ask("/confirm/callback?state=x&code=y", token=None)
        assert (got.status, got.header("content-type")) == (400, "text/html; charset=utf-8")
        record = msgspec.json.decode(one.records.lines[-1])
        assert (record["status"], record["outcome"]) == (400, "refused")
        assert (await one.ask("/confirm/abc", token=None)).status == 200
        assert msgspec.json.decode(one.records.lines[-1])["outcome"] == "ok"


async def test_the_contract_tells_nothing_of_the_page() -> None:
    """What only the page asks for is no part of what clients are made from."""
    async with site() as one:
        paths = (await one.ask("/openapi.json", token=None)).json["paths"]
    assert [path for path in paths if path.startswith("/confirm")] == []


def test_the_files_ask_nobody_else() -> None:
    """No address of another host, no markup out of text, no inline script or style."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert set(texts) == {"index.html", "confirm.js", "elements.js", "style.css"}
    for text in texts.values():
        for part in ("://", "innerHTML", "eval(", "style=", "onclick", "document.write", "insertAdjacentHTML"):
            assert part not in text
