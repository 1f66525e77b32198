"""The errors of Narrows, and what a client reads of them (RFC 9457).

NarrowsError
├── SettingsError            narrows.toml or the environment does not hold
├── PolicyError              a Casbin model or policy does not load
├── ConnectorError           the record of a connector, or a change to it, does not hold
├── StartRefused             declarations that are unsafe by omission; carries every `Refusal`
├── OperationRefused         an operation outside its call, its `uses` or its count (a fault of the handler)
└── Problem                  an answer with a status, a stable type and a remedy
    ├── 400  MalformedRequest, AmbiguousCredentials, InvalidInput, DocumentRequired
    ├── 401  CredentialsMissing, InvalidToken, InteractionRequired
    ├── 402  BudgetExhausted
    ├── 403  ScopeMissing, Forbidden, ConnectorRefused, PersonRequired, CrossSite
    ├── 404  NotFound, DocumentNotFound
    ├── 405  MethodNotAllowed      406  NotAcceptable
    ├── 408  RequestTimeout
    ├── 409  AlreadyAttempted, EffectsDrifted, KeyInUse, ReceiptRefused
    ├── 413  ContentTooLarge       415  UnsupportedMediaType
    ├── 421  WrongHost             422  KeyReused
    ├── 428  ConfirmationRequired, ReceiptRequired
    ├── 429  QuotaExceeded, VolumeExhausted
    └── 5xx  InternalError, UpstreamFailed, Unavailable, UpstreamTimeout
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

PROBLEM_MEDIA_TYPE = "application/problem+json"


class NarrowsError(Exception):
    """Everything that Narrows raises on purpose."""


class SettingsError(NarrowsError):
    """The settings do not hold; the message names the key, the rule and the remedy."""


class PolicyError(NarrowsError):
    """A Casbin model or policy does not load; the message names file, line, rule and remedy."""


class ConnectorError(NarrowsError):
    """The record of a connector, or a change to it, does not hold; the message names what, the rule and the remedy."""


class AuditRefused(NarrowsError):
    """Somebody may not do this with the audit log; the message names the rule and the remedy."""


class OperationRefused(NarrowsError):
    """A handler used an operation outside its call, outside `uses` or more often than declared.

    It is a fault of the BFF, never of the client: the client reads a 500 that says nothing.
    """


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a BFF does not start.

    `code` is stable (see docs/reference/refusals.md), `subject` the endpoint, operation or setting, `where` is
    `file:line`, `rule` what does not hold, and `remedy` the line to add or change.
    """

    code: str
    subject: str
    where: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.subject}: {self.rule} [{self.code}]\n    remedy: {self.remedy}"


class StartRefused(NarrowsError):
    """The start is refused; `refusals` lists every reason at once."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        listed = "\n".join(str(refusal) for refusal in self.refusals)
        super().__init__(f"{len(self.refusals)} declaration(s) are not safe to start:\n{listed}")


class FieldError(msgspec.Struct, frozen=True):
    """One field that does not hold.

    `pointer` is a JSON pointer (RFC 6901) into `{"path": …, "query": …, "header": …, "body": …}`; `detail` states the
    rule and never repeats the value; `remedy` says what to send instead.
    """

    pointer: str
    detail: str
    remedy: str


class Problem(NarrowsError):
    """An answer in the form of RFC 9457. Teams derive their expected failures from it.

    A subclass sets `status`, `title` and `remedy`; its name in kebab case makes the last part of `type`.
    `detail` must never hold a token, a stack, a host name, a policy's text or a secret value. `members` stand beside
    the members of RFC 9457 and never replace one of them.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something failed"
    remedy: ClassVar[str] = "Try again later; give the trace id to the owner of this endpoint."
    slug: ClassVar[str] = "problem"
    type: ClassVar[str] = "urn:narrows:problem:problem"

    def __init_subclass__(cls) -> None:
        cls.slug = _WORDS.sub("-", cls.__name__).lower()
        if "type" not in cls.__dict__:
            cls.type = f"urn:narrows:problem:{cls.slug}"

    def __init__(
        self,
        detail: str | None = None,
        *,
        remedy: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.said_remedy = remedy or self.remedy
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def body(self, trace_id: str | None = None) -> dict[str, Any]:
        """The members of the problem document, in the order in which a person wants to read them."""
        document: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        document["remedy"] = self.said_remedy
        if self.errors:
            document["errors"] = [msgspec.to_builtins(error) for error in self.errors]
        for name, value in self.members.items():
            document.setdefault(name, value)
        if trace_id:
            document["trace_id"] = trace_id
        return document


class MalformedRequest(Problem):
    """The request line, a header or the body is not what HTTP or JSON allow."""

    status = 400
    title = "The request is malformed"
    remedy = "Send a plain HTTP request with a clean path and a UTF-8 JSON body."


class AmbiguousCredentials(Problem):
    """A token came twice, or by a way that is not allowed (RFC 6750, 2 and 3.1)."""

    status = 400
    title = "Credentials came in a way that is not allowed"
    remedy = "Send exactly one header `Authorization: Bearer <token>`, and no token in the URL or body."


class InvalidInput(Problem):
    """One or more fields do not hold; `errors` names each of them."""

    status = 400
    title = "Some fields do not hold"
    remedy = "Correct the fields listed in `errors`; each names its rule and its remedy."


class DocumentRequired(Problem):
    """Query text, where only documents run that were registered ahead, and by their id."""

    status = 400
    title = "Only documents that were registered ahead are run, by their id"
    remedy = "Register the document with the team of this BFF, and send its `documentId` in place of `query`."


class CredentialsMissing(Problem):
    """No credentials (RFC 6750, 3: a challenge without an error code)."""

    status = 401
    title = "Credentials are missing"
    remedy = "Sign in, and send the access token as `Authorization: Bearer <token>`."


class InvalidToken(Problem):
    """The token is not acceptable (RFC 6750, 3.1 `invalid_token`)."""

    status = 401
    title = "The access token is not valid here"
    remedy = "Get a new access token for this API and send it once."


class InteractionRequired(Problem):
    """The authorization server wants the person to act first; the challenge carries its claims."""

    status = 401
    title = "The person has to sign in again or consent"
    remedy = "Sign the person in again with the claims of the challenge; do not repeat with the same token."


class BudgetExhausted(Problem):
    """A budget does not cover the most that this call can cost; `budgets` says whose, and when each renews."""

    status = 402
    title = "A budget does not cover this call"
    remedy = "Wait until `renews_at`, or ask whoever answers for this connector for a larger budget."


class ScopeMissing(Problem):
    """The token lacks the scope of the endpoint (RFC 6750, 3.1 `insufficient_scope`)."""

    status = 403
    title = "The token lacks a scope"
    remedy = "Ask the authorization server for the scope named here, and send the new token."


class Forbidden(Problem):
    """The caller does not hold a role, or a rule does not hold; the same for a foreign and an absent object."""

    status = 403
    title = "Not allowed"
    remedy = "Ask the owner of this BFF for one of the roles named here."


class ConnectorRefused(Problem):
    """The program that calls is unknown, or its state does not allow this."""

    status = 403
    title = "This connector may not do this"
    remedy = "Ask the platform team to register or approve the connector for this environment."


class PersonRequired(Problem):
    """A service called an endpoint that is meant for a person."""

    status = 403
    title = "A person's token is required"
    remedy = "Call on behalf of a signed-in person, not with client credentials alone."


class CrossSite(Problem):
    """A request with a session that did not come from the BFF's own page."""

    status = 403
    title = "This does not come from the page of this BFF"
    remedy = "Open the confirmation page itself, in a window of its own, and confirm there."


class NotFound(Problem):
    """No such path, or nothing that this caller may know of."""

    status = 404
    title = "Nothing is here"
    remedy = "Look up the paths in /openapi.json."


class DocumentNotFound(Problem):
    """No GraphQL document of this id is registered; `code` is the one that Apollo's clients know."""

    status = 404
    title = "No document of this id is registered"
    remedy = "Send the id of a registered document; /openapi.json lists them. None can be registered by a request."


class MethodNotAllowed(Problem):
    """The path exists, the method does not."""

    status = 405
    title = "The method is not allowed here"
    remedy = "Use one of the methods in the `Allow` header."


class NotAcceptable(Problem):
    """None of the media types that the client takes can be given (RFC 9110, 15.5.7)."""

    status = 406
    title = "No media type that is accepted can be given"
    remedy = "Send `Accept: application/graphql-response+json, application/json`."


class RequestTimeout(Problem):
    """The request did not arrive in time."""

    status = 408
    title = "The request did not arrive in time"
    remedy = "Send headers and body without long pauses."


class AlreadyAttempted(Problem):
    """An earlier request with this idempotency key may have had its effect, and no answer of it can be given again."""

    status = 409
    title = "An earlier attempt may have had its effect"
    remedy = "Look whether it happened; to ask for it once more, send a new `Idempotency-Key`."


class EffectsDrifted(Problem):
    """A live call was about to send another write than the rehearsal told; `effects` names what was sent before."""

    status = 409
    title = "The call would do something else than was rehearsed"
    remedy = "Look at what was sent already, rehearse again, and send the new receipt."


class KeyInUse(Problem):
    """Another request with this idempotency key is still on its way."""

    status = 409
    title = "The first request with this key has not ended yet"
    remedy = "Wait as long as `Retry-After` says, and send the same request again."


class ReceiptRefused(Problem):
    """A receipt does not hold for this request; `reason` says why, from a closed list (docs/errors)."""

    status = 409
    title = "The receipt does not hold for this request"
    remedy = "Rehearse this very request again, and send its receipt once."


class ContentTooLarge(Problem):
    """The body or the head of the request is over its cap."""

    status = 413
    title = "The request is too large"
    remedy = "Send less; the cap is named here."


class UnsupportedMediaType(Problem):
    """The body is not JSON, or is encoded."""

    status = 415
    title = "The body's type is not supported"
    remedy = "Send `Content-Type: application/json` and no `Content-Encoding`."


class WrongHost(Problem):
    """The request was meant for another host (RFC 9110, 15.5.20)."""

    status = 421
    title = "This host is not served here"
    remedy = "Use one of the servers in /openapi.json."


class KeyReused(Problem):
    """An idempotency key came again with another request."""

    status = 422
    title = "This key came before with another request"
    remedy = "Send a new `Idempotency-Key` for a new request."


class ConfirmationRequired(Problem):
    """A live write needs a rehearsal that the person has confirmed; `confirm_url` is where (RFC 6585, 3)."""

    status = 428
    title = "The person has to confirm this first"
    remedy = "Let the person open `confirm_url`, and send the same request again once it is confirmed."


class ReceiptRequired(Problem):
    """A live write needs the receipt of a rehearsal (RFC 6585, 3)."""

    status = 428
    title = "This has to be rehearsed first"
    remedy = "Send the same request to `rehearse_url`, and its `Rehearsal-Receipt` with the live one."


class QuotaExceeded(Problem):
    """A rate is used up; the type is the one registered with IANA for it."""

    type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    status = 429
    title = "Too many requests"
    remedy = "Wait as long as `Retry-After` says."


class VolumeExhausted(Problem):
    """A volume does not cover this answer; `volumes` says whose, and when each renews."""

    status = 429
    title = "More was asked for than may be answered in this period"
    remedy = "Ask for less, or wait as long as `Retry-After` says."


class InternalError(Problem):
    """Narrows or the handler failed; nothing more is said."""

    status = 500
    title = "The endpoint failed"


class UpstreamFailed(Problem):
    """An upstream answered with something that was not declared.

    No client reads `upstream_status`; a guard denies by it where it tells of absence (pipeline/decide/reads.py).
    """

    status = 502
    title = "A service behind this endpoint failed"

    def __init__(self, detail: str | None = None, *, upstream_status: int | None = None) -> None:
        super().__init__(detail)
        self.upstream_status = upstream_status


class Unavailable(Problem):
    """A part that is needed for a safe answer is away; nothing was let through without it."""

    status = 503
    title = "A part that is needed is away"
    remedy = "Try again after `Retry-After`."


class UpstreamTimeout(Problem):
    """The deadline of the call passed."""

    status = 504
    title = "A service behind this endpoint took too long"
    remedy = "Try again; if it happens often, give the trace id to the owner of this endpoint."


def problem_classes() -> list[type[Problem]]:
    """Every problem of the framework, sorted by slug (teams' own are not among them)."""
    return sorted((c for c in Problem.__subclasses__() if c.__module__ == __name__), key=lambda c: c.slug)
