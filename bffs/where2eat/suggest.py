"""Which places suit a whole team."""

from collections.abc import Iterable, Set
from datetime import datetime

from bffs.where2eat.types import Place, Suggestion, Team


def suggest(team: Team, places: Iterable[Place], open_at: datetime | None) -> list[Suggestion]:
    """The places that serve every diet of the team, nearest first; with a time, only those known to be open then."""
    diets = {member.diet for member in team.members}
    fitting = [place for place in places if _suits(place, diets) and (open_at is None or place.open)]
    return [_suggestion(place) for place in sorted(fitting, key=lambda place: place.distance_m)]


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
