"""The review queue: a denial that can be granted waits for somebody who may, and every decision is recorded."""

import json

import pytest

from narrows import Bff
from narrows.audit.log import RecordLog
from narrows.governance.policy import Gate
from narrows.governance.reviews import Reviewer, ReviewRefused, told
from narrows.stores.reviews import MemoryReviews
from tests.flow.minimal import FACTS

RECORD = {
    "id": "lunch-app",
    "tenant": "acme",
    "owner": "amina@example.com",
    "contact": "tools@example.com",
    "scopes": ["data:export"],
}
BFF = Bff("lunch", **FACTS)
APPROVERS = ["security@example.com", "amina@example.com", "tools@example.com"]


@pytest.fixture
def lines():
    """What was handed to the log."""
    return []


@pytest.fixture
def reviewer(lines):
    """The gate of a BFF with its queue."""
    return Reviewer(
        BFF,
        lambda: Gate.of(BFF),
        MemoryReviews(),
        approvers=APPROVERS,
        now=lambda: 1_800_000_000.0,
        log=RecordLog(lines.append),
    )


async def judge(reviewer, occasion="apply", digest="d1"):
    """Ask the gate."""
    return await reviewer.judge(occasion, RECORD, digest=digest, by="amina@example.com")


async def grants(reviewer):
    """What waits."""
    return [(review.connector, review.grant, review.owner) for review in await reviewer.waiting()]


async def test_a_denial_waits_until_an_approver_grants_it(reviewer, lines):
    """Denied, queued, granted, gone from the queue, allowed; each recorded once, in the history too."""
    decision = await judge(reviewer)
    assert not decision.allowed
    assert await grants(reviewer) == [("lunch-app", "data:export", "amina@example.com")]
    await judge(reviewer)
    assert len(await reviewer.waiting()) == 1
    review = await reviewer.decide("lunch-app", "data:export", "granted", by=" Security@example.com", reason="audited")
    assert (review.verdict, review.by, review.decided_at) == ("granted", "Security@example.com", 1_800_000_000.0)
    assert await grants(reviewer) == []
    assert (await judge(reviewer, "approve")).allowed
    assert [(r["event"], r["asked"], r["allowed"]) for r in map(json.loads, lines)] == [
        ("policy", "apply", False),
        ("policy", "apply", False),
        ("review", "granted", True),
        ("policy", "approve", True),
    ]
    first = json.loads(lines[0])
    assert (first["denied"], first["owner"], first["by"]) == (["data_export/data-export"], *["amina@example.com"] * 2)
    assert await reviewer.history() == lines


async def test_a_grant_is_for_one_record(reviewer):
    """A record that was changed since is another thing to grant."""
    await judge(reviewer)
    await reviewer.decide("lunch-app", "data:export", "granted", by="security@example.com")
    assert not (await judge(reviewer, digest="d2")).allowed
    assert [review.digest for review in await reviewer.waiting()] == ["d2"]


async def test_a_check_leaves_no_trace(reviewer, lines):
    """`narrows check` only asks."""
    assert not (await judge(reviewer, "check")).allowed
    assert (await reviewer.waiting(), lines) == ([], [])


async def test_what_is_denied_leaves_the_queue_and_stays_denied(reviewer):
    """And a grant can be taken back."""
    await judge(reviewer)
    await reviewer.decide("lunch-app", "data:export", "granted", by="security@example.com")
    await reviewer.decide("lunch-app", "data:export", "denied", by="security@example.com")
    assert not (await judge(reviewer)).allowed
    assert await reviewer.waiting() == []
    with pytest.raises(ReviewRefused, match="nothing waits there for data:export"):
        await reviewer.decide("lunch-app", "data:export", "granted", by="security@example.com")


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("amina@example.com", "answers for it"),
        (" AMINA@example.com ", "answers for it"),
        ("tools@example.com", "answers for it"),
        ("mallory@example.com", r"is no approver \(security@example.com, "),
        (" ", "needs a name"),
    ],
)
async def test_only_an_approver_who_does_not_answer_for_it_decides(reviewer, by, said):
    """Neither owner nor contact, in whatever capitals, even if they are approvers."""
    await judge(reviewer)
    with pytest.raises(ReviewRefused, match=said):
        await reviewer.decide("lunch-app", "data:export", "granted", by=by)
    assert len(await reviewer.waiting()) == 1


async def test_without_approvers_nobody_decides():
    """The default grants nothing."""
    reviewer = Reviewer(BFF, lambda: Gate.of(BFF), MemoryReviews(), now=lambda: 0.0)
    await judge(reviewer)
    with pytest.raises(ReviewRefused, match="nobody yet"):
        await reviewer.decide("lunch-app", "data:export", "granted", by="security@example.com")


async def test_two_approvers_do_not_overwrite_each_other():
    """The second reads that it was decided."""

    class Slow(MemoryReviews):
        """A store in which somebody else decides between look and change."""

        async def decide(self, review, was="waiting"):
            return False

    reviewer = Reviewer(BFF, lambda: Gate.of(BFF), Slow(), approvers=APPROVERS, now=lambda: 0.0)
    await judge(reviewer)
    with pytest.raises(ReviewRefused, match="somebody else decided it meanwhile"):
        await reviewer.decide("lunch-app", "data:export", "granted", by="security@example.com")


async def test_the_owner_reads_what_to_do(reviewer):
    """Reason, remedy, whom to ask, and where it waits."""
    (line,) = told(await judge(reviewer), RECORD)
    assert line.startswith("scopes: the scope data:export takes data out in bulk")
    assert "[data_export/data-export]. Remedy: take the scope out, or have an approver grant data:export" in line
    assert line.endswith(
        "data:export waits for an approver, see narrows connector reviews. Contact: tools@example.com."
    )


def test_what_nobody_can_grant_does_not_claim_to_wait():
    """An engine that failed is no matter for an approver."""
    (line,) = told(Gate.reading([]).decide({}), RECORD)
    assert "waits" not in line
