"""Which document a GraphQL request asks for. Nothing is decided here: the document's own steps are its guards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from narrows.call import Posed, Raw
from narrows.errors import (
    DocumentNotFound,
    DocumentRequired,
    FieldError,
    InvalidInput,
    MethodNotAllowed,
    NotAcceptable,
    Problem,
    RequestTimeout,
)
from narrows.pipeline.receive import check_body
from narrows.plan.entries import Entry
from narrows.settings.parts import LimitSettings
from narrows.surfaces.graphql.accepting import RESPONSE, media_of
from narrows.surfaces.graphql.gate import PATH
from narrows.surfaces.graphql.ids import by_id
from narrows.surfaces.graphql.protocol import Wanted, from_body, from_query, other_operation

METHODS = ("GET", "POST")
_BASES = ("rehearse", "sandbox")

Improvise = Callable[[Wanted, str], Entry]


class Incoming(msgspec.Struct, kw_only=True):
    """A request as it came; `name` is the document that its path names, `read_body` see `Raw`."""

    method: str
    name: str | None
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, Sequence[str]]
    peer: str
    read_body: Callable[[int], Awaitable[bytes]]


def is_graphql(path: str) -> bool:
    """Whether a path is one of GraphQL, under any base path."""
    parts = path.split("/")[1:] or [""]  # of `*`, the target of OPTIONS, nothing is left
    return parts[parts[0] in _BASES :][:1] == [PATH[1:]]


class Dispatch:
    """Leads requests to the entries of documents, and all others to the gate."""

    def __init__(self, entries: Iterable[Entry], limits: LimitSettings, ad_hoc: Improvise | None = None) -> None:
        """Keep what is ready; `ad_hoc` makes other text ready, which only development may."""
        self._ad_hoc = ad_hoc
        self._limits = limits
        ready = {entry.endpoint: entry for entry in entries}
        self._gates = {endpoint.method: entry for endpoint, entry in ready.items() if endpoint.path == PATH}
        documents = [endpoint for endpoint in ready if endpoint.document is not None]
        self._by_id = {name: ready[endpoint] for name, endpoint in by_id(documents).items()}
        self._by_text = {one.document.source: ready[one] for one in documents if one.document is not None}

    async def lead(self, incoming: Incoming) -> tuple[Entry, Raw]:
        """The entry that a request goes to, and what it is called with; the gate is told why it is the gate."""
        media = media_of(incoming.headers.get("accept", ()))
        wanted: Wanted | None = None
        try:
            if media is None:
                raise NotAcceptable()
            wanted = await self._read(incoming)
            entry = self._find(wanted, incoming)
        except Problem as problem:
            posed = Posed(
                method=incoming.method,
                media=media or RESPONSE,
                text=wanted.text if wanted else None,
                problem=problem,
            )
            return self._gates[incoming.method], _raw(incoming, posed, wanted)
        # Where any text runs, no record of a connector says which: its ladder is not asked.
        text = wanted.text if self._ad_hoc is None else None
        return entry, _raw(incoming, Posed(method=incoming.method, media=media, text=text), wanted)

    async def _read(self, incoming: Incoming) -> Wanted:
        """Read the parameters; of a POST without credentials nothing is read, because it is answered with a 401."""
        limits, name = self._limits, incoming.name
        takes_body = incoming.method == "POST"
        check_body(incoming.headers, limits.body_bytes, takes_body=takes_body)
        if not takes_body:
            return from_query(incoming.query, limits.json_depth, name)
        if incoming.query:
            raise InvalidInput(
                errors=[FieldError("/query", "A POST takes no query.", "Send the parameters in the body.")]
            )
        if "authorization" not in incoming.headers:
            raise DocumentRequired()
        try:
            async with asyncio.timeout(limits.call_s):
                body = await incoming.read_body(limits.body_bytes)
        except TimeoutError:
            raise RequestTimeout() from None
        return from_body(body, limits.json_depth, name)

    def _find(self, wanted: Wanted, incoming: Incoming) -> Entry:
        """The document that is wanted. Raises a `Problem`."""
        if wanted.text is not None:
            known = self._by_text.get(wanted.text)
            entry = known if known is not None else self._improvised(wanted, wanted.text, incoming)
        else:
            named = self._by_id.get(wanted.id or "")
            if named is None:
                raise DocumentNotFound(members={"code": "PERSISTED_QUERY_NOT_FOUND"})
            entry = named
        document = entry.endpoint.document
        if document is not None and wanted.operation not in (None, document.operation_name):
            raise InvalidInput(errors=[other_operation(wanted.place)])
        if incoming.method != "POST" and entry.endpoint.kind == "write":
            raise MethodNotAllowed("A mutation has effects, and a GET has none.", headers={"Allow": "POST"})
        return entry

    def _improvised(self, wanted: Wanted, text: str, incoming: Incoming) -> Entry:
        """Text of no document, where that runs; without credentials it is not even read. Raises a `Problem`."""
        if self._ad_hoc is None or "authorization" not in incoming.headers:
            raise DocumentRequired("The query text is that of no registered document.")
        return self._ad_hoc(wanted, text)


def _raw(incoming: Incoming, posed: Posed, wanted: Wanted | None) -> Raw:
    return Raw(
        # Step 2 refuses a token in the URL; every other name was judged here.
        query=[pair for pair in incoming.query if pair[0] == "access_token"],
        headers=incoming.headers,
        peer=incoming.peer,
        variables=wanted.variables if wanted else None,
        posed=posed,
        read_body=incoming.read_body,
    )
