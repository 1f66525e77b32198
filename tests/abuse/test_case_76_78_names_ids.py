"""Cases 76 to 78 through the whole application: names that pretend, spellings of an id, and objects of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.abuse.attack import ask, mirrored, post, to_upstreams
from tests.abuse.bookings import put
from tests.abuse.errands import running
from tests.flow.second import second_issuer
from tests.flow.world import world

GRANTS = """
g, user:corp|anna, role:member, team:7
g, role:lead, role:member, team:7
g, user:corp|a%7Cb, role:member, team:7
p, user:corp|ben, team:7, *, allow
"""
SUBJECTS = [
    "role:member",
    "role:lead",
    "lead",
    "member",
    "*",
    "user:corp|anna",
    "corp|anna",
    "|anna",
    "anna|",
    "anna ",
    " anna",
    "Anna",
    "ANNA",
    "anna\n",
    "anna\u0000",
    "anna,ben",
    "anna, role:member, team:7",
    "%61nna",
    "a%7Cb",
    "a%257Cb",
    "ann\u0430",
    "\uff41nna",
    "anna\u200b",
    "anna.",
    "ben|team:7",
    "team:7",
    "bff:where2eat",
    "../anna",
    '"anna"',
    "anna#",
]


def policed(path: Path, text: str, **over: Any) -> dict[str, Any]:
    """Settings whose roles come from one policy file."""
    path.write_text(text)
    return {"policies": [str(path)], "policy_check_s": 0, **over}


@pytest.mark.parametrize("subject", SUBJECTS, ids=repr)
async def test_case_76_a_subject_that_pretends_to_be_another_name_grants_nothing(tmp_path: Path, subject: str) -> None:
    """A subject named like a role, a wildcard, a domain or another subject with separators is nobody that is known."""
    no_claims = {"issuers": {"corp": {"roles": []}}}
    policy = GRANTS + "g, user:corp|anna, role:organiser, team:7\n"
    async with world(**policed(tmp_path / "p.csv", policy, **no_claims)) as made:
        token = made.token("anna", sub=subject, teams=None, organises=None)
        for path in ("/teams/7/bookings", "/rehearse/teams/7/bookings", "/sandbox/teams/7/bookings"):
            # A subject that cannot be printed is not even a subject.
            assert (await ask(made.app, path, token=token)).status == (403 if subject.isprintable() else 401)
        assert to_upstreams(made) == []


async def test_case_76_the_names_that_are_meant_do_hold(tmp_path: Path) -> None:
    """The policy of the test above lets in whom it names, also one whose name holds a separator."""
    no_claims = {"issuers": {"corp": {"roles": []}}}
    policy = GRANTS + "g, user:corp|anna, role:organiser, team:7\n"
    async with world(**policed(tmp_path / "p.csv", policy, **no_claims)) as made:
        for subject in ("anna", "ben", "a|b"):
            token = made.token("anna", sub=subject, teams=None, organises=None)
            assert (await ask(made.app, "/sandbox/teams/7/bookings", token=token)).status == 200


async def test_case_76_the_same_subject_of_another_issuer_is_somebody_else(tmp_path: Path) -> None:
    """What a policy and a claim of one issuer grant to anna does not reach the anna of another one."""
    policy = "g, user:corp|anna, role:member, team:8\n"
    async with world(**second_issuer(policed(tmp_path / "p.csv", policy))) as made:
        first, second = made.token(), second_issuer.token("anna", teams=[7, 8], organises=[7])
        for path in ("/teams/7/bookings", "/teams/8/bookings"):
            assert (await ask(made.app, path, token=first)).status == 200
            assert (await ask(made.app, path, token=second)).status == 403
        assert {token["subject"] for token in made.upstreams["tables"].state.received} == {"anna"}


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": ["member", "organiser"]},
        {"role": "member"},
        {"groups": ["team:7"]},
        {"member": True, "organiser": True},
        {"Teams": [7]},
        {"TEAMS": [7]},
        {"team": 7},
        {"teams ": [7]},
        {"https://example.com/teams": [7]},
        {"realm_access": {"roles": ["member"]}},
        {"nested": {"teams": [7]}},
        {"teams": {"0": 7}},
        {"teams": [[7]]},
        {"teams": [{"value": 7}]},
        {"teams": ["bff:where2eat", "team:7"]},
        {"scope": "dining:read role:member team:7"},
        {"act": {"sub": "anna", "teams": [7]}},
    ],
    ids=repr,
)
async def test_case_76_a_claim_that_the_settings_do_not_map_grants_nothing(claims: dict[str, Any]) -> None:
    """Only the claims that the settings name grant, at the place and in the form that they name."""
    async with world() as made:
        token = made.token("olga", **{"teams": None, "organises": None, **claims})
        assert (await ask(made.app, "/teams/7/bookings", token=token)).status == 403
        assert to_upstreams(made) == []


SPELLINGS = [
    "7.0",
    "7e0",
    "7E0",
    "70e-1",
    "07",
    "007",
    "+7",
    "%2B7",
    "%207",
    "7%20",
    "%097",
    "-7",
    "--7",
    "7_",
    "0x7",
    "0o7",
    "0b111",
    "7.",
    ".7e1",
    "7L",
    "7n",
    "7,",
    "7,8",
    "7;8",
    "7%00",
    "7%0a",
    "%EF%BC%97",
    "%D9%A7",
    "%E0%A5%AD",
    "%E2%81%B7",
    "%F0%9D%9F%95",
    "7%E2%80%8B",
    "%E2%80%8E7",
    "%227%22",
    "'7'",
    "[7]",
    "7%EF%BC%8E0",
    "vii",
    "true",
    "null",
    "NaN",
    "7" + "0" * 40,
    "18446744073709551623",
    "4294967303",
]
DENY = "p, role:member, team:7, *, deny\n"


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_77_no_spelling_of_an_id_passes_by_a_deny(tmp_path: Path, base: str) -> None:
    """Under a deny on team 7, whatever reads like 7 is refused as no id or decided as 7: nobody gets through."""
    async with world(**policed(tmp_path / "p.csv", DENY), limits={"attempts": "100000/minute"}) as made:
        for path in ("bookings", "dining-suggestions"):
            for spelling in ("7", "%37", *SPELLINGS):
                got = await ask(made.app, f"{base}/teams/{spelling}/{path}", token=made.token("anna"))
                decided = spelling in ("7", "%37", "4294967303")
                assert got.status == (403 if decided else 400), spelling
                made.clock.move(3)
        assert to_upstreams(made) == []


async def test_case_77_other_spellings_of_an_allowed_id_are_refused_too() -> None:
    """One id has one spelling, so that no layer before or behind reads another object out of it."""
    async with world(limits={"attempts": "100000/minute"}) as made:
        for spelling in SPELLINGS:
            got = await ask(made.app, f"/teams/{spelling}/bookings", token=made.token("anna"))
            assert got.status == (403 if spelling == "4294967303" else 400), spelling
            made.clock.move(2)
        assert to_upstreams(made) == []
        for spelling in ("7", "%37"):
            assert (await ask(made.app, f"/teams/{spelling}/bookings", token=made.token())).status == 200
        assert {request.url.path for request in to_upstreams(made)} == {"/teams/7/bookings"}


@pytest.mark.parametrize(
    "spelling", ["7.0", "7e0", "07", "+7", '" 7"', '"7"', '"\uff17"', "7.00", "70e-1", "[7]", "true", "0x7", "7,"]
)
async def test_case_77_no_spelling_in_a_body_passes_by_a_deny(tmp_path: Path, spelling: str) -> None:
    """In a body too, a number that only reads like 7 is refused or is 7: the write is never sent."""
    async with mirrored(**policed(tmp_path / "p.csv", DENY)) as (made, host):
        body = f'{{"team_id":{spelling},"text":"x"}}'.encode()
        for path_id in (7, 8):
            got = await post(made.app, f"/teams/{path_id}/notes", body, token=made.token(teams=[7, 8]))
            assert got.status in (400, 403)
        assert host.targets == []


async def test_case_77_the_spelling_of_a_claim_or_text_id_is_exact() -> None:
    """A booking's id in another case, width or encoding is another id, and never somebody's booking."""
    async with world() as made:
        booking = put(made, 7)
        number = booking.partition("-")[2]
        odd = [booking.upper(), f"booking-0{number}", f"booking-+{number}", f"booking-{number}.0", f"booking-{number} "]
        odd += [booking.replace("-", "\u2010"), f"booking-{chr(0xFF10 + int(number[-1]))}", f" {booking}"]
        for spelling in odd:
            got = await ask(made.app, f"/bookings/{quote(spelling)}", "DELETE", token=made.token())
            assert got.status in (400, 403), spelling
            made.clock.move(13)
        assert made.bookings() == 1


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_case_78_an_object_of_another_team_is_refused_before_any_write(base: str) -> None:
    """Anna organises team 7: a booking of team 8 is denied after it was read, and no write leaves."""
    async with world() as made:
        foreign = put(made, 8)
        got = await ask(made.app, f"{base}/bookings/{foreign}", "DELETE", token=made.token())
        assert (got.status, got.kind) == (403, "forbidden")
        assert [request.method for request in to_upstreams(made)] == ["GET"]
        assert made.bookings() == 1


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_78_a_line_of_another_team_is_refused_before_any_write(base: str) -> None:
    """`inside` proves that the line in the path is of the team in the path; one of team 8 is not removed."""
    async with running() as (made, host):
        got = await ask(made.app, f"{base}/teams/7/lines/line-8", "DELETE", token=made.token(teams=[7, 8]))
        if base == "/sandbox":
            assert (got.status, host.got) == (204, [])
            return
        assert (got.status, got.kind) == (403, "forbidden")
        assert host.got == [("GET", "/lines/line-8")]
        own = await ask(made.app, f"{base}/teams/7/lines/line-7", "DELETE", token=made.token())
        assert own.status == 204
        assert host.writes == ([] if base else [("DELETE", "/lines/line-7")])


async def test_case_78_a_team_of_another_in_the_body_is_refused_before_any_write() -> None:
    """`within` is bound to the team of the path: a body that names team 8 is refused, even of a member of both."""
    async with mirrored() as (made, host):
        for path_id, body_id in ((7, 8), (8, 7)):
            token = made.token(teams=[7, 8])
            got = await post(made.app, f"/teams/{path_id}/notes", {"team_id": body_id, "text": "x"}, token=token)
            assert (got.status, got.kind) == (400, "invalid-input")
            assert got.problem["errors"][0]["pointer"] == "/body/team_id"
        assert host.targets == []


async def test_case_78_an_upstream_that_answers_another_teams_object_does_not_get_it_written() -> None:
    """The team of the object that was read decides, whatever id was asked for: the write waits for the decision."""
    async with running() as (made, host):
        got = await ask(made.app, "/teams/8/lines/line-7", "DELETE", token=made.token(teams=[8]))
        assert got.status == 403
        assert host.writes == []
