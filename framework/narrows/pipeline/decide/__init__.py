"""Step 6: may this caller do this to this object?

What a foreign and an absent object answer is the same to the byte, but for the trace id: it is made at start, from the
declaration alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from narrows.call import Call
from narrows.errors import Forbidden
from narrows.identity.roles import DecidesRoles
from narrows.identity.roles_live import LiveRoles
from narrows.identity.roles_names import role_name, subject_name
from narrows.pipeline.decide.binding import refuse_unbound
from narrows.pipeline.decide.grants import Grants, grants_of
from narrows.pipeline.decide.proofs import Proof, proofs
from narrows.pipeline.decide.reads import Denial, Read, given_reads, read_given
from narrows.pipeline.decide.recalling import HEADER, recaller
from narrows.pipeline.decide.rules import Rule, rules
from narrows.pipeline.decide.sandboxed import settle_in
from narrows.pipeline.decide.values import Domain, ValueMissing
from narrows.pipeline.step import Preparing, Step, who


class Guard(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All that decides about the calls of one endpoint, in the order in which it is asked."""

    roles: LiveRoles
    given: Mapping[str, Read]
    domain: Domain
    grants: Grants
    proofs: tuple[Proof, ...]
    rules: tuple[Rule, ...]
    denial: Denial
    recall: Callable[[Call], Awaitable[None]]

    async def decide(self, call: Call) -> None:
        """Decide about one call. Raises `Forbidden`, and what the guard's own reads fail with."""
        # One set of roles for the whole of a call, so that a reload in its midst cannot mix two policies.
        self.roles.refresh_if_changed(call.started)
        roles = self.roles.current
        if HEADER in call.raw.headers:
            await self.recall(call)
        if call.scenario == "denied":
            call.rule = "scenario: denied"
            raise self.denial()
        if self.given:
            await read_given(call, self.given, self.denial)
        if call.mode == "sandbox":
            settle_in(call, self.domain, roles, self.grants)
        await self._decide_role(call, roles)
        for proof in self.proofs:
            await proof.check(call, self.denial)
        for rule in self.rules:
            rule.check(call)

    async def _decide_role(self, call: Call, roles: DecidesRoles) -> None:
        caller, _, _ = who(call)
        call.domain = self.domain.name(call)
        if call.domain is None:
            call.rule = f"{self.domain.template} has no value"
            raise self.denial()
        grants = self.grants
        # Most roles are read nowhere, and each await costs a field of a document as much as finding them.
        read = grants.read
        held = grants.claimed(call) if read is None else await grants.held(call, call.domain, self.denial, read)
        decision = roles.decide(subject_name(caller.issuer, caller.subject), call.domain, call.endpoint.id, held)
        call.rule = decision.rule
        if not decision.allowed:
            raise self.denial()


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own decide by ownership in their handlers, ad-hoc text by its fields."""
    if preparing.endpoint.builtin or preparing.endpoint.ad_hoc:
        return None
    refuse_unbound(preparing)
    guard = Guard(
        roles=preparing.ground.roles,
        given=given_reads(preparing),
        domain=_domain(preparing),
        grants=grants_of(preparing, _roles(preparing)),
        proofs=tuple(proofs(preparing)),
        rules=tuple(rules(preparing)),
        denial=_denial(preparing),
        recall=recaller(preparing),
    )
    return guard.decide


def _roles(preparing: Preparing) -> frozenset[str]:
    """The encoded names of the roles that the endpoint wants."""
    if not preparing.endpoint.roles:
        preparing.refuse("roles-missing", "it does not say which roles may call it", 'add roles={"member"}')
    return frozenset(role_name(role) for role in preparing.endpoint.roles or ())


def _denial(preparing: Preparing) -> Denial:
    """The one denial of an endpoint: it depends on the declaration alone."""
    endpoint = preparing.endpoint
    listed = " or ".join(repr(role) for role in sorted(endpoint.roles or ()))
    text = f"One of these roles is needed within {_template(preparing)!r}: {listed}."
    return lambda: Forbidden(text)


def _template(preparing: Preparing) -> str:
    """The domain as it is declared; without `within` it is the BFF itself."""
    return preparing.endpoint.within or f"bff:{preparing.endpoint.bff}"


def _within_remedy(preparing: Preparing) -> str:
    document = preparing.endpoint.document
    if document is None:
        return 'write within="team:{team_id}" with a parameter, or "team:{booking.team_id}" with a field of `given`'
    variables = ", ".join(document.variables.__struct_fields__) or "none"
    return f'write within="team:{{team_id}}" with a variable of the document; it has: {variables}'


def _domain(preparing: Preparing) -> Domain:
    """Make the domain ready."""
    template, sendables = _template(preparing), preparing.ground.sendables
    given = preparing.endpoint.given.items()
    answers = {name: sendables[read].shape.answer for name, read in given if read in sendables}
    try:
        return Domain.prepare(template, preparing.shape, answers)
    except ValueMissing as missing:
        preparing.refuse(
            "within-unclear",
            f"within={template!r} does not lead to one value ({missing})",
            _within_remedy(preparing),
        )
        return Domain(template, "none")
