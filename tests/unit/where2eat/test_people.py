import json

import pytest

from examples.where2eat import staff


async def test_a_team_is_told_with_all_the_directory_knows(people):
    """The directory answers with whole records, private fields and all: narrowing them is not its work."""
    answer = await people.get("/teams/7")
    team = answer.json()
    assert answer.status_code == 200
    assert team["id"] == 7
    assert team["office"] == {
        "name": "Linzer Gasse",
        "address": "Linzer Gasse, 5020 Salzburg",
        "lat": 47.803,
        "lon": 13.046,
    }
    assert [member["id"] for member in team["members"]] == ["anna", "ben", "chloe", "david", "emil", "fatma"]
    assert [member["diet"] for member in team["members"]] == [
        "vegetarian",
        "none",
        "vegan",
        "none",
        "none",
        "vegetarian",
    ]
    private = {"salary", "home_address", "iban", "private_phone", "birthday", "email", "manager", "emergency_contact"}
    assert all(private < member.keys() for member in team["members"])


@pytest.mark.parametrize(
    ("sub", "team", "roles"),
    [
        ("anna", 7, ["member", "organiser"]),
        ("ben", 7, ["member"]),
        ("olga", 7, []),
        ("olga", 8, ["member", "organiser"]),
        ("ivo", 8, ["member"]),
        ("ivo", 9, ["member", "organiser"]),
        ("nobody", 7, []),
    ],
)
async def test_membership_is_that_of_the_subject(people, issuer, sub, team, roles):
    """The roles are those of the one on whose behalf is asked, whoever carries the token."""
    token = issuer.token("people-api", "profiles:read", sub=sub, act={"sub": "bff"})
    answer = await people.get(f"/teams/{team}/membership", token=token)
    assert answer.json() == {"roles": roles}


@pytest.mark.parametrize("path", ["/teams/10", "/teams/10/membership", "/teams/seven", "/teams/" + "9" * 5000, "/x"])
async def test_what_is_absent_is_a_404(people, path):
    """Teams and paths that do not exist answer with a problem and quote nothing of the request."""
    answer = await people.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "seven" not in answer.text


async def test_other_methods_are_refused(people):
    """Nobody can change the directory through this API."""
    answer = await people.call("DELETE", "/teams/7")
    assert answer.status_code == 405
    assert answer.json()["title"] == "Method Not Allowed"


def test_the_staff_is_twenty_four_people_in_four_teams():
    """Everybody is in a team, every member and manager exists, ids are told once, each team is led by a member."""
    ids = [one.id for one in staff.people()]
    assert len(ids) == len(set(ids)) == 24
    assert [team.id for team in staff.teams()] == [7, 8, 9, 12]
    assert {member for team in staff.teams() for member in team.members} == set(ids)
    assert {one.manager for one in staff.people()} - {None} <= set(ids)
    assert all(set(team.organisers) < set(team.members) for team in staff.teams())


def test_nothing_made_up_can_reach_a_real_person():
    """Addresses, accounts and phone numbers of the made-up people cannot exist."""
    for one in staff.people():
        assert one.email.endswith("@example.com")
        assert one.iban.startswith("AT00")
        assert len(one.iban) == 20
        assert one.private_phone.startswith("+43 000 ")
        assert one.emergency_contact.startswith("+43 000 ")
        assert one.home_address.endswith(" Nirgendwo")


@pytest.mark.parametrize(
    ("subject", "teams", "organises"),
    [("anna", [7], [7]), ("ben", [7], []), ("olga", [8], [8]), ("ivo", [8, 9], [9])],
)
def test_claims_say_who_is_where(subject, teams, organises):
    """The authorization server learns from here which teams a token tells."""
    claims = staff.claims(subject)
    assert claims == {"name": staff.person(subject).name, "teams": teams, "organises": organises}
    assert json.dumps(claims)


def test_a_stranger_has_no_claims():
    """Whoever is not in the file cannot be signed in."""
    with pytest.raises(KeyError):
        staff.claims("mallory")
