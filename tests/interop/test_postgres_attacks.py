"""Cases 34, 79, 80 and 83 once more, with the stores of the attacked in a real PostgreSQL and two processes on it."""

import pytest

from narrows.governance.connectors import Governor
from narrows.settings import Secret
from narrows.stores import postgres_commits
from narrows.stores.commits import CommitBounds
from narrows.stores.postgres_connectors import PostgresConnectors
from narrows.stores.postgres_server import PostgresServer
from tests.abuse import apart
from tests.abuse.errands import running
from tests.abuse.test_case_34_idempotency import send, test_case_34_two_at_once_are_one
from tests.abuse.test_case_79_cancelled import (
    test_case_79_a_call_cancelled_before_its_first_effect_frees_its_key,
    test_case_79_a_cancelled_write_has_its_outcome,
)
from tests.abuse.test_case_79_killed import (
    test_case_79_a_call_killed_before_its_intent_is_carried_out_later,
    test_case_79_a_receipt_of_a_killed_call_is_spent,
    test_case_79_a_retry_with_the_same_key_is_never_sent_again,
    test_case_79_a_stored_answer_needs_todays_authorisation,
    test_case_79_the_next_start_tells_of_it,
)
from tests.abuse.test_case_80_receipts import (
    test_case_80_keys_are_rotated_without_losing_a_receipt,
    test_case_80_two_processes_at_the_same_instant_spend_it_once,
    test_case_80_what_has_changed_since_is_named,
)
from tests.abuse.test_case_83_suspension import (
    test_a_change_between_two_writes_stops_the_second,
    test_a_token_in_the_cache_is_dropped_when_its_connector_changes,
    test_an_exchange_in_flight_does_not_come_back_after_a_revocation,
    test_two_writes_leave_when_nothing_happens,
    twofold,
    writing,
)
from tests.flow.programs import ERIK

__all__ = [
    "test_a_change_between_two_writes_stops_the_second",
    "test_a_token_in_the_cache_is_dropped_when_its_connector_changes",
    "test_an_exchange_in_flight_does_not_come_back_after_a_revocation",
    "test_case_34_two_at_once_are_one",
    "test_case_79_a_call_cancelled_before_its_first_effect_frees_its_key",
    "test_case_79_a_call_killed_before_its_intent_is_carried_out_later",
    "test_case_79_a_cancelled_write_has_its_outcome",
    "test_case_79_a_receipt_of_a_killed_call_is_spent",
    "test_case_79_a_retry_with_the_same_key_is_never_sent_again",
    "test_case_79_a_stored_answer_needs_todays_authorisation",
    "test_case_79_the_next_start_tells_of_it",
    "test_case_80_keys_are_rotated_without_losing_a_receipt",
    "test_case_80_two_processes_at_the_same_instant_spend_it_once",
    "test_case_80_what_has_changed_since_is_named",
    "test_two_writes_leave_when_nothing_happens",
]


@pytest.fixture
def place(postgres_url):
    """Where the stores of an attack lie."""
    return postgres_url


@pytest.fixture
def registry(postgres):
    """Where the program is registered."""
    return PostgresConnectors(postgres, b"k" * 32)


@pytest.mark.parametrize("full", [{"keys": 1}, {"keys_per_owner": 1}, {"open_intents": 0}])
async def test_case_34_a_full_store_is_a_503_and_never_a_silent_write(place, full, monkeypatch):
    """Where there is no room to remember a request, it is not carried out."""
    monkeypatch.setattr(postgres_commits, "CommitBounds", lambda: CommitBounds(**full))
    async with running(stores=apart.stores(place)) as (made, host):
        answers = [await send(made, f"k-{number}") for number in range(3)]
        writes = 0 if "open_intents" in full else 1
        assert [one.status for one in answers] == [200] * writes + [503] * (3 - writes)
        assert len(host.writes) == writes
        if writes:
            assert (await send(made, "k-0")).header("idempotency-replayed") == "true"


async def test_case_79_without_a_durable_intent_nothing_leaves(place, postgres_peer):
    """Where the store does not take the intent, that is a 503, and the upstream hears nothing of the write."""
    async with running(stores=apart.stores(place)) as (made, host):
        postgres_peer.ask("DROP TABLE narrows_intents", place)
        got = await send(made)
        assert (got.status, got.header("retry-after")) == (503, "5")
        assert host.writes == []
        assert host.got != []


async def test_case_83_a_write_does_not_leave_while_the_registry_is_away(monkeypatch, registry, postgres_peer):
    """PostgreSQL dies between the two writes: the second is a 503, and the first is named."""
    async with writing(monkeypatch, registry) as (made, _, host):

        async def die() -> None:
            postgres_peer.kill()
            made.clock.move(1)

        host.between = die
        answer = await made.post("/teams/7/both", None)
        postgres_peer.start()
        assert (answer.status_code, answer.json()["effects"]) == (503, ["Tables.first"])
        assert host.written == ["/first"]


async def test_what_another_machine_suspends_is_felt_within_half_a_second(monkeypatch, registry, postgres_url):
    """The snapshot of a process is never older; and it asks one question for it, however many calls there are."""
    async with writing(monkeypatch, registry) as (made, _, _):
        assert (await made.get("/teams/7/look")).status_code == 200
        asked = []
        generation = registry.generation

        async def counted() -> int:
            asked.append(made.clock())
            return await generation()

        monkeypatch.setattr(registry, "generation", counted)
        made.clock.move(0.6)
        for _ in range(5):
            assert (await made.get("/teams/7/look")).status_code == 200
        assert len(asked) == 1
        server = PostgresServer(Secret(postgres_url))
        theirs = Governor(twofold, made.app.plan.settings, PostgresConnectors(server, b"k" * 32), now=made.clock)
        await theirs.suspend("copilot", ERIK)
        await server.close()
        made.clock.move(0.5)
        assert (await made.get("/teams/7/look")).status_code == 403
