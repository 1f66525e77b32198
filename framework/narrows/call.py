"""The call: one request on its way through the pipeline, the same object whichever way it came in."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from narrows.declare.budget import Budget
from narrows.declare.commit import Commit
from narrows.declare.connectors import Ladder
from narrows.declare.rate import Rate
from narrows.errors import OperationRefused, Problem
from narrows.settings import ConnectorKind, ConnectorState, Secret

if TYPE_CHECKING:
    from narrows.declare.endpoint import Endpoint
    from narrows.declare.types import Money
    from narrows.declare.upstream import Operation
    from narrows.stores import Attempt, Commits
    from narrows.telemetry import CallSpan

Mode = Literal["live", "rehearse", "sandbox"]
Way = Literal["rest", "graphql", "self-test"]
Scenario = Literal["slow", "unavailable", "empty", "denied"]
"""A bad day that a request to the sandbox asks for."""


def random_id() -> str:
    """An id of 128 random bits, in 22 letters, digits, `_` and `-`."""
    return secrets.token_urlsafe(16)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The person or service on whose behalf a call happens.

    `actors` is the chain of `act` claims, the nearest first (RFC 8693, 4.1): only for the record, never for a decision.
    """

    issuer: str
    subject: str
    kind: Literal["person", "service"]
    actors: tuple[str, ...] = ()


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as records name them: `hash` under a `key` (32 bytes) that is theirs alone, and can be destroyed."""

    hash: str
    key: bytes

    def __repr__(self) -> str:
        return f"Named({self.hash})"


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """The program that calls, as it is registered; never named by a header.

    `purpose` says what it is for; `commit` is what its kind and its template ask of a live write at the least.
    `endpoints` and `scopes` are all that it may use (None: what its tokens allow), `rates` hold beside those of the
    endpoints, and `price_ceiling` is the dearest call that it may make (`priced` says whether that is limited at all).
    `budgets` are the most that its calls may cost, `volumes` the most that they may answer in a period.
    `credentials_until` is the time at which its last credential ends (None: it needs none), tokens issued at or before
    `tokens_after` are refused (both seconds since 1970), and `generation` grows with every change in the registry.
    `documents` is how it may name GraphQL documents.
    """

    id: str
    issuer: str
    client_id: str
    tenant: str
    kind: ConnectorKind
    state: ConnectorState
    version: str
    purpose: str = ""
    commit: Commit = "open"
    endpoints: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    rates: tuple[Rate, ...] = ()
    budgets: tuple[Budget, ...] = ()
    volumes: tuple[Budget, ...] = ()
    priced: bool = False
    price_ceiling: Money | None = None
    credentials_until: float | None = None
    tokens_after: float | None = None
    generation: int = 0
    documents: Ladder = "id"


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified access token says. `token` is the token itself, for the exchange alone."""

    issuer: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    expires_at: float
    token: Secret
    token_digest: bytes
    claims: Mapping[str, Any]
    actors: tuple[str, ...] = ()


class Posed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How a GraphQL request was posed: its method, and the media type that it is answered in, problems too.

    `text` is the query text that it sent in place of an id. `problem` says why it leads to no document.
    """

    method: str
    media: str
    text: str | None = None
    problem: Problem | None = None


class Raw(msgspec.Struct, kw_only=True):
    """What a way in hands over: text as it came, nothing decided, no object of a web framework.

    `variables` are those of a GraphQL document, as JSON, and `posed` says how it was asked for: its body was judged and
    read before. `read_body(cap)` reads the body and raises `ContentTooLarge` past `cap` bytes.
    """

    path: Mapping[str, str] = {}
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, Sequence[str]] = {}
    peer: str = ""
    variables: bytes | None = None
    posed: Posed | None = None
    read_body: Callable[[int], Awaitable[bytes]]

    def header(self, name: str) -> str | None:
        """The value of a header that came exactly once, else None."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None

    def __repr__(self) -> str:
        # Its headers hold the caller's token, and a tool that prints local variables of a fault would show it.
        return f"Raw({len(self.headers)} headers)"


class Hidden(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that is not shown: its JSON type, and a keyed digest by which two can be told apart."""

    type: str
    digest: str | None = None
    stand_in: bool = False


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream write that a rehearsal did not send.

    `arguments` shows values that came from the request; all else stands there as its type and keyed digest.
    """

    operation: str
    method: str
    path: str
    asks: str | None
    arguments: dict[str, str | int | float | bool | Hidden | None]
    price: str | None


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a stand-in came from: which of the made-up answers, and the JSON pointer in it."""

    made: int
    pointer: str


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a slot: literal text, or the places of which one gives its value."""

    text: str = ""
    places: tuple[Place, ...] = ()


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that a rehearsal answered itself.

    `content` is a digest of its arguments with the slots left out; `slots` leads from pointers of arguments to what
    stands there; `answer` is what was made up, as plain JSON, None when that is nothing or too large to be kept; `size`
    is its bytes, and `stand_ins` are the pointers in it of what only an upstream could give.
    """

    operation: str
    writes: bool
    price: str | None
    content: str
    slots: dict[str, tuple[Part, ...]]
    answer: Any = None
    size: int = 0
    stand_ins: tuple[str, ...] = ()


class RateLeft(msgspec.Struct, frozen=True):
    """How many more calls one rate allows until its window ends, or at once.

    `remaining` is None for a rate that others share: what it leaves would tell what they do.
    """

    rate: str
    remaining: int | None


class Page(msgspec.Struct, frozen=True):
    """An answer that is not JSON from a type: the assets of a page, documents made at start, and redirects."""

    body: bytes
    media_type: str
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200


class Reply(NamedTuple):
    """What goes back to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Allowance(msgspec.Struct, frozen=True, eq=False):
    """What a call of an endpoint may send: each operation's count, and the scopes asked for at each upstream.

    `read_asks` are the scopes of the reads alone: a rehearsal never asks for more.
    """

    counts: Mapping[Operation[..., Any], int]
    asks: Mapping[str, frozenset[str]]
    read_asks: Mapping[str, frozenset[str]]


NOTHING = Allowance({}, {}, {})


class Performer(Protocol):
    """Sends operations for the calls of one mode."""

    async def perform(self, call: Call, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Send one operation, or do in its place what the mode asks for."""
        ...


class Fields(Protocol):
    """Asks endpoints for the fields of a document, as child calls; see `pipeline/children.py`."""

    async def ask(self, call: Call, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of an endpoint (by its id) to arguments that a document resolved to."""
        ...


class Asked(Protocol):
    """A child call, as far as its parent tells of it: what it was decided by, and the problem that it ended in."""

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that was asked."""
        ...

    @property
    def rule(self) -> str | None:
        """The rule that decided; None when it was not reached."""
        ...

    @property
    def domain(self) -> str | None:
        """The domain that it decided in."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended, in the words of records."""
        ...

    @property
    def problem(self) -> Problem | None:
        """The problem that it ended in."""
        ...


class Claimed(Protocol):
    """What a live write has claimed, and what its operations are held to; see `upstreams/commitment.py`."""

    @property
    def attempt(self) -> Attempt:
        """The call as the store of commits knows it."""
        ...

    @property
    def receipt(self) -> str | None:
        """The rehearsal whose receipt is spent by this call; None as long as none is."""
        ...

    async def before(self, commits: Commits, operation: Operation[..., Any], values: Mapping[str, Any]) -> int | None:
        """Let one operation leave, and tell which rehearsed one it is."""
        ...

    def after(self, place: int, answer: Any) -> None:
        """Learn what the real answer gives in place of stand-ins."""
        ...


StandInIndex = dict[str, dict[int, dict[str, str | int]]]
"""Stand-ins as texts by their first characters and their length; see `upstreams/standins.py`."""


class Call:
    """One request on its way. Steps read what earlier steps wrote.

    `effects` are the writes that a rehearsal noted, `effects_id` is the id that it will have. Of a live call's writes,
    `sent` holds the ids of those that happened, `unknown` of those that left and of which nobody knows whether they
    happened, `failed` of those that did not happen; `in_flight` counts those under way. `raised` are the problems that
    operations ended in. `budget` is whether the budgets would suffice for the live call of a rehearsal. `rates_left` is
    what each rate still allows after this call, and `limits` are the headers that say so. `ending` is to be done when
    the call has ended, whatever became of it.

    `named` is the caller as records name them, and `decoded` says that `arguments` hold what their types say.

    `moment` is what `now()` tells; `ids` are those that `new_id()` gave, and `ids_due` those that it gives first,
    because a rehearsal gave them. `made` are the answers that a rehearsal made up, `sources` tells which of them gave a
    stand-in (of `stand_ins`, which only grows; it has an index), and `recalled` are those of an earlier one.
    `commitment` is what a live write has claimed; `replayed` says that its answer is one that was kept, and `recorded`
    that what it did is on its way into the audit log. `at` is the place in a document of the field whose problem ended
    it. `decision` is what a person decided of the rehearsal `rehearsal_id`. `children` are the fields that a document
    asked for, in the order in which it did. `claimed` are the roles that the claims of its token grant, once they were
    asked for (`pipeline/decide/grants.py`).
    """

    __slots__ = (
        "allowance",
        "answer",
        "arguments",
        "at",
        "budget",
        "caller",
        "children",
        "claimed",
        "commitment",
        "connector",
        "counts",
        "credential",
        "deadline",
        "decision",
        "decoded",
        "domain",
        "effects",
        "effects_id",
        "ending",
        "endpoint",
        "failed",
        "fields",
        "fresh_id",
        "given",
        "ids",
        "ids_due",
        "in_flight",
        "left_out",
        "limits",
        "made",
        "mode",
        "moment",
        "named",
        "notes",
        "now_s",
        "open",
        "performer",
        "price",
        "raised",
        "rates_left",
        "raw",
        "recalled",
        "recorded",
        "rehearsal_id",
        "replayed",
        "reply",
        "rule",
        "scenario",
        "scopes_asked",
        "sent",
        "sources",
        "span",
        "stand_in_index",
        "stand_ins",
        "started",
        "unknown",
        "way",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        mode: Mode,
        raw: Raw,
        *,
        way: Way,
        span: CallSpan,
        now_s: Callable[[], float],
        performer: Performer,
        allowance: Allowance = NOTHING,
        fresh_id: Callable[[], str] = random_id,
        fields: Fields | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.mode: Mode = mode
        self.way: Way = way
        self.raw = raw
        self.span = span
        self.now_s = now_s
        self.performer = performer
        self.allowance = allowance
        self.fresh_id = fresh_id
        self.fields = fields
        self.started = now_s()
        self.moment = self.started
        self.ids: list[str] = []
        self.ids_due: Sequence[str] = ()
        self.deadline: float = 0.0
        self.open = True
        self.credential: Credential | None = None
        self.caller: Caller | None = None
        self.named: Named | None = None
        self.connector: Connector | None = None
        self.arguments: dict[str, Any] = {}
        self.decoded = False
        self.given: dict[str, Any] = {}
        self.domain: str | None = None
        self.rule: str | None = None
        self.scenario: Scenario | None = None
        self.counts: dict[Operation[..., Any], int] = {}
        self.effects: list[Effect] = []
        self.effects_id: str | None = None
        self.sent: list[str] = []
        self.unknown: list[str] = []
        self.failed: list[str] = []
        self.in_flight = 0
        self.raised: list[Problem] = []
        self.rates_left: tuple[RateLeft, ...] = ()
        self.limits: Mapping[str, str] = {}
        self.ending: list[Callable[[], Awaitable[object]]] = []
        self.price: Money | None = None
        self.budget: Literal["suffices", "short"] | None = None
        self.scopes_asked: set[str] = set()
        self.left_out: set[str] = set()
        self.notes: list[str] = []
        self.stand_ins: set[Any] = set()
        self.stand_in_index: tuple[int, StandInIndex] = (0, {})
        self.made: list[Made] = []
        self.sources: dict[Any, list[Place]] = {}
        self.recalled: tuple[Made, ...] = ()
        self.commitment: Claimed | None = None
        self.recorded = False
        self.replayed = False
        self.at: tuple[str | int, ...] = ()
        self.decision: Literal["allow", "refuse"] | None = None
        self.rehearsal_id: str | None = None
        self.children: list[Asked] = []
        self.claimed: Sequence[Any] | None = None
        self.answer: Any = None
        self.reply: Reply | None = None

    @property
    def called(self) -> Endpoint:
        """The endpoint that the client called: this one, or the document of which this is a field."""
        return self.endpoint

    def now(self) -> datetime:
        """The time of this call, in UTC: the same whenever it is asked; with a receipt, that of the rehearsal."""
        return datetime.fromtimestamp(self.moment, UTC)

    def new_id(self) -> str:
        """A new id, such as for something to be made upstream; with a receipt, first those of the rehearsal."""
        given = len(self.ids)
        self.ids.append(self.ids_due[given] if given < len(self.ids_due) else self.fresh_id())
        return self.ids[-1]

    def spend(self, price: Money | None) -> None:
        """Count the price of one operation that is sent."""
        if price is not None:
            self.price = price if self.price is None else self.price + price

    def take_back(self, price: Money | None) -> None:
        """Count it no more: the operation surely never left."""
        if price is not None and self.price is not None:
            left = self.price - price
            self.price = left if left.amount else None

    async def field(self, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        """Ask an endpoint for a field of this document; its guards decide on these arguments.

        Raises `OperationRefused` for what is no document, or has ended, and for a field that it does not select, or not
        as often; and what the endpoint ends in.
        """
        if self.fields is None or not self.open:
            raise OperationRefused(f"{self.endpoint.id} cannot ask for {endpoint}: it is no document, or has ended")
        return await self.fields.ask(self, endpoint, arguments)

    async def perform(self, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Send an operation that is bound to this call; what is awaited after the call has ended is refused."""
        try:
            return await self.performer.perform(self, operation, args, kwargs)
        except Problem as problem:
            self.raised.append(problem)
            raise

    def __repr__(self) -> str:
        return f"Call({self.endpoint.id}, {self.mode}, {self.way})"
