"""Who holds which role: from the claims of the token, and from a declared read. Policies are asked by `Roles`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from narrows.call import Call
from narrows.declare.shape import bare
from narrows.identity.roles import Grant
from narrows.identity.roles_names import domain_name, role_name
from narrows.pipeline.decide.reads import Denial, Read, quietly, reader
from narrows.pipeline.step import Preparing, who
from narrows.settings import RoleClaim, Settings

Claims = Mapping[str, tuple[RoleClaim, ...]]
_VALUE = "{value}"


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """What tells the roles of a caller; `wanted` are the encoded names of the roles that the endpoint wants."""

    claims: Claims
    read: Read | None
    wanted: frozenset[str]

    async def held(self, call: Call, domain: str, denial: Denial, read: Read) -> list[Grant]:
        """The roles that the caller holds by the token, and in `domain` by the read of `roles_from`."""
        answer = await quietly(call, read(call), denial, "roles_from")
        # The sandbox has no directory to ask: there the read would grant names that were made up.
        names = self.wanted if call.mode == "sandbox" else map(role_name, _names(answer))
        return [*self.claimed(call), *(Grant(role=name, domain=domain, source="roles_from") for name in names)]

    def claimed(self, call: Call) -> Sequence[Grant]:
        """The roles that the token's claims grant, by the settings of its issuer; all else grants nothing.

        They are the same for all fields of a document, so that they are found once for the whole call.
        """
        if call.claimed is None:
            call.claimed = tuple(self._claimed(call))
        return call.claimed

    def _claimed(self, call: Call) -> Iterator[Grant]:
        credential = who(call).credential
        for claim in self.claims.get(credential.issuer, ()):
            kind, _, rest = claim.domain.partition(":")
            for value in _values(credential.claims, claim.claim):
                if _grants(claim, value):
                    yield Grant(role=role_name(claim.role), domain=domain_name(kind, rest.replace(_VALUE, str(value))))


def grants_of(preparing: Preparing, wanted: frozenset[str]) -> Grants:
    """Make ready what tells the roles of a caller, and refuse a role that nobody can hold."""
    claims = _claims_of(preparing.ground.settings)
    _refuse_ungrantable(preparing, claims)
    operation = preparing.endpoint.roles_from
    read = reader(preparing, operation, "`roles_from`") if operation is not None else None
    _check_roles_read(preparing)
    return Grants(claims=claims, read=read, wanted=wanted)


def _claims_of(settings: Settings) -> Claims:
    """Which claims grant which roles, by issuer."""
    return {name: issuer.roles for name, issuer in settings.issuers.items()}


def _names(answer: Any) -> list[str]:
    return answer if isinstance(answer, list) else answer.roles


def _values(claims: Mapping[str, Any], path: str) -> list[str | bool | int]:
    """The texts, whole numbers and booleans of a claim; `realm_access.roles` leads into objects."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [value for value in listed if isinstance(value, str | bool | int)]


def _grants(claim: RoleClaim, value: str | bool | int) -> bool:
    """Whether one value of a claim grants the role: the wanted one, or any that names something.

    `admin: false` grants nothing, and a truth value is no name of an object.
    """
    if claim.value is not None:
        return value == claim.value and type(value) is type(claim.value)
    if _VALUE in claim.domain:
        return value != "" and not isinstance(value, bool)
    return bool(value)


def _refuse_ungrantable(preparing: Preparing, claims: Claims) -> None:
    """A role that nobody can hold is a mistake in a name, and would lock everybody out."""
    if preparing.endpoint.roles_from is not None:
        return
    granted = [role_name(claim.role) for issuer in claims.values() for claim in issuer]
    known = preparing.ground.roles.current.roles_known(granted)
    for role in sorted(preparing.endpoint.roles or ()):
        if role_name(role) not in known:
            preparing.refuse(
                "role-ungrantable",
                f"no issuer, policy or read can grant the role {role!r}",
                f"map a claim to it in [[issuers.….roles]], add `g, user:…, {role_name(role)}, …` to a policy file, "
                "or declare roles_from=",
            )


def _check_roles_read(preparing: Preparing) -> None:
    """`roles_from` answers a list of names, or an object with one in `roles`."""
    operation = preparing.endpoint.roles_from
    sendable = preparing.ground.sendables.get(operation) if operation is not None else None
    if sendable is not None and not _is_names(msgspec.inspect.type_info(sendable.shape.answer)):
        preparing.refuse(
            "roles-from-type",
            f"{sendable.operation.id} answers no list of role names",
            "answer list[ShortText], or a Narrow with `roles: list[ShortText]`",
        )


def _is_names(info: Any) -> bool:
    listed = bare(info)
    if isinstance(listed, msgspec.inspect.StructType):
        listed = next((bare(field.type) for field in listed.fields if field.name == "roles"), None)
    if not isinstance(listed, msgspec.inspect.ListType):
        return False
    item = bare(listed.item_type)
    if isinstance(item, msgspec.inspect.LiteralType):
        return all(isinstance(value, str) for value in item.values)
    return isinstance(item, msgspec.inspect.StrType)
