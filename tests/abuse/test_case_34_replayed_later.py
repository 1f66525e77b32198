"""Case 34: an answer that was kept is replayed by what the endpoint and its program are today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from narrows import Bff, Narrow, NumberId
from narrows.testing import bearer
from tests.abuse.apart import stores
from tests.abuse.attack import post
from tests.abuse.errands import SETTINGS, Ledger, LedgerHost, Line, NewLine, NewText
from tests.abuse.test_case_83_suspension import HOST, RECORD, Host, twofold
from tests.flow.programs import allow_open_writes, registered
from tests.flow.world import world

KEY = [("idempotency-key", "k-1")]
PATH = "/teams/7/line"


class Colour(Narrow):
    """What the next version answers."""

    id: str
    colour: str


class Short(Narrow):
    """What a narrower version answers."""

    id: str


def version(answers: Any) -> Bff:
    """One version of a BFF, by what its write answers."""
    made = Bff(
        "errands",
        version="1.0.0",
        owner="red@example.com",
        purpose="Change between two requests",
        exposure="internal",
        sensitivity="internal",
        importance="low",
        review_by="2027-05-01",
    )

    async def note(team_id: NumberId, new: NewText) -> Any:
        """Write one line."""
        line = await Ledger.add(NewLine(text=new.text))
        match answers:
            case None:
                return None
            case _ if answers is Colour:
                return Colour(line.id, "red")
        return line

    note.__annotations__["return"] = answers
    guards: dict[str, Any] = {"roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read"}
    made.write(PATH.replace("7", "{team_id}"), uses=[Ledger.add], rate="100/minute", **guards)(note)
    return made


async def twice(folder: Path, first: Any, then: Any) -> tuple[Any, Any, LedgerHost]:
    """One request with a key to one version and to the next, on the same files."""
    host = LedgerHost()
    answers = []
    for answer in (first, then):
        over = {**SETTINGS, "stores": stores(folder)}
        async with world(bff=version(answer), hosts={"ledger.test": host}, **over) as made:
            answers.append(await post(made.app, PATH, {"text": "a"}, token=made.token(), headers=KEY))
    assert answers[0].status in (200, 204)
    return answers[0], answers[1], host


async def test_case_34_a_narrower_endpoint_replays_no_more_than_it_answers(tmp_path: Path) -> None:
    """What is not declared any more does not come out of the store."""
    first, again, host = await twice(tmp_path, Line, Short)
    assert b"team_id" in first.body
    assert (again.body, again.header("idempotency-replayed")) == (b'{"id":"line-1"}', "true")
    assert len(host.writes) == 1


@pytest.mark.parametrize("first", [Line, None])
async def test_case_34_an_answer_that_does_not_fit_any_more_is_a_409(tmp_path: Path, first: Any) -> None:
    """The client learns that it was carried out, and does not try for ever; nothing is sent again."""
    _, again, host = await twice(tmp_path, first, Colour)
    assert (again.status, again.kind) == (409, "already-attempted")
    assert len(host.writes) == 1


async def test_case_34_a_suspended_program_reads_no_answer_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is not for who may nothing any more."""
    allow_open_writes(monkeypatch)
    async with registered(bff=twofold, record=RECORD, hosts={HOST: Host()}) as (made, programs):
        headers = bearer(made.token()) | dict(KEY)
        first, again = [await made.client.post("/teams/7/both", headers=headers) for _ in range(2)]
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        await programs.suspend()
        refused = await made.client.post("/teams/7/both", headers=headers)
        assert (refused.status_code, first.text in refused.text) == (403, False)
