"""The confirmation page: where a person sees what a program wants to do in their name, and allows it, or does not.

It lies on the BFF's own origin, and its session is one that no program holds: it begins with a sign-in of the person
here, in a browser, with the BFF's own client. What counts as its credentials: `pipeline/by_session.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from narrows.addresses import bucket_of
from narrows.audit.events import Event
from narrows.audit.record import timestamp
from narrows.call import Call, Connector, Credential, Effect, Named, Page
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate
from narrows.declare.types import Input, Narrow
from narrows.errors import FieldError, InvalidInput, NotFound, QuotaExceeded, Unavailable
from narrows.pipeline.quota import Counted, policy_of
from narrows.pipeline.rehearsal import ConfirmationState, KeptRehearsal, read_kept
from narrows.pipeline.step import who
from narrows.plan import Plan
from narrows.stores import Attempt, Owner
from narrows.surfaces.builtins import AuthorizationParameter, RehearsalId
from narrows.surfaces.confirmations import attempt_on, state_of
from narrows.surfaces.declaring import PAGE_HEADERS, Declaring, asset, files_of
from narrows.upstreams.sign_in import CALLBACK, SignInRefused

FOLDER = Path(__file__).parent / "confirm_page"

_ROUNDED = 2**53 - 1
_HTML = "text/html; charset=utf-8"
_UNSTORED = tuple((name, value) for name, value in PAGE_HEADERS if name != "cache-control")
_UNSTORED += (("cache-control", "no-store"),)
_STATIC = "A static page without data; what it shows it asks for with the person's session."
_SIGN_IN = "Nobody is signed in yet; it leads to the issuer, and tells nothing."
_RETURN = "The person comes back from the issuer; the sealed cookie of this browser is what counts."

_REFUSED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not signed in</title><link rel="stylesheet" href="assets/style.css"></head>
<body><main><div id="asked">
<h1>You are not signed in</h1>
<p>{said} Nothing was confirmed.</p>
{again}
</div></main></body></html>
"""

IssuerName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


_NO_ISSUER = FieldError(
    "/query/issuer", "It is none of the issuers where a person can sign in here.", "Name one that the page offers."
)


class Asking(Narrow):
    """The program that wants to do something."""

    id: str
    kind: str
    purpose: str


class Confirmation(Narrow):
    """What a person reads before they decide.

    `state`: `open` waits for them, `confirmed` lets the program go on once, `spent` can do nothing any more. `price` is
    what the effects cost, `ceiling` the most that it can be; times are RFC 3339 in UTC.
    `sent` is what the program sent and the effects do not show, by pointer.
    """

    id: str
    state: ConfirmationState
    person: str
    issuer: str
    program: Asking
    endpoint: str
    summary: str
    effects: list[Effect]
    sent: dict[str, str | int | float | bool]
    price: str | None
    ceiling: str | None
    rehearsed_at: str
    expires_at: str | None


class Decision(Input):
    """What the person decided: `allow` once, or `refuse` for good."""

    decision: Literal["allow", "refuse"]


def confirming(plan: Callable[[], Plan]) -> list[Endpoint]:
    """The endpoints of the confirmation page; `plan` is asked when it is needed."""
    own = Declaring()
    files = dict(files_of(FOLDER))
    own.add("/confirm/{rehearsal_id}", _shell(files["index.html"]), public=_STATIC)
    for name, page in files.items():
        own.add(f"/confirm/assets/{name}", asset(page), public=_STATIC)
    own.add("/confirm/sign-in", _begin(plan), public=_SIGN_IN, problems=(NotFound, InvalidInput, Unavailable))
    own.add(CALLBACK, _finish(plan), public=_RETURN, problems=(NotFound, QuotaExceeded))
    mine: dict[str, Any] = {"owned": True, "session": True, "problems": (NotFound, Unavailable)}
    own.add("/confirm/session", _sign_out(plan), kind="write", method="DELETE", **mine)
    own.add("/confirmations/{rehearsal_id}", _show(plan), **mine)
    own.add("/confirmations/{rehearsal_id}", _decide(plan), kind="write", method="POST", **mine)
    return own.endpoints


def _shell(page: Page) -> Callable[..., Any]:
    async def confirmation_page(rehearsal_id: RehearsalId) -> Page:
        """The page; its script asks for what it shows."""
        del rehearsal_id  # it stands in the address, where the script reads it
        return page

    return confirmation_page


def _begin(plan: Callable[[], Plan]) -> Callable[..., Any]:
    async def begin_sign_in(call: Call, rehearsal: RehearsalId, issuer: IssuerName | None = None) -> Page:
        """Lead the browser to the issuer; without `issuer` to the only one there is."""
        _live(call)
        sign_in = plan().sign_in
        chosen = issuer if issuer is not None or len(sign_in.issuers) != 1 else next(iter(sign_in.issuers))
        if chosen is None or chosen not in sign_in.issuers:
            raise InvalidInput(errors=[_NO_ISSUER])
        location, cookie = sign_in.begin(chosen, rehearsal)
        return _led(location, sign_in.cookie.set(cookie))

    return begin_sign_in


def _finish(plan: Callable[[], Plan]) -> Callable[..., Any]:
    async def finish_sign_in(
        call: Call,
        code: AuthorizationParameter | None = None,
        state: AuthorizationParameter | None = None,
        iss: AuthorizationParameter | None = None,
        error: AuthorizationParameter | None = None,
        error_description: AuthorizationParameter | None = None,
        error_uri: AuthorizationParameter | None = None,
        session_state: AuthorizationParameter | None = None,
    ) -> Page:
        """Begin the session of a person who comes back from the issuer (RFC 6749, 4.1.2)."""
        del error_description, error_uri, session_state  # texts of others, which nobody is shown
        _live(call)
        made = plan()
        await _take_attempt(made, call)
        try:
            answer = {"code": code, "state": state, "iss": iss, "error": error}
            who_is = await made.sign_in.finish(made.sign_in.cookie.read(call.raw.headers), answer)
        except SignInRefused as refused:
            return _told(refused, made.sign_in.cookie.clear())
        await _record(made, call, "begun", await made.persons.name(who_is.issuer, who_is.subject))
        session = made.sessions.begin(who_is.issuer, who_is.subject, who_is.name)
        return _led(
            f"{made.settings.public_url.rstrip('/')}/confirm/{who_is.rehearsal}",
            made.sign_in.cookie.clear(),
            made.sessions.cookie.set(session),
        )

    return finish_sign_in


async def _take_attempt(plan: Plan, call: Call) -> None:
    """Each return makes us ask a token endpoint; from one address it may be no more than unverified tokens may."""
    limit = plan.settings.limits.unverified
    policy = policy_of(Rate.parse(limit), f"sign-ins {limit}")
    counted = Counted(policy, plan.quotas.bucket(f"sign-in|{bucket_of(call.raw.peer)}"))
    allowed = await plan.addresses.take([(counted.bucket, policy.rate)])
    if not allowed.allowed:
        detail = "Too many sign-ins came from this address"
        raise plan.quotas.refuse(call, [counted], allowed, kind="addresses", detail=detail)


async def _record(plan: Plan, call: Call, what: str, named: Named | None) -> None:
    """Record that a person signed in or out here; it is on the disk before they hear of it."""
    await plan.log.keep(
        Event(
            time=timestamp(plan.now()),
            event="session",
            what=what,
            bff=call.endpoint.bff,
            caller=named.hash if named else None,
            endpoint=call.endpoint.id,
            trace_id=call.span.trace_id,
        )
    )


def _sign_out(plan: Callable[[], Plan]) -> Callable[..., Any]:
    async def sign_out(call: Call) -> Page:
        """End the session, at the server and in the browser."""
        _live(call)
        await plan().sessions.end(who(call).credential)
        await _record(plan(), call, "ended", call.named)
        return Page(b"", _HTML, (*_UNSTORED, plan().sessions.cookie.clear()))

    return sign_out


def _show(plan: Callable[[], Plan]) -> Callable[..., Any]:
    async def show_confirmation(rehearsal_id: RehearsalId, call: Call) -> Confirmation:
        """What a program wants to do in the person's name. Absent and another's are alike."""
        _live(call)
        return await _Asked(plan(), call).find(rehearsal_id)

    return show_confirmation


def _decide(plan: Callable[[], Plan]) -> Callable[..., Any]:
    async def decide_confirmation(rehearsal_id: RehearsalId, decided: Decision, call: Call) -> Confirmation:
        """Allow it once, or refuse it for good; what is spent stays so."""
        _live(call)
        return await _Asked(plan(), call).decide(rehearsal_id, decided.decision)

    return decide_confirmation


class _Asked:
    """What programs ask of the person of one call."""

    def __init__(self, plan: Plan, call: Call) -> None:
        self._plan = plan
        self._call = call
        self._credential: Credential = who(call).credential

    async def find(self, rehearsal_id: str) -> Confirmation:
        """One rehearsal of this person, whichever program made it. Raises `NotFound`."""
        owner, document = await self._find(rehearsal_id)
        return await self._shown(owner, document)

    async def decide(self, rehearsal_id: str, decision: Literal["allow", "refuse"]) -> Confirmation:
        """Note what the person decided; the record tells of which rehearsal. Raises `NotFound`."""
        owner, document = await self._find(rehearsal_id)
        self._call.rehearsal_id, self._call.decision = document.id, decision
        if decision == "refuse":
            # A receipt that is spent is good for nothing, whatever was confirmed before.
            await self._plan.commits.settle(self._attempt(owner, document), (), b"")
        elif await self._state(owner, document) != "spent":
            await self._plan.commits.confirm(rehearsal_id, owner)
        return await self._shown(owner, document)

    async def _find(self, rehearsal_id: str) -> tuple[Owner, KeptRehearsal]:
        issuer, subject = self._credential.issuer, self._credential.subject
        await self._plan.directory.refresh()
        owners = [Owner(p.tenant, issuer, subject, p.id) for p in self._plan.programs(issuer)]
        found = await self._plan.rehearsals.find(rehearsal_id, owners)
        if found is None:
            raise NotFound()
        document = read_kept(found[1])
        if document.commit != "confirmed":
            raise NotFound()
        return found[0], document

    def _summary(self, document: KeptRehearsal) -> str:
        """What the endpoint says of itself; what was rehearsed before an update may be gone."""
        found = (entry.endpoint for entry in self._plan.entries if entry.endpoint.id == document.endpoint)
        return next((endpoint.summary for endpoint in found), document.endpoint)

    async def _shown(self, owner: Owner, document: KeptRehearsal) -> Confirmation:
        return Confirmation(
            id=document.id,
            state=await self._state(owner, document),
            person=str(self._credential.claims["name"]),
            issuer=self._credential.issuer,
            program=self._program(owner),
            endpoint=document.endpoint,
            summary=self._summary(document),
            effects=[replace(effect, arguments=_exact(effect.arguments)) for effect in document.effects],
            sent=_exact(document.sent),
            price=document.price["asked"],
            ceiling=document.price["ceiling"],
            rehearsed_at=document.created_at,
            expires_at=document.expires_at,
        )

    def _program(self, owner: Owner) -> Asking:
        named = (p for p in self._plan.programs(owner.issuer) if (p.tenant, p.id) == (owner.tenant, owner.connector))
        program: Connector = next(named)
        return Asking(id=program.id, kind=program.kind, purpose=program.purpose)

    async def _state(self, owner: Owner, document: KeptRehearsal) -> ConfirmationState:
        return await state_of(self._plan.commits, document, owner, self._attempt(owner, document))

    def _attempt(self, owner: Owner, document: KeptRehearsal) -> Attempt:
        return attempt_on(self._call, owner, document, self._call.fresh_id())


def _exact(values: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers that a browser would round (RFC 8259, 6) as text: a person must not read another number."""
    return {
        pointer: str(value) if isinstance(value, int) and abs(value) > _ROUNDED else value
        for pointer, value in values.items()
    }


def _live(call: Call) -> None:
    """A rehearsal of a confirmation would be no rehearsal. Raises `NotFound` under the other base paths."""
    if call.mode != "live":
        raise NotFound()


def _led(location: str, *cookies: tuple[str, str]) -> Page:
    """Lead the browser on, by a GET (RFC 9110, 15.4.4)."""
    return Page(b"", _HTML, (*_UNSTORED, ("location", location), *cookies), 303)


def _told(refused: SignInRefused, *cookies: tuple[str, str]) -> Page:
    """Tell the person why a sign-in does not hold, and lead back."""
    again = f'<p><a class="button" href="{escape(refused.rehearsal)}">Begin again</a></p>' if refused.rehearsal else ""
    body = _REFUSED.replace("{said}", escape(refused.said)).replace("{again}", again)
    return Page(body.encode(), _HTML, (*_UNSTORED, *cookies), 503 if refused.away else 400)
