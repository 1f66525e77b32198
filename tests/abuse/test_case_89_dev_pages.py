"""Case 89: the pages of `narrows dev` leave an injected script nothing to do, by headers and as they are written."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import narrows.devkit.dev.app as dev
from tests.unit.devkit.dev.trial import Visitor, make_stage, visiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(dev.__file__).parent / "page"
FILES = sorted(PAGE.iterdir())
TEXTS = {file: file.read_bytes() for file in FILES}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PATHS = ["/dev/", "/dev/endpoints/trial.book", *(f"/dev/page/{file.name}" for file in FILES), "/dev/api/board",
         "/dev/nothing"]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visitor(tmp_path_factory: Any) -> AsyncIterator[Visitor]:
    """Somebody who holds the secret."""
    async with visiting(make_stage(tmp_path_factory.mktemp("dev"))) as made:
        yield made


@pytest.mark.parametrize("path", PATHS)
async def test_case_89_everything_has_the_whole_policy(visitor: Visitor, path: str) -> None:
    """Nothing from elsewhere, no inline script, no markup out of text, no frame, nothing kept."""
    headers = (await visitor.get(path)).headers
    parts = [part.split() for part in headers["content-security-policy"].split(";")]
    directives = {name: sources for name, *sources in parts}
    assert len(directives) == len(parts)
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["connect-src"] == directives["style-src"] == ["'self'"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert directives["require-trusted-types-for"] == ["'script'"]
    assert directives["trusted-types"] == ["'none'"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
async def test_case_89_each_file_is_what_it_says(visitor: Visitor, file: Path) -> None:
    """The type is that of the file, and its bytes are served as they are."""
    answer = await visitor.get(f"/dev/page/{file.name}")
    assert answer.headers["content-type"].partition(";")[0] == KINDS[file.suffix]
    assert answer.content == TEXTS[file]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
async def test_case_89_no_file_reads_text_as_markup_or_asks_elsewhere(file: Path) -> None:
    """No sink for markup, no inline script or style, and no address of another host."""
    text = TEXTS[file].decode()
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser|javascript:"
    assert not re.findall(sinks, text)
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", text)
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()


async def test_case_89_markup_in_a_declaration_is_data(visitor: Visitor) -> None:
    """What the page shows comes as JSON, which no browser reads as a page."""
    for path in ("/dev/api/board", "/dev/api/endpoints/trial.book", "/dev/api/state"):
        assert (await visitor.get(path)).headers["content-type"] == "application/json"
