"""Cases 59 and 60 through the whole application: whose objects a caller reaches, and what a policy grants."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from examples.where2eat.staff import people, teams
from narrows.errors import StartRefused
from tests.abuse.attack import Got, ask, mirrored, post, to_upstreams
from tests.abuse.bookings import put
from tests.abuse.errands import running
from tests.flow.world import World, world

TEAMS = [*(team.id for team in teams()), 99, 2**53 - 1]
USERS = [person.id for person in people()]
OFTEN = {"limits": {"attempts": "100000/minute"}}


def bare(got: Got) -> tuple[int, list[tuple[str, str]], dict[str, Any]]:
    """All of an answer but its trace id."""
    return got.status, got.headers, got.problem


def belongs(user: str, team_id: int, *, organises: bool = False) -> bool:
    """Whether the directory has somebody in a team, or as its organiser."""
    return any(user in (team.organisers if organises else team.members) for team in teams() if team.id == team_id)


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
@pytest.mark.parametrize("path", ["dining-suggestions", "bookings"])
async def test_case_59_only_members_read_what_is_a_teams(path: str, base: str) -> None:
    """Every person asks for every team: the own ones answer, all others with the same bytes, and unasked upstream."""
    async with world(**OFTEN) as made:
        denials = []
        for user in USERS:
            for team_id in TEAMS:
                before = len(to_upstreams(made))
                got = await ask(made.app, f"{base}/teams/{team_id}/{path}", token=made.token(user))
                assert got.status == (200 if belongs(user, team_id) else 403), (user, team_id)
                if got.status == 403:
                    denials.append(bare(got))
                    assert len(to_upstreams(made)) == before
        assert len(denials) > 100
        assert all(denial == denials[0] for denial in denials)


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_59_only_members_book_for_a_team(base: str) -> None:
    """Every person books for every team: only members of it do, and each booking is of their own team."""
    async with world(**OFTEN) as made:
        denials, hour = [], 0
        for user in USERS:
            for team_id in TEAMS:
                hour += 1
                new = {"place_id": f"node-{hour}", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
                got = await post(made.app, f"{base}/teams/{team_id}/bookings", new, token=made.token(user))
                assert got.status == (201 if belongs(user, team_id) else 403), (user, team_id)
                denials += [bare(got)] if got.status == 403 else []
                made.clock.move(13)
        assert all(denial == denials[0] for denial in denials)
        assert made.bookings() == (0 if base else sum(len(team.members) for team in teams()))


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_case_59_only_organisers_cancel_and_absent_looks_like_foreign(base: str) -> None:
    """Every person cancels a booking of every team, and ones that never were: what is not theirs looks alike."""
    async with world(**OFTEN) as made:
        denials = []
        for user in USERS:
            for team_id in TEAMS:
                booking = put(made, team_id) if team_id < 99 else f"booking-{team_id}"
                before = made.bookings()
                got = await ask(made.app, f"{base}/bookings/{booking}", "DELETE", token=made.token(user))
                allowed = belongs(user, team_id, organises=True)
                assert got.status == (204 if allowed else 403), (user, team_id)
                assert made.bookings() == before - (allowed and not base)
                denials += [bare(got)] if got.status == 403 else []
                made.clock.move(13)
        assert len(denials) > 100
        assert all(denial == denials[0] for denial in denials)


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_case_59_an_absent_line_looks_like_a_foreign_one(base: str) -> None:
    """Where a read proves to whom an object belongs, its undeclared 404 is the same denial as another team's."""
    async with running() as (made, host):
        foreign = await ask(made.app, f"{base}/teams/7/lines/line-8", "DELETE", token=made.token())
        absent = await ask(made.app, f"{base}/teams/7/lines/line-0", "DELETE", token=made.token())
        assert foreign.status == 403
        assert bare(foreign) == bare(absent)
        assert host.writes == []


@pytest.mark.parametrize(
    ("path_id", "body"),
    [
        (7, b'{"team_id":8,"text":"x"}'),
        (8, b'{"team_id":7,"text":"x"}'),
        (7, b'{"team_id":7,"team_id":8,"text":"x"}'),
        (7, b'{"team_id":8,"team_id":7,"text":"x"}'),
        (7, b'{"team_id":"7","text":"x"}'),
        (7, b'{"team_id":[7,8],"text":"x"}'),
        (7, b'{"team_id":null,"text":"x"}'),
        (7, b'{"team_id":7,"text":"x","teamId":8}'),
        (7, b'{"\\u0074eam_id":8,"team_id":7,"text":"x"}'),
    ],
)
async def test_case_59_an_id_in_the_body_is_the_one_in_the_path(path_id: int, body: bytes) -> None:
    """A body that names another team than the path, or more than one, is refused before anything is decided."""
    async with mirrored() as (made, host):
        got = await post(made.app, f"/teams/{path_id}/notes", body, token=made.token(teams=[7, 8]))
        assert (got.status, got.kind) == (400, "invalid-input")
        assert host.targets == []
        assert made.authority.exchanges == []


async def test_case_59_the_same_id_in_path_and_body_is_taken() -> None:
    """The refusal above is of the difference, not of the field."""
    async with mirrored() as (made, host):
        got = await post(made.app, "/teams/7/notes", {"team_id": 7, "text": "x"}, token=made.token())
        assert (got.status, len(host.targets)) == (200, 1)


# --- case 60 --------------------------------------------------------------------------------------------------------

NO_CLAIMS = {"corp": {"roles": []}}
ANNA = "g, user:corp|anna, role:member, team:7\ng, user:corp|anna, role:organiser, team:7\n"
OTHERS = "g, user:corp|somebody, role:member, team:9\ng, user:corp|somebody, role:organiser, team:9\n"
MODEL = """
[request_definition]
r = sub, dom, obj
[policy_definition]
p = sub, dom, obj, eft
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub, r.dom) && (p.dom == "*" || r.dom == p.dom) && (p.obj == "*" || r.obj == p.obj){more}
"""


def policed(path: Path, text: str, **over: Any) -> dict[str, Any]:
    """Settings with a policy file that is looked at by every call, and no claim that grants a role."""
    path.write_text(text)
    return {"issuers": NO_CLAIMS, "policies": [str(path)], "policy_check_s": 0, **over}


async def reads(made: World, subject: str = "anna", team_id: int = 7, **claims: Any) -> int:
    """The status of reading a team's bookings."""
    return (await ask(made.app, f"/teams/{team_id}/bookings", token=made.token("anna", sub=subject, **claims))).status


@pytest.mark.parametrize(
    "claim",
    [
        "*",
        "7*",
        "?",
        "%2A",
        "team:*",
        "7, role:member",
        "7|8",
        "7\n",
        " 7",
        "7 ",
        "",
        "07",
        True,
        7.0,
        [["7"]],
        {"7": 1},
    ],
    ids=repr,
)
async def test_case_60_a_wildcard_in_a_claim_grants_nothing(claim: Any) -> None:
    """A claim's value is one name: it is no pattern, no list and no other spelling of a team."""
    async with world() as made:
        assert await reads(made, teams=claim if isinstance(claim, dict) else [claim], organises=[claim]) == 403


@pytest.mark.parametrize(
    "subject", ["*", "user:*", "role:member", "role:*", "corp|*", "anna*", "%2A", "*|*", "anna, role:member, team:7"]
)
async def test_case_60_a_subject_with_a_wildcard_is_somebody_else(tmp_path: Path, subject: str) -> None:
    """A subject that spells a wildcard or a role matches no policy of anybody."""
    async with world(**policed(tmp_path / "p.csv", ANNA)) as made:
        assert await reads(made) == 200
        assert await reads(made, subject, teams=None, organises=None) == 403


@pytest.mark.parametrize(
    "line",
    [
        "p, *, *, *, allow",
        "p, user:*, *, *, allow",
        "p, user:corp|*, *, *, allow",
        "p, role:*, team:7, *, allow",
        "p, user:corp|anna, team:*, *, allow",
        "p, user:corp|anna, team:7, where2eat.*, allow",
        "p, user:corp|anna, team:7, *, *",
        "g, *, role:member, team:7",
        "g, user:corp|*, role:member, team:7",
        "g, user:*|anna, role:member, team:7",
        "g, user:corp|anna, *, team:7",
        "g, user:corp|anna, role:*, team:7",
        "g, user:corp|anna, role:member, *",
        "g, user:corp|anna, role:member, team:*",
    ],
)
async def test_case_60_a_wildcard_in_a_policys_names_does_not_start(tmp_path: Path, line: str) -> None:
    """A star stands for any domain or any object of a `p` line, and nowhere else."""
    with pytest.raises(StartRefused, match="policy"):
        async with world(**policed(tmp_path / "p.csv", f"{ANNA}{line}\n")):
            pass


async def test_case_60_a_reload_in_mid_request_does_not_mix_two_policies(tmp_path: Path) -> None:
    """A call that is on its way is decided by the policy it began with, the next by the new one."""
    file = tmp_path / "p.csv"
    gate = Gate()
    async with world(hosts={"tables.test": gate}, **policed(file, ANNA)) as made:
        gate.app = made.upstreams["tables"]
        first, second = put(made, 7), put(made, 7)
        under_way = asyncio.create_task(ask(made.app, f"/bookings/{first}", "DELETE", token=made.token()))
        await gate.reached.wait()
        file.write_text(OTHERS)
        assert await reads_while(made, gate) == 403
        gate.free.set()
        assert (await under_way).status == 204
        assert (await ask(made.app, f"/bookings/{second}", "DELETE", token=made.token())).status == 403
        assert made.bookings() == 1


async def test_case_60_a_grant_in_mid_request_does_not_help_a_call_that_began_before(tmp_path: Path) -> None:
    """A call that began without the role is denied, although the role is granted while its object is read."""
    file = tmp_path / "p.csv"
    gate = Gate()
    async with world(hosts={"tables.test": gate}, **policed(file, OTHERS)) as made:
        gate.app = made.upstreams["tables"]
        booking = put(made, 7)
        under_way = asyncio.create_task(ask(made.app, f"/bookings/{booking}", "DELETE", token=made.token()))
        await gate.reached.wait()
        file.write_text(ANNA)
        gate.free.set()
        assert (await under_way).status == 403
        assert (await ask(made.app, f"/bookings/{booking}", "DELETE", token=made.token())).status == 204


async def test_case_60_an_empty_policy_file_grants_nothing(tmp_path: Path) -> None:
    """Where only policies grant, an empty one does not start; one that is emptied takes every role away."""
    file = tmp_path / "p.csv"
    for text in ("", "\n\n", "# nothing\n"):
        with pytest.raises(StartRefused, match="no issuer, policy or read can grant"):
            async with world(**policed(file, text)):
                pass
    async with world(**policed(file, ANNA)) as made:
        assert await reads(made) == 200
        file.write_text("")
        assert await reads(made) == 403
        assert await reads(made, "somebody") == 403


@pytest.mark.parametrize(
    "more",
    [
        " && r.sub.missing == 1",
        " && 1 / 0 == 1",
        " && nobody(r.sub)",
        ' && regexMatch(r.obj, "(")',
        " && keyMatch(r.obj)",
    ],
)
async def test_case_60_a_matcher_that_fails_denies(tmp_path: Path, more: str) -> None:
    """A team's own matcher that fails for the callers who hold the role lets none of them in, and answers no 500."""
    model, file = tmp_path / "model.conf", tmp_path / "p.csv"
    model.write_text(MODEL.replace("{more}", ""))
    async with world(**policed(file, ANNA, model=str(model))) as made:
        assert await reads(made) == 200
    model.write_text(MODEL.replace("{more}", more))
    async with world(**policed(file, ANNA, model=str(model))) as made:
        assert await reads(made) == 403
        assert made.records.calls()[-1]["rule"].startswith("own model: matcher error")
        assert await reads(made, "ben") == 403
        assert to_upstreams(made) == []


async def test_case_60_a_role_that_is_removed_is_gone_at_the_next_request(tmp_path: Path) -> None:
    """Taking a role out of the policy stops the very next request, of a token that is still good."""
    file = tmp_path / "p.csv"
    async with world(**policed(file, ANNA + "g, user:corp|ben, role:member, team:7\n")) as made:
        assert (await reads(made), await reads(made, "ben")) == (200, 200)
        file.write_text(ANNA)
        assert (await reads(made), await reads(made, "ben")) == (200, 403)
        file.write_text(ANNA + "p, user:corp|anna, team:7, *, deny\n")
        assert await reads(made) == 403


class Gate:
    """A service that answers its first request once it may."""

    def __init__(self) -> None:
        self.app: Any = None
        self.reached = asyncio.Event()
        self.free = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.set()
        await self.free.wait()
        await self.app(scope, receive, send)


async def reads_while(made: World, gate: Gate) -> int:
    """Read while another call waits at the gate: it is denied before it gets there."""
    assert not gate.free.is_set()
    return await reads(made)
