"""How Narrows declares endpoints of its own, and serves the files of a page."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from narrows.call import Page
from narrows.declare.endpoint import Endpoint, Kind
from narrows.declare.upstream import place_of
from narrows.errors import Problem

PAGE_HEADERS = (
    # Nothing from elsewhere, no inline script, no frame around the page; scripts cannot make markup out of text.
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-cache"),
    ("x-content-type-options", "nosniff"),
)


class Declaring:
    """Collects the declarations."""

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []

    def add(
        self,
        path: str,
        function: Callable[..., Any],
        *,
        kind: Kind = "read",
        method: str = "GET",
        public: str | None = None,
        owned: bool = False,
        session: bool = False,
        problems: tuple[type[Problem], ...] = (),
    ) -> None:
        """Declare one of Narrows' own endpoints.

        It is anonymous (`public`, with its reason), or for the owner alone (`owned`), with `session` in a browser.
        """
        self.endpoints.append(
            Endpoint(
                id=f"narrows.{path}" if method == "GET" else f"narrows.{method} {path}",
                bff="narrows",
                kind=kind,
                method=method,
                path=path,
                function=function,
                where=place_of(function),
                status=200,
                public=public,
                owned=owned,
                session=session,
                problems=problems,
            )
        )


def files_of(folder: Path) -> Iterator[tuple[str, Page]]:
    """The files of a page by name, read once; those that are hidden or of no known type do not belong to it."""
    for file in sorted(folder.iterdir()):
        media, _ = mimetypes.guess_type(file.name)
        if file.is_file() and media is not None and not file.name.startswith("."):
            text = media.startswith("text/") or media == "application/javascript"
            yield file.name, Page(file.read_bytes(), f"{media}; charset=utf-8" if text else media, PAGE_HEADERS)


def asset(page: Page) -> Callable[..., Any]:
    """What answers with a file of a page."""

    async def asset() -> Page:
        """A file of the page."""
        return page

    return asset
