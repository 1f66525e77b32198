"""What a rehearsal of a write offers: the receipt to which one live call is bound."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from narrows.call import Call
from narrows.declare.commit import strictest
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Money
from narrows.pipeline.receipts import Receipts
from narrows.pipeline.rehearsal import Binding, Offer, text_of
from narrows.pipeline.step import who
from narrows.settings import Settings
from narrows.upstreams.made import MOST, digest_of
from narrows.upstreams.standins import holds_stand_in


class Offers:
    """Makes the receipts. `declarations` are the digests of what the endpoints declare."""

    def __init__(
        self,
        settings: Settings,
        receipts: Receipts,
        ceilings: Mapping[Endpoint, Money | None],
        declarations: Mapping[Endpoint, str],
    ) -> None:
        self._public_url = settings.public_url.rstrip("/")
        self._environment = settings.environment
        self._lifetime_s = settings.stores.rehearsal_s
        self._receipts = receipts
        self._ceilings = ceilings
        self._declarations = declarations

    def of(self, call: Call, rehearsal_id: str) -> Offer | None:
        """The offer of a rehearsal that went well; None where no live call could follow from it.

        Sandboxes give none, nor do rehearsals whose arguments hold stand-ins, because no live call can bring those.
        """
        if call.mode != "rehearse" or call.endpoint.kind != "write":
            return None
        if len(call.made) >= MOST or holds_stand_in(call, call.arguments):
            return None
        connector = who(call).connector
        commit = strictest(call.endpoint.commit, connector.commit)
        expires = int(call.started + self._lifetime_s)
        return Offer(
            commit=commit,
            receipt=self._receipts.sign(rehearsal_id, expires),
            expires_at=datetime.fromtimestamp(expires, UTC).isoformat(),
            confirm_url=f"{self._public_url}/confirm/{rehearsal_id}" if commit == "confirmed" else None,
            binding=Binding(
                endpoint=call.endpoint.id,
                environment=self._environment,
                connector_version=connector.version,
                arguments=digest_of(call.arguments),
                declaration=self._declarations.get(call.endpoint, ""),
                ceiling=text_of(self._ceilings.get(call.endpoint)),
                moment=call.moment,
                ids=tuple(call.ids),
            ),
        )
