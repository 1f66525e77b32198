"""Narrows' own endpoints but for the confirmation page: a closed list, declared and guarded like those of a team.

Health, metadata (RFC 9728), the OpenAPI document, the assets of the page, and rehearsals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from narrows.call import Call, Page
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Narrow
from narrows.errors import NotFound, Refusal, StartRefused
from narrows.pipeline.rehearsal import RehearsalDocument, owner_of
from narrows.settings import Settings
from narrows.stores import Commits, Rehearsals
from narrows.surfaces.confirmations import attempt_on, state_of
from narrows.surfaces.declaring import Declaring, asset, files_of

_NEWEST = 20
_LOOKED_AT = 200

AuthorizationParameter = Annotated[str, msgspec.Meta(max_length=2048)]
RehearsalId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")]


class Health(Narrow):
    """The process serves."""

    status: Literal["ok"]


def builtins(
    bff: Bff,
    settings: Settings,
    document: Callable[[], bytes],
    rehearsals: Callable[[], Rehearsals],
    commits: Callable[[], Commits],
) -> list[Endpoint]:
    """Every endpoint that is not a team's; `document`, `rehearsals` and `commits` are asked when they are needed.

    Raises `StartRefused` when the folder of the page is not there.
    """
    own = Declaring()
    own.add("/health", _health, public="It tells nothing but that the process serves.")
    metadata = _json_page(_metadata(bff, settings))
    own.add("/.well-known/oauth-protected-resource", metadata, public="A client needs it to find where to sign in.")
    own.add("/openapi.json", _document(document), public="The contract holds no data; clients are made from it.")
    own.add("/rehearsals", _newest(rehearsals), owned=True)
    own.add("/rehearsals/{rehearsal_id}", _one(rehearsals, commits), owned=True, problems=(NotFound,))
    for path, page in _assets(bff, bff.page) if bff.page else ():
        own.add(path, _start(page) if path == "/" else asset(page), public="A static page without data.")
    return own.endpoints


async def _health() -> Health:
    """Tell that the process serves."""
    return Health(status="ok")


def _metadata(bff: Bff, settings: Settings) -> dict[str, Any]:
    """The metadata of RFC 9728; parameters without a value are left out."""
    first = next(iter(settings.issuers.values()), None)
    scopes = [*(e.scope for e in bff.endpoints), *(document.guards.get("scope") for document in bff.documents)]
    found: dict[str, Any] = {
        "resource": first.audience if first else settings.public_url,
        "authorization_servers": [issuer.url for issuer in settings.issuers.values()],
        "scopes_supported": sorted({scope for scope in scopes if isinstance(scope, str)}),
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
        # Those that the sandbox does not show may be newer than its own.
        found = await rehearsals().newest(owner_of(call), _LOOKED_AT if call.mode == "sandbox" else _NEWEST)
        documents = [msgspec.json.decode(document, type=RehearsalDocument) for document in found]
        return [document for document in documents if _may_see(call, document)][:_NEWEST]

    return newest_rehearsals


def _one(rehearsals: Callable[[], Rehearsals], commits: Callable[[], Commits]) -> Callable[..., Any]:
    async def rehearsal(rehearsal_id: RehearsalId, call: Call) -> RehearsalDocument:
        """One rehearsal: its rule, scopes, effects and price. Absent and another's are alike."""
        owner = owner_of(call)
        found = await rehearsals().get(rehearsal_id, owner)
        document = msgspec.json.decode(found, type=RehearsalDocument) if found is not None else None
        if document is None or not _may_see(call, document):
            raise NotFound()
        if document.confirm_url is None:
            return document
        asking = attempt_on(call, owner, document, call.fresh_id())
        state = await state_of(commits(), document, owner, asking)
        return msgspec.structs.replace(document, confirmation=state)

    return rehearsal


def _may_see(call: Call, document: RehearsalDocument) -> bool:
    """Whether this call may see a rehearsal of its caller: in the sandbox only what was done in the sandbox."""
    return call.mode != "sandbox" or document.mode == "sandbox"


def _assets(bff: Bff, folder: Path) -> Iterator[tuple[str, Page]]:
    """The files of the page, read once; `index.html` is also `/`."""
    if not folder.is_dir():
        rule, remedy = f"there is no folder {folder.name!r} for its page", "make the folder, or take page= out"
        raise StartRefused([Refusal(code="page-missing", subject=bff.name, where=bff.where, rule=rule, remedy=remedy)])
    for name, page in files_of(folder):
        yield f"/page/{name}", page
        if name == "index.html":
            yield "/", page


def _start(page: Page) -> Callable[..., Any]:
    async def start(
        code: AuthorizationParameter | None = None,
        state: AuthorizationParameter | None = None,
        iss: AuthorizationParameter | None = None,
        error: AuthorizationParameter | None = None,
        error_description: AuthorizationParameter | None = None,
        error_uri: AuthorizationParameter | None = None,
        session_state: AuthorizationParameter | None = None,
    ) -> Page:
        """The page; a sign-in leads back to it with an authorization response (RFC 6749, 4.1.2)."""
        del code, state, iss, error, error_description, error_uri, session_state  # they are for the page's own script
        return page

    return start
