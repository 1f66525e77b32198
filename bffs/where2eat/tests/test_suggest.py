"""Which places suit a team: decided without any upstream."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bffs.where2eat.suggest import suggest
from bffs.where2eat.types import Diets, Member, Office, Place, Team

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
UNKNOWN, NOTHING = Diets(), Diets(vegetarian=False, vegan=False)
VEGETARIAN, VEGAN, BOTH = Diets(vegetarian=True), Diets(vegan=True), Diets(vegetarian=True, vegan=True)
VEGETARIAN_NOT_VEGAN = Diets(vegetarian=True, vegan=False)


def team(*diets: Any) -> Team:
    """A team of members with these diets."""
    return Team(id=7, office=Office(lat=47.8, lon=13.0), members=[Member(diet=diet) for diet in diets])


def place(name: str = "p", **over: Any) -> Place:
    """A place that serves everybody."""
    known: dict[str, Any] = {"cuisine": [], "diets": BOTH, "distance_m": 100.0, "lat": 47.8, "lon": 13.0}
    return Place(id=name, name=name, **{**known, **over})


@pytest.mark.parametrize(
    ("diets", "serves", "suits"),
    [
        ((), UNKNOWN, True),
        (("none",), UNKNOWN, True),
        (("none",), NOTHING, True),
        (("vegetarian",), UNKNOWN, False),
        (("vegetarian",), NOTHING, False),
        (("vegetarian",), VEGETARIAN, True),
        (("vegetarian",), VEGAN, True),
        (("vegetarian",), VEGETARIAN_NOT_VEGAN, True),
        (("vegan",), UNKNOWN, False),
        (("vegan",), VEGETARIAN, False),
        (("vegan",), VEGETARIAN_NOT_VEGAN, False),
        (("vegan",), VEGAN, True),
        (("none", "vegetarian", "vegan"), VEGETARIAN, False),
        (("none", "vegetarian", "vegan"), VEGAN, True),
        (("none", "vegetarian", "vegan"), BOTH, True),
        (("none", "vegetarian"), VEGETARIAN, True),
    ],
)
def test_a_place_suits_when_it_serves_every_diet(diets: tuple[str, ...], serves: Diets, suits: bool) -> None:
    """Vegan food suits vegetarians, not the other way round; what is unknown is not yes."""
    assert bool(suggest(team(*diets), [place(diets=serves)], None)) is suits


@pytest.mark.parametrize(("open_at", "opened", "kept"), [
    (None, True, True), (None, False, True), (None, None, True),
    (NOON, True, True), (NOON, False, False), (NOON, None, False),
])  # fmt: skip
def test_with_a_time_only_places_known_to_be_open_are_left(
    open_at: datetime | None, opened: bool | None, kept: bool
) -> None:
    """Nobody walks to a door that may be shut; without a time, hours do not matter."""
    assert bool(suggest(team(), [place(open=opened)], open_at)) is kept


def test_the_nearest_comes_first() -> None:
    """By distance, not by the order in which they came; of equally near ones the first stays first."""
    found = suggest(team(), [place("b", distance_m=200.4), place("a", distance_m=200.2), place("c", distance_m=3.0),
                             place("d", distance_m=3.0)], None)  # fmt: skip
    assert [(one.place_id, one.distance_m) for one in found] == [("c", 3), ("d", 3), ("a", 200), ("b", 200)]


@pytest.mark.parametrize(
    ("serves", "vegetarian", "vegan"),
    [
        (UNKNOWN, False, False),
        (VEGETARIAN, True, False),
        (VEGAN, True, True),
        (BOTH, True, True),
        (NOTHING, False, False),
    ],
)
def test_a_suggestion_says_what_is_known_to_be_served(serves: Diets, vegetarian: bool, vegan: bool) -> None:
    """Yes or no: who reads it need not know what unknown means."""
    [found] = suggest(team(), [place(diets=serves)], None)
    assert (found.vegetarian, found.vegan) == (vegetarian, vegan)


def test_a_suggestion_carries_what_is_needed_to_go_there() -> None:
    """Name, place, kitchen and hours are those of the place."""
    [found] = suggest(team(), [place("x", cuisine=["indian"], opening_hours="Mo-Fr 11:00-14:00", open=True)], None)
    assert (found.place_id, found.name, found.cuisine) == ("x", "x", ["indian"])
    assert (found.lat, found.lon) == (47.8, 13.0)
    assert (found.opening_hours, found.open) == ("Mo-Fr 11:00-14:00", True)


def test_nothing_is_suggested_when_nothing_suits() -> None:
    """An empty list is an answer."""
    assert suggest(team("vegan"), [], None) == []
