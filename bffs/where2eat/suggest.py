"""What a whole team eats, and which places suit it."""

from collections import Counter
from collections.abc import Iterable, Set
from datetime import datetime

from bffs.where2eat.types import Eaters, Place, Suggestion, Team, TeamCard


def suggest(team: Team, places: Iterable[Place], open_at: datetime | None) -> list[Suggestion]:
    """The places that serve every diet of the team, nearest first; with a time, only those known to be open then."""
    diets = {member.diet for member in team.members}
    fitting = [place for place in places if _suits(place, diets) and (open_at is None or place.open)]
    return [_suggestion(place) for place in sorted(fitting, key=lambda place: place.distance_m)]


def count(team: Team) -> TeamCard:
    """How many are in the team, and how many of them eat what; who that is stays behind."""
    diets = Counter(member.diet for member in team.members)
    eaters = Eaters(none=diets["none"], vegetarian=diets["vegetarian"], vegan=diets["vegan"])
    return TeamCard(id=team.id, size=diets.total(), eaters=eaters, office=team.office)


def _suits(place: Place, diets: Set[str]) -> bool:
    """Vegan food suits vegetarians too; what is unknown does not suit."""
    if "vegan" in diets and not place.diets.vegan:
        return False
    return not ("vegetarian" in diets and not (place.diets.vegetarian or place.diets.vegan))


def _suggestion(place: Place) -> Suggestion:
    return Suggestion(
        place_id=place.id,
        name=place.name,
        cuisine=place.cuisine,
        distance_m=round(place.distance_m),
        lat=place.lat,
        lon=place.lon,
        vegetarian=bool(place.diets.vegetarian or place.diets.vegan),
        vegan=bool(place.diets.vegan),
        opening_hours=place.opening_hours,
        open=place.open,
    )
