"""The made-up people of the example: the directory serves them and the authorization server signs them in."""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict

import msgspec

_FILE = Path(__file__).with_name("people.json")


class Salary(msgspec.Struct, frozen=True):
    """Gross pay of a year."""

    amount: Decimal
    currency: str


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the company knows about one person; `id` is also the subject (`sub`) of their tokens."""

    id: str
    name: str
    diet: Literal["none", "vegetarian", "vegan"]
    allergies: tuple[str, ...]
    email: str
    manager: str | None
    salary: Salary
    home_address: str
    iban: str
    birthday: date
    private_phone: str
    personnel_number: str
    emergency_contact: str


class Office(msgspec.Struct, frozen=True):
    """Where a team sits; `lat` and `lon` in degrees, WGS 84."""

    name: str
    address: str
    lat: float
    lon: float


class Team(msgspec.Struct, frozen=True):
    """A team; `members` and `organisers` are ids of people."""

    id: int
    name: str
    office: Office
    members: tuple[str, ...]
    organisers: tuple[str, ...]


class StaffClaims(TypedDict):
    """What the authorization server puts into a token about one person, beside the registered claims."""

    name: str
    teams: list[int]
    organises: list[int]


class _Staff(msgspec.Struct, frozen=True):
    teams: tuple[Team, ...]
    people: tuple[Person, ...]


@cache
def _staff() -> _Staff:
    return msgspec.json.decode(_FILE.read_bytes(), type=_Staff)


def people() -> tuple[Person, ...]:
    """Everybody, in the order of the file."""
    return _staff().people


def teams() -> tuple[Team, ...]:
    """Every team, by number."""
    return _staff().teams


def person(subject: str) -> Person:
    """The person whose tokens carry this `sub`; KeyError if there is none."""
    return _people_by_id()[subject]


def claims(subject: str) -> StaffClaims:
    """The claims of one person, for example anna's `teams: [7]` and `organises: [7]`; KeyError if there is none."""
    return {
        "name": person(subject).name,
        "teams": [team.id for team in teams() if subject in team.members],
        "organises": [team.id for team in teams() if subject in team.organisers],
    }


@cache
def _people_by_id() -> dict[str, Person]:
    return {one.id: one for one in people()}
