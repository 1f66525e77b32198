import logging
from typing import Any

import msgspec
import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from narrows import NumberId, Problem
from narrows.audit.log import RecordLog
from narrows.audit.persons import arguments_digest
from narrows.audit.redaction import Redactor
from narrows.call import Call, Effect, Reply
from narrows.declare.shape import endpoint_shape
from narrows.declare.types import Money
from narrows.errors import Forbidden, InvalidToken, NotFound, QuotaExceeded, Unavailable, UpstreamTimeout
from narrows.pipeline.offering import Offers
from narrows.pipeline.receipts import Receipts
from narrows.pipeline.recorded import Recorder
from narrows.pipeline.settle import Settle
from narrows.stores import Owner
from narrows.stores.commits import Lifetimes
from narrows.stores.memory import MemoryRehearsals
from narrows.stores.memory_commits import MemoryCommits
from narrows.telemetry import CallSpan, Telemetry
from narrows.testing import Clock, Records
from narrows.upstreams.commitment import Commitment, attempt_of
from tests.unit.pipeline import calls

KEY = b"k" * 32
OWNER = Owner("example", "corp", "anna", "app")


class Span(CallSpan):
    """A span that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(calls.TRACE_ID)
        self.attributes: dict[str, Any] = {}
        self.ends: list[tuple[int, str | None]] = []

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        self.attributes[key] = value

    def end(self, status: int, problem_type: str | None) -> None:
        self.ends.append((status, problem_type))


class Effects(Telemetry):
    """Keeps the effects that are counted."""

    def __init__(self) -> None:
        super().__init__(None, (NoOpTracerProvider(), NoOpMeterProvider()), random=bytes)
        self.counted: list[tuple[str, str]] = []

    def effect(self, operation: str, mode: str) -> None:
        self.counted.append((operation, mode))


class Ended:
    """Calls, and what became of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.records = Records()
        self.rehearsals: Any = MemoryRehearsals(self.clock, 3600, KEY)
        self.commits: Any = MemoryCommits(self.clock, Lifetimes(3600, 86_400), KEY)
        self.effects = Effects()
        self.span = Span()
        self.settle = self.make(self.records.write)

    def make(self, write: Any, **more: Any) -> Settle:
        """Settle with records that go elsewhere."""
        return Settle(
            **more,
            log=RecordLog(write),
            rehearsals=self.rehearsals,
            commits=self.commits,
            offers=Offers(calls.settings(), Receipts({"k": KEY}), {}, {}),
            telemetry=self.effects,
            ceilings={ENDPOINT: Money.parse("2 EUR")},
            scopes={ENDPOINT: ["teams:read"]},
            recorder=Recorder({ENDPOINT: Redactor(ENDPOINT, endpoint_shape(ENDPOINT))}, self.clock),
            sensitive=False,
            new_id=lambda: "r1",
            public_url="https://bff.test/",
        )

    def call(self, *, answered: bool = True, **how: Any) -> Call:
        """A call that was answered, if nothing else is said."""
        call = calls.call(how.pop("endpoint", ENDPOINT), clock=self.clock, **how)
        call.span = self.span
        if answered:
            call.reply = Reply(200, [("content-type", "application/json")], b"{}")
            call.answer = {}
        return call


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


ENDPOINT = calls.declared(team, within="team:{team_id}")


class Taken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"


def type_of(reply: Reply) -> str:
    """The type of a problem."""
    return str(msgspec.json.decode(reply.body)["type"]).rpartition(":")[2]


def failing(line: bytes) -> None:
    """A disk that is full, of which the system tells too much."""
    raise OSError("no space left at /secret/place")


# --- a call that was answered ---------------------------------------------------------------------------------------


async def test_an_answer_has_one_record_and_one_span() -> None:
    """Who asked for what, by which rule, what it did and what it cost; no name of a person."""
    ended = Ended()
    program = calls.connector(purpose="Order lunch")
    call = ended.call(arguments={"team_id": 7}, path={"team_id": "7"}, program=program)
    call.rule, call.domain, call.decoded = "role:member in team:7", "team:7", True
    call.sent, call.unknown, call.price = ["Tables.book"], ["Tables.pay"], Money.parse("0.05 EUR")
    call.scopes_asked = {"b", "a"}
    ended.clock.move(0.25)
    reply = await ended.settle.ended(call, None)
    assert reply == (
        200,
        [
            ("content-type", "application/json"),
            ("cache-control", "private, no-store"),
            ("x-content-type-options", "nosniff"),
        ],
        b"{}",
    )
    [record] = ended.records.all()
    hashed = calls.NAMED.hash
    assert record == {
        "event": "call",
        "time": "2025-11-24T16:00:00.000Z",
        "trace_id": calls.TRACE_ID,
        "endpoint": "lunch.team",
        "bff": "lunch",
        "mode": "live",
        "way": "rest",
        "method": "GET",
        "status": 200,
        "outcome": "ok",
        "problem": None,
        "tenant": "example",
        "connector": "app",
        "connector_version": "1",
        "purpose": "Order lunch",
        "caller": hashed,
        "actors": [],
        "rule": "role:member in team:7",
        "domain": "team:7",
        "arguments": {"team_id": 7},
        "hidden": [],
        "arguments_digest": arguments_digest(calls.NAMED, b'{"team_id":7}'),
        "effects": ["Tables.book", "Tables.pay"],
        "size": 2,
        "records": 1,
        "price": "0.05 EUR",
        "duration_ms": 250.0,
        "peer": "192.0.2.1",
        "scopes_asked": ["a", "b"],
        "scenario": None,
        "rehearsal": None,
        "decision": None,
        "receipt": None,
        "idempotency": None,
        "fields": [],
    }
    assert ended.span.ends == [(200, None)]
    assert ended.span.attributes == {
        "narrows.outcome": "ok",
        "narrows.caller": hashed,
        "narrows.tenant": "example",
        "narrows.connector": "app",
        "narrows.connector.version": "1",
        "narrows.purpose": "Order lunch",
        "narrows.rule": "role:member in team:{team_id}",
        "narrows.price": "0.05 EUR",
    }
    assert ended.effects.counted == [("Tables.book", "live"), ("Tables.pay", "live")]


@pytest.mark.parametrize(
    ("within", "domain", "told"),
    [
        ("team:{team_id}", "team:7", "role:member in team:{team_id}, allowed"),
        ("team:{team_id}", None, "role:member in team:7, allowed"),
        (None, "team:7", "role:member in team:7, allowed"),
    ],
)
async def test_a_trace_holds_the_rule_without_the_id(within: str | None, domain: str | None, told: str) -> None:
    """The record has the domain, the trace only its template; without `within` there is no id to hide."""
    ended = Ended()
    call = ended.call(endpoint=msgspec.structs.replace(ENDPOINT, within=within))
    call.rule, call.domain = "role:member in team:7, allowed", domain
    await ended.settle.ended(call, None)
    assert ended.span.attributes["narrows.rule"] == told
    assert ended.records.all()[0]["rule"] == "role:member in team:7, allowed"


async def test_a_page_keeps_its_own_caching() -> None:
    """What is the same for everybody may be kept."""
    ended = Ended()
    call = ended.call(answered=False)
    call.reply = Reply(200, [("cache-control", "no-cache")], b"")
    reply = await ended.settle.ended(call, None)
    assert reply.headers == [("cache-control", "no-cache"), ("x-content-type-options", "nosniff")]


async def test_a_call_without_reply_is_a_fault() -> None:
    """A pipeline that lost its last step answers nothing."""
    ended = Ended()
    assert type_of(await ended.settle.ended(ended.call(answered=False), None)) == "internal-error"


async def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    """A record is read by programs."""
    ended = Ended()
    call = ended.call()
    ended.clock.move(-5)
    await ended.settle.ended(call, None)
    assert ended.records.all()[0]["duration_ms"] == 0.0


async def test_arguments_that_do_not_hold_are_not_recorded() -> None:
    """What was refused may hold anything, and what its type says of it does not count."""
    ended = Ended()
    await ended.settle.ended(ended.call(arguments={"team_id": 7}), None)
    [record] = ended.records.all()
    assert (record["arguments"], record["arguments_digest"]) == ({}, None)


async def test_who_takes_nothing_has_no_digest_of_it() -> None:
    """Every digest is one of something."""
    ended = Ended()
    call = ended.call()
    call.decoded = True
    await ended.settle.ended(call, None)
    assert ended.records.all()[0]["arguments_digest"] is None


# --- rehearsals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["rehearse", "sandbox"])
async def test_a_rehearsal_is_kept_and_linked(mode: Any) -> None:
    """The link stays under the request's own base path, and the document is there for its owner."""
    ended = Ended()
    call = ended.call(mode=mode)
    call.effects = [Effect(operation="T.a", method="POST", path="/x", asks=None, arguments={}, price=None)]
    reply = await ended.settle.ended(call, None)
    assert ("link", f'<https://bff.test/{mode}/rehearsals/r1>; rel="describedby"') in reply.headers
    document = msgspec.json.decode(await ended.rehearsals.get("r1", OWNER) or b"{}")
    assert (document["id"], document["mode"], document["price"]["ceiling"]) == ("r1", mode, "2 EUR")
    assert call.rehearsal_id == "r1"
    assert ended.records.all()[0]["effects"] == ["T.a"]
    assert ended.effects.counted == [("T.a", mode)]


async def test_narrows_own_answers_are_no_rehearsals() -> None:
    """To read a rehearsal is none."""
    ended = Ended()
    owned = msgspec.structs.replace(ENDPOINT, owned=True)
    reply = await ended.settle.ended(ended.call(endpoint=owned, mode="rehearse"), None)
    assert "link" not in dict(reply.headers)
    assert await ended.rehearsals.newest(OWNER, 5) == []


async def test_a_rehearsal_that_cannot_be_kept_is_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    """Its answer would lead nowhere; the client may try again."""

    class Full:
        async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
            raise OSError("no space left at /secret/place")

    ended = Ended()
    ended.rehearsals = Full()
    reply = await ended.make(ended.records.write).ended(ended.call(mode="rehearse"), None)
    assert (reply.status, dict(reply.headers)["retry-after"]) == (503, "5")
    assert ended.records.all()[0]["status"] == 503
    assert "a rehearsal could not be kept: OSError" in caplog.text
    assert "secret" not in caplog.text


# --- a call that was not --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        (InvalidToken(), "denied"),
        (Forbidden("no"), "denied"),
        (QuotaExceeded(), "refused"),
        (Taken(), "refused"),
        (UpstreamTimeout(), "failed"),
    ],
)
async def test_a_problem_is_recorded_by_its_type(problem: Problem, outcome: str) -> None:
    """Who was denied is told apart from what failed."""
    ended = Ended()
    reply = await ended.settle.ended(ended.call(answered=False), problem)
    assert reply.status == problem.status
    [record] = ended.records.all()
    assert (record["status"], record["outcome"], record["problem"]) == (problem.status, outcome, problem.type)
    assert ended.span.ends == [(problem.status, problem.type)]
    assert ended.span.attributes["narrows.outcome"] == outcome


async def test_a_call_of_nobody_is_recorded_too() -> None:
    """Without caller, program and rule."""
    ended = Ended()
    await ended.settle.ended(ended.call(answered=False, anonymous=True), InvalidToken())
    [record] = ended.records.all()
    assert {record[name] for name in ("tenant", "connector", "caller", "rule", "price")} == {None}
    assert ended.span.attributes == {"narrows.outcome": "denied"}


async def test_a_fault_tells_the_client_nothing_and_the_operators_its_place(caplog: pytest.LogCaptureFixture) -> None:
    """The text of an error may hold what an upstream sent."""
    ended = Ended()
    reply = await ended.settle.ended(ended.call(answered=False), ValueError("anna earns 52000"))
    assert type_of(reply) == "internal-error"
    assert b"52000" not in reply.body
    assert "lunch.team failed: ValueError" in caplog.text
    assert "52000" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


async def test_writes_that_happened_before_a_failure_are_named() -> None:
    """Whoever tries again knows what would be doubled."""
    ended = Ended()
    call = ended.call(answered=False)
    call.sent, call.unknown = ["Tables.book"], ["Tables.pay"]
    body = msgspec.json.decode((await ended.settle.ended(call, KeyError())).body)
    assert (body["effects"], body["effects_unknown"]) == (["Tables.book"], ["Tables.pay"])
    assert ended.records.all()[0]["effects"] == ["Tables.book", "Tables.pay"]


def test_a_client_that_went_away_is_recorded() -> None:
    """What was done for it stays known."""
    ended = Ended()
    ended.settle.cancelled(ended.call(answered=False))
    [record] = ended.records.all()
    assert (record["status"], record["outcome"], record["problem"]) == (499, "cancelled", None)
    assert ended.span.ends == [(499, None)]


# --- no answer without its record -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, Forbidden("no"), KeyError()])
async def test_without_a_record_there_is_no_answer(fault: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it was to be, it becomes a 503; and what was sent before is named."""
    ended = Ended()
    call = ended.call()
    call.sent = ["Tables.book"]
    reply = await ended.make(failing).ended(call, fault)
    assert (reply.status, type_of(reply), dict(reply.headers)["retry-after"]) == (503, "unavailable", "5")
    assert msgspec.json.decode(reply.body)["effects"] == ["Tables.book"]
    assert ended.span.ends == [(503, "urn:narrows:problem:unavailable")]
    assert ended.span.attributes["narrows.outcome"] == "failed"
    assert "a record could not be written: OSError" in caplog.text
    assert "secret" not in caplog.text


def test_a_client_that_went_away_needs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """The fault of the record is told, and ends nothing else."""
    ended = Ended()
    ended.make(failing).cancelled(ended.call(answered=False))
    assert "a record could not be written" in caplog.text


async def test_the_proof_at_start_leaves_no_record() -> None:
    """No client asked."""
    ended = Ended()
    call = ended.call(answered=False)
    call.way = "self-test"
    reply = await ended.make(failing).ended(call, InvalidToken())
    assert reply.status == 401
    assert ended.records.all() == []


# --- what never became a call ---------------------------------------------------------------------------------------


def test_what_never_became_a_call_has_a_record_and_a_trace_id() -> None:
    """A path that leads nowhere is an answer too."""
    ended = Ended()
    reply = ended.settle.uncalled(ended.span, "BREW-A-POT-OF-COFFEE", "192.0.2.9", NotFound(), "sandbox")
    assert (reply.status, type_of(reply)) == (404, "not-found")
    assert msgspec.json.decode(reply.body)["trace_id"] == calls.TRACE_ID
    assert dict(reply.headers)["cache-control"] == "private, no-store"
    [record] = ended.records.all()
    assert (record["endpoint"], record["mode"], record["method"]) == ("", "sandbox", "BREW-A-POT-OF-CO")
    assert (record["status"], record["outcome"], record["peer"]) == (404, "refused", "192.0.2.9")
    assert ended.span.ends == [(404, "urn:narrows:problem:not-found")]


def test_what_cannot_be_recorded_is_not_answered_either() -> None:
    """The same rule holds for all that goes out."""
    ended = Ended()
    reply = ended.make(failing).uncalled(ended.span, "GET", "", NotFound())
    assert (reply.status, dict(reply.headers)["retry-after"]) == (503, "5")
    assert ended.span.ends == [(503, "urn:narrows:problem:unavailable")]


def test_a_fault_outside_the_pipeline_is_told_to_the_operators(caplog: pytest.LogCaptureFixture) -> None:
    """By its kind and place."""
    ended = Ended()
    with caplog.at_level(logging.ERROR):
        ended.settle.uncalled(ended.span, "GET", "", UpstreamTimeout(), fault=LookupError("anna earns 52000"))
    assert "a request failed outside the pipeline: LookupError" in caplog.text
    assert "52000" not in caplog.text
    assert ended.records.all()[0]["outcome"] == "failed"


async def test_an_outcome_that_cannot_be_kept_hides_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """What happened has happened: the client reads it, and the operators read that the outcome is not kept."""

    class Away:
        async def settle(self, *_: object) -> None:
            raise OSError("disk")

    ended = Ended()
    ended.commits = Away()
    settle = ended.make(ended.records.write)
    call = ended.call()
    call.commitment = Commitment(attempt_of(call, "a1"))
    assert (await settle.ended(call, None)).status == 200
    assert "an outcome could not be kept: OSError" in caplog.text


class Faulty:
    """A store of commits that raises one fault after the other, and then keeps."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.kept: list[tuple[Any, ...]] = []

    async def settle(self, *end: Any) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.kept.append(end)


@pytest.mark.parametrize("gone", [False, True])
async def test_an_outcome_is_kept_as_soon_as_the_store_is_back(gone: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The client waits for nothing, and a start that ends waits for no pause; also where the client went away."""
    ended, store = Ended(), Faulty(Unavailable(), Unavailable())
    ended.commits = store
    settle = ended.make(ended.records.write, pauses_s=(3600, 3600))
    call = ended.call()
    call.commitment = Commitment(attempt_of(call, "a1"))
    if gone:
        settle.cancelled(call)
    else:
        assert (await settle.ended(call, None)).status == 200
    assert store.kept == []
    await settle.close()
    [(attempt, outcomes, answer)] = store.kept
    assert call.reply is not None
    assert (attempt.id, list(outcomes), answer) == ("a1", [], call.reply.body)
    assert "could not be kept" not in caplog.text


@pytest.mark.parametrize(
    ("faults", "left"),
    [([Unavailable()] * 4, 1), ([Unavailable(), OSError("disk"), Unavailable()], 1)],
)
async def test_an_outcome_is_given_up_after_the_last_pause(
    faults: list[Exception], left: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Or at once where the store does not say that it is away; the operators read it once."""
    ended, store = Ended(), Faulty(*faults)
    ended.commits = store
    settle = ended.make(ended.records.write, pauses_s=(0, 0))
    call = ended.call()
    call.commitment = Commitment(attempt_of(call, "a1"))
    assert (await settle.ended(call, None)).status == 200
    await settle.close()
    assert (store.kept, len(store.faults)) == ([], left)
    assert caplog.text.count("an outcome could not be kept") == 1
