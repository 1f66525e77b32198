"""Step 2 for what a person does in a browser: the session's cookie alone tells who calls, and only from our own page.

No token counts here, so that a program which holds the person's token cannot do what only the person may.
A cookie comes by itself, whoever made the browser send the request. So each request, a GET too, must come from a page
of this origin: as the browser says it (`Origin`, and `Sec-Fetch-*` of the Fetch Metadata specification), and with a
header that a page elsewhere cannot set without a leave that nobody gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from narrows.call import Call, Caller, Connector
from narrows.errors import CredentialsMissing, CrossSite
from narrows.pipeline.step import Ground, Step, name_caller

HEADER = "narrows-confirm"
"""The header that stands on every request with a session; its value is `1`."""

# What a browser says of where a request comes from, and what it is for; a navigation or a frame says otherwise.
_FETCHED = {"sec-fetch-site": "same-origin", "sec-fetch-dest": "empty"}
_PORTS = {"https": 443, "http": 80}
_CHALLENGE = {"WWW-Authenticate": 'Session realm="confirmations"'}
_REMEDY = "Open the confirmation page in a browser, and sign in there."


def by_session(ground: Ground, *, changes: bool) -> Step:
    """Make the step for an endpoint that takes a session; one that `changes` something wants to know the origin."""
    sessions, identity = ground.sessions, ground.identity
    origin = origin_of(ground.settings.public_url)
    issuers = [name for name, issuer in ground.settings.issuers.items() if issuer.client is not None]

    def missing(detail: str | None = None) -> CredentialsMissing:
        return CredentialsMissing(detail, remedy=_REMEDY, headers=_CHALLENGE, members={"sign_in": issuers})

    async def authenticate(call: Call) -> None:
        headers = call.raw.headers
        if is_foreign(headers, origin):
            raise CrossSite()
        value = sessions.cookie.read(headers)
        if value is None:
            raise missing()
        if call.raw.header(HEADER) != "1" or (changes and "origin" not in headers):
            raise CrossSite("The request lacks a header that the page sends with each of its own.")
        session = await sessions.open(value)
        if session is None:
            raise missing("The session has ended.")
        credential = sessions.credential(session)
        await ground.revoking.refresh()
        if identity.is_revoked(credential):
            raise missing("The session has ended.")
        call.credential = credential
        call.caller = Caller(issuer=session.issuer, subject=session.subject, kind="person")
        call.connector = page_of(session.issuer, credential.client_id)
        await name_caller(ground, call, call.caller)

    return authenticate


def page_of(issuer: str, client_id: str) -> Connector:
    """The BFF's own page as the program that calls: it belongs to no tenant, and no settings can name it."""
    return Connector(
        id="narrows.page", issuer=issuer, client_id=client_id, tenant="", kind="service", state="live", version="1"
    )


def is_foreign(headers: Mapping[str, Sequence[str]], origin: str) -> bool:
    """Whether a browser says that a request is not one of a page of this origin."""
    if any(sent != origin for sent in headers.get("origin", ())):
        return True
    return any(sent != wanted for name, wanted in _FETCHED.items() for sent in headers.get(name, ()))


def origin_of(url: str) -> str:
    """The origin of a URL as browsers write it (RFC 6454, 6.2): in lower case, and without the port of the scheme."""
    parts = urlsplit(url.lower())
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"
