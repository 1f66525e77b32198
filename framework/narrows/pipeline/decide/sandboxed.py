"""In the sandbox, made-up objects belong where the caller may look; else every guard would deny them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import msgspec

from narrows.call import Call
from narrows.identity.roles import DecidesRoles
from narrows.identity.roles_names import subject_name
from narrows.pipeline.decide.grants import Grants
from narrows.pipeline.decide.values import Domain
from narrows.pipeline.step import who


def settle_in(call: Call, domain: Domain, roles: DecidesRoles, grants: Grants) -> None:
    """Put the compared field of a made-up object into a domain in which the caller holds one of the roles."""
    if domain.given is None or domain.attribute is None:
        return
    made = call.given[domain.given]
    kind = next(f.type for f in msgspec.structs.fields(type(made)) if f.name == domain.attribute)
    owns = list(_own(call, domain.kind, roles, grants))
    # What an earlier rehearsal made belongs somewhere already.
    if call.recalled and str(msgspec.to_builtins(getattr(made, domain.attribute))) in owns:
        return
    for own in owns:
        try:
            value = msgspec.convert(own, kind, strict=False)
        except msgspec.ValidationError:
            continue
        call.given[domain.given] = msgspec.structs.replace(made, **{domain.attribute: value})
        return


def _own(call: Call, kind: str, roles: DecidesRoles, grants: Grants) -> Iterator[str]:
    """The values of the caller's domains of one kind, as they were before they were encoded."""
    caller, _, _ = who(call)
    subject = subject_name(caller.issuer, caller.subject)
    for name in roles.domains_of(subject, grants.wanted, list(grants.claimed(call))):
        domain_kind, _, value = name.partition(":")
        if domain_kind == kind:
            yield unquote_to_bytes(value).decode("utf-8", "surrogatepass")
