"""What a connector and a token allow: asked for a call as a whole, and for each field of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from narrows.call import Caller, Connector, Mode, Posed
from narrows.declare.types import Money
from narrows.errors import ConnectorRefused, DocumentRequired, PersonRequired, ScopeMissing
from narrows.pipeline.challenge import challenge
from narrows.settings import ConnectorState, Settings

_BY_ID = (
    "Send `documentId` in place of `query`: the name of the document, or `sha256:` and the hash of its text; "
    '`documents = "match"` in the record of the connector lets it send the text of registered documents too.'
)
_BASE_PATH = (
    "Use a base path that its state allows, or have it approved. "
    "States: draft (sandbox only), trial (reads and rehearsals), live."
)
# Of these no base path helps, nor an approval.
_REMEDIES: Mapping[ConnectorState, str] = {
    "suspended": "Ask who answers for it why it was stopped. It goes on after: narrows connector resume.",
    "expired": "Ask its owner for a record with a later `expires`, which is then applied and approved.",
    "revoked": "This is for good. Use another program, or ask its owner to have a new one registered.",
}


def check_state(connector: Connector, mode: Mode, *, write: bool) -> None:
    """Refuse what a connector's state does not allow. Raises `ConnectorRefused`."""
    match connector.state:
        case "live":
            return
        case "trial" if not (write and mode == "live"):
            return
        case "draft" if mode == "sandbox":
            return
    raise ConnectorRefused(
        f"The connector is in state {connector.state!r}.",
        remedy=_REMEDIES.get(connector.state, _BASE_PATH),
    )


def check_ladder(connector: Connector, posed: Posed | None) -> None:
    """Refuse query text of a program that may name documents by their id alone. Raises `DocumentRequired`."""
    if posed is not None and posed.text is not None and connector.documents == "id":
        raise DocumentRequired("The record of the connector lets it name documents by their id alone.", remedy=_BY_ID)


def check_credentials(connector: Connector, now: float) -> None:
    """Refuse a connector whose credentials are all past their age. Raises `ConnectorRefused`."""
    if connector.credentials_until is not None and now >= connector.credentials_until:
        raise ConnectorRefused(
            "The connector has no credential that still holds: each has its age, or there is none.",
            remedy="Ask its owner for a new credential: narrows connector rotate.",
        )


def check_named(connector: Connector, endpoint: str) -> None:
    """Refuse an endpoint that is not in a connector's record. Raises `ConnectorRefused`."""
    if connector.endpoints is not None and endpoint not in connector.endpoints:
        raise ConnectorRefused(f"The record of the connector does not name the endpoint {endpoint!r}.")


def check_scopes(connector: Connector, scopes: Sequence[str]) -> None:
    """Refuse scopes that are not in a connector's record. Raises `ConnectorRefused`."""
    if connector.scopes is None:
        return
    for scope in scopes:
        if scope not in connector.scopes:
            raise ConnectorRefused(f"The record of the connector does not name the scope {scope!r}.")


def check_price(connector: Connector, ceiling: Money | None) -> None:
    """Refuse what costs more than a connector's record allows. Raises `ConnectorRefused`."""
    if connector.priced and ceiling is not None and not _covers(connector.price_ceiling, ceiling):
        raise ConnectorRefused(
            f"One call can cost {ceiling}, and the record of the connector allows {connector.price_ceiling or 'none'}."
        )


def check_kind(caller: Caller, *, for_services: bool) -> None:
    """Refuse a service where a person must call. Raises `PersonRequired`."""
    if caller.kind == "service" and not for_services:
        raise PersonRequired()


class NeededScopes:
    """The scopes that a token must hold; what a client reads of it names all of them at once (RFC 6750, 3)."""

    def __init__(self, settings: Settings, scopes: Sequence[str]) -> None:
        self.all = tuple(dict.fromkeys(scopes))
        self._set = frozenset(scopes)
        self._settings = settings

    def check(self, held: frozenset[str]) -> None:
        """Raises `ScopeMissing`."""
        if self._set <= held:
            return
        missing = next(scope for scope in self.all if scope not in held)
        listed = " ".join(self.all)
        raise ScopeMissing(
            f"The token does not hold the scope {missing!r}.",
            headers=challenge(self._settings, "insufficient_scope", listed),
            members={"scope": listed},
        )


def _covers(allowed: Money | None, ceiling: Money) -> bool:
    return allowed is not None and allowed.currency == ceiling.currency and ceiling.amount <= allowed.amount
