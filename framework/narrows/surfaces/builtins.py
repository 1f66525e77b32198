"""Narrows' own endpoints: a closed list, declared and guarded like those of a team.

Health, metadata (RFC 9728), the OpenAPI document, the assets of the page, and rehearsals.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from narrows.call import Call, Page
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Narrow
from narrows.declare.upstream import place_of
from narrows.errors import NotFound, Problem, Refusal, StartRefused
from narrows.pipeline.rehearsal import RehearsalDocument, owner_of
from narrows.settings import Settings
from narrows.stores import Rehearsals

_NEWEST = 20
_PAGE_HEADERS = (
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

AuthorizationParameter = Annotated[str, msgspec.Meta(max_length=2048)]
RehearsalId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")]


class Health(Narrow):
    """The process serves."""

    status: Literal["ok"]


def builtins(
    bff: Bff, settings: Settings, document: Callable[[], bytes], rehearsals: Callable[[], Rehearsals]
) -> list[Endpoint]:
    """Every endpoint that is not a team's; `document` and `rehearsals` are asked when they are needed.

    Raises `StartRefused` when the folder of the page is not there.
    """
    own = _Declaring()
    own.add("/health", _health, public="It tells nothing but that the process serves.")
    metadata = _json_page(_metadata(bff, settings))
    own.add("/.well-known/oauth-protected-resource", metadata, public="A client needs it to find where to sign in.")
    own.add("/openapi.json", _document(document), public="The contract holds no data; clients are made from it.")
    own.add("/rehearsals", _newest(rehearsals), owned=True)
    own.add("/rehearsals/{rehearsal_id}", _one(rehearsals), owned=True, problems=(NotFound,))
    for path, page in _assets(bff, bff.page) if bff.page else ():
        own.add(path, _start(page) if path == "/" else _asset(page), public="A static page without data.")
    return own.endpoints


class _Declaring:
    """Collects the declarations."""

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []

    def add(
        self,
        path: str,
        function: Callable[..., Any],
        *,
        public: str | None = None,
        owned: bool = False,
        problems: tuple[type[Problem], ...] = (),
    ) -> None:
        """Declare one of Narrows' own endpoints, anonymous (`public`, with its reason) or for the owner alone."""
        self.endpoints.append(
            Endpoint(
                id=f"narrows.{path}",
                bff="narrows",
                kind="read",
                method="GET",
                path=path,
                function=function,
                where=place_of(function),
                status=200,
                public=public,
                owned=owned,
                problems=problems,
            )
        )


async def _health() -> Health:
    """Tell that the process serves."""
    return Health(status="ok")


def _metadata(bff: Bff, settings: Settings) -> dict[str, Any]:
    """The metadata of RFC 9728; parameters without a value are left out."""
    first = next(iter(settings.issuers.values()), None)
    found: dict[str, Any] = {
        "resource": first.audience if first else settings.public_url,
        "authorization_servers": [issuer.url for issuer in settings.issuers.values()],
        "scopes_supported": sorted({e.scope for e in bff.endpoints if isinstance(e.scope, str)}),
        "bearer_methods_supported": ["header"],
        "resource_name": bff.purpose,
    }
    return {key: value for key, value in found.items() if value}


def _json_page(value: Any) -> Callable[[], Any]:
    page = Page(msgspec.json.encode(value), "application/json", (("cache-control", "no-cache"),))

    async def metadata() -> Page:
        """Metadata of this protected resource (RFC 9728)."""
        return page

    return metadata


def _document(document: Callable[[], bytes]) -> Callable[[], Any]:
    async def openapi() -> Page:
        """The OpenAPI document of this BFF."""
        return Page(document(), "application/json", (("cache-control", "no-cache"),))

    return openapi


def _newest(rehearsals: Callable[[], Rehearsals]) -> Callable[..., Any]:
    async def newest_rehearsals(call: Call) -> list[RehearsalDocument]:
        """The caller's newest rehearsals, newest first."""
        found = await rehearsals().newest(owner_of(call), _NEWEST)
        return [msgspec.json.decode(document, type=RehearsalDocument) for document in found]

    return newest_rehearsals


def _one(rehearsals: Callable[[], Rehearsals]) -> Callable[..., Any]:
    async def rehearsal(rehearsal_id: RehearsalId, call: Call) -> RehearsalDocument:
        """One rehearsal: its rule, scopes, effects and price. Absent and another's are alike."""
        found = await rehearsals().get(rehearsal_id, owner_of(call))
        if found is None:
            raise NotFound()
        return msgspec.json.decode(found, type=RehearsalDocument)

    return rehearsal


def _assets(bff: Bff, folder: Path) -> Iterator[tuple[str, Page]]:
    """The files of the page, read once; `index.html` is also `/`."""
    if not folder.is_dir():
        rule, remedy = f"there is no folder {folder.name!r} for its page", "make the folder, or take page= out"
        raise StartRefused([Refusal(code="page-missing", subject=bff.name, where=bff.where, rule=rule, remedy=remedy)])
    for file in sorted(folder.iterdir()):
        media, _ = mimetypes.guess_type(file.name)
        if file.is_file() and media is not None and not file.name.startswith("."):
            text = media.startswith("text/") or media == "application/javascript"
            page = Page(file.read_bytes(), f"{media}; charset=utf-8" if text else media, _PAGE_HEADERS)
            yield f"/page/{file.name}", page
            if file.name == "index.html":
                yield "/", page


def _asset(page: Page) -> Callable[..., Any]:
    async def asset() -> Page:
        """A file of the page."""
        return page

    return asset


def _start(page: Page) -> Callable[..., Any]:
    async def start(
        code: AuthorizationParameter | None = None,
        state: AuthorizationParameter | None = None,
        iss: AuthorizationParameter | None = None,
        error: AuthorizationParameter | None = None,
        error_description: AuthorizationParameter | None = None,
        error_uri: AuthorizationParameter | None = None,
    ) -> Page:
        """The page; a sign-in leads back to it with an authorization response (RFC 6749, 4.1.2)."""
        del code, state, iss, error, error_description, error_uri  # they are for the page's own script
        return page

    return start
