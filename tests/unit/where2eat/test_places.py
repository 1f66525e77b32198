from datetime import UTC, datetime

import pytest

from examples.where2eat import places as module

INDIGO = "node-266071059"  # Mo-Sa 11:00-22:00; Su 12:00-21:00


def near(**changes):
    """A query around the office of team 7."""
    return {"params": {"lat": 47.8030, "lon": 13.0460, **changes}}


async def test_places_come_nearest_first_within_the_radius(places):
    """What is asked for is what comes: no place outside the radius, the nearer before the farther."""
    found = (await places.get("/places", **near(radius_m=300, limit=200))).json()
    distances = [place["distance_m"] for place in found]
    assert distances == sorted(distances)
    assert 0 < len(found) < 129
    assert max(distances) <= 300
    assert {place["open"] for place in found} == {None}


async def test_all_129_places_are_there(places):
    """The whole file is served."""
    found = (await places.get("/places", **near(radius_m=50_000, limit=200))).json()
    assert len({place["id"] for place in found}) == 129


async def test_the_limit_keeps_the_nearest(places):
    """A limit cuts at the far end."""
    many = (await places.get("/places", **near(limit=10))).json()
    few = (await places.get("/places", **near(limit=3))).json()
    assert few == many[:3]
    assert len((await places.get("/places", **near())).json()) == 20


@pytest.mark.parametrize(("lat", "lon", "metres"), [(0, 0, 0), (0.001, 0, 111), (-0.01, 0, 1112), (0, 0.001, 75)])
def test_distance_is_on_the_sphere(lat, lon, metres):
    """A thousandth of a degree is 111.2 m northwards anywhere, and 111.2 m times cos 47.8 degrees eastwards here."""
    place = module.places()[INDIGO]
    assert round(module.distance(place.lat + lat, place.lon + lon, place)) == metres


def test_distance_to_the_other_side_is_half_the_equator():
    """The farthest a point can lie is half way around, 20,015 km, and rounding does not break the arcsine."""
    place = module.places()[INDIGO]
    assert round(module.distance(-place.lat, place.lon - 180, place) / 1000) == 20_015


async def test_a_place_is_told_in_full(places):
    """A place has its OpenStreetMap facts, sorted out and as they are, and the licence is told with it."""
    answer = await places.get(f"/places/{INDIGO}")
    place = answer.json()
    tags = place.pop("tags")
    assert place == {
        "id": "node-266071059",
        "name": "my Indigo Staatsbrücke",
        "amenity": "restaurant",
        "cuisine": ["indian", "thai", "international"],
        "diets": {"vegetarian": True, "vegan": True},
        "lat": 47.8002674,
        "lon": 13.045302,
        "distance_m": None,
        "open": None,
        "address": None,
        "opening_hours": "Mo-Sa 11:00-22:00; Su 12:00-21:00",
        "wheelchair": "no",
        "outdoor_seating": "yes",
        "phone": "+43-662-843480",
        "email": "ind-s-staatsbruecke@soulkitchen.world",
        "website": None,
    }
    assert tags["smoking"] == "outside"
    assert answer.headers["link"] == '<https://www.openstreetmap.org/copyright>; rel="license"'
    assert (await places.get("/places", **near())).headers["link"] == answer.headers["link"]


def test_what_the_map_does_not_say_is_unknown():
    """Diets nobody noted are None, `only` is a yes, and the counts are those of the file."""
    vegan = [place.diets.vegan for place in module.places().values()]
    assert (vegan.count(True), vegan.count(False), vegan.count(None)) == (52, 22, 55)
    assert {place.diets.vegetarian for place in module.places().values()} == {True}
    assert module.places()["node-268056325"].address == "Linzer Gasse 26, 5020 Salzburg"
    assert all("" not in place.cuisine for place in module.places().values())


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        # 22 November 2026 is a Sunday, in winter time; 12 July 2026 is a Sunday, in summer time
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T11:59:00+01:00", False),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T12:00:00+01:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T20:59:00+01:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T21:00:00+01:00", False),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-23T11:00:00+01:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T11:00:00+00:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-11-22T06:00:00-05:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-07-12T10:00:00+00:00", True),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2026-07-12T09:59:00+00:00", False),
        # over midnight: Saturday's evening ends on Sunday, and Sunday has none
        ("Mo-Sa 10:00-02:00", "2026-11-22T01:59:00+01:00", True),
        ("Mo-Sa 10:00-02:00", "2026-11-22T02:00:00+01:00", False),
        ("Mo-Sa 10:00-02:00", "2026-11-23T01:00:00+01:00", False),
        # 26 October 2026, a Monday, is a public holiday in Austria
        ("Mo-Fr 11:30-22:00; PH closed", "2026-10-26T13:00:00+01:00", False),
        ("Mo-Fr 11:30-22:00; PH closed", "2026-10-27T13:00:00+01:00", True),
        # from Wednesday around to Monday: Tuesday is left out
        ("We-Mo 11:30-14:30,17:30-22:00", "2026-11-24T12:00:00+01:00", False),
        ("We-Mo 11:30-14:30,17:30-22:00", "2026-11-23T12:00:00+01:00", True),
        ("We-Mo 11:30-14:30,17:30-22:00", "2026-11-23T15:00:00+01:00", False),
        ("Mo-Su 17:00+", "2026-11-23T16:59:00+01:00", False),
        ("Mo-Su 17:00+", "2026-11-23T17:00:00+01:00", True),
        # not the grammar (`Mi` is no day), not noted at all, or out of the calendar's reach
        ("Mi-Sa 10:00-22:00", "2026-11-25T12:00:00+01:00", None),
        ("Mo, Th - Su 11:00 - 23:00", "2026-11-23T12:00:00+01:00", None),
        (None, "2026-11-23T12:00:00+01:00", None),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "0001-01-01T00:00:00+05:00", None),
        ("Mo-Sa 11:00-22:00; Su 12:00-21:00", "2100-01-01T00:00:00+00:00", None),
    ],
)
def test_open_is_what_the_hours_say_in_salzburg(text, at, expected):
    """Strings of the real data, read by hand, mean the same to the service."""
    assert text is None or text in {place.opening_hours for place in module.places().values()}
    assert module.is_open(text, datetime.fromisoformat(at)) is expected


def test_unknown_hours_are_few():
    """Of 129 places twelve have no hours and two have hours that are not in the grammar."""
    at = datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert sum(module.is_open(place.opening_hours, at) is None for place in module.places().values()) == 14


async def test_open_at_is_told_for_one_place_and_for_many(places):
    """Asked for a time, each place says whether it is open then."""
    noon = {"open_at": "2026-11-22T12:00:00+01:00"}
    assert (await places.get(f"/places/{INDIGO}", params=noon)).json()["open"] is True
    found = (await places.get("/places", **near(limit=200, **noon))).json()
    assert {place["open"] for place in found} == {True, False, None}
    assert [place["open"] for place in found if place["id"] == INDIGO] == [True]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lat": 47.8},
        {"lat": "nan", "lon": 13},
        {"lat": 91, "lon": 13},
        {"lat": 47.8, "lon": 180.1},
        {"lat": 47.8, "lon": 13, "radius_m": 0},
        {"lat": 47.8, "lon": 13, "radius_m": 50_001},
        {"lat": 47.8, "lon": 13, "limit": 0},
        {"lat": 47.8, "lon": 13, "limit": 201},
        {"lat": 47.8, "lon": 13, "page": 2},
        {"lat": [47.8, 47.9], "lon": 13},
        {"lat": 47.8, "lon": 13, "open_at": "2026-11-22"},
        {"lat": 47.8, "lon": 13, "open_at": "2026-11-22T12:00:00"},
        {"lat": 47.8, "lon": 13, "open_at": "1700000000"},
        {"lat": 47.8, "lon": 13, "open_at": "2026-11-22T12:00:00 01:00"},
    ],
)
async def test_a_query_out_of_bounds_is_a_400(places, params):
    """What is missing, unknown, repeated or out of bounds is refused with a problem."""
    answer = await places.get("/places", params=params)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/invalid-request")


@pytest.mark.parametrize("place_id", ["node-1", "node%2F266071059", "266071059", "way-266071059"])
async def test_an_unknown_place_is_a_404(places, place_id):
    """Only the ids of the file exist, and the slash of OpenStreetMap's own is not one of them."""
    assert (await places.get(f"/places/{place_id}")).status_code == 404


async def test_one_place_takes_no_other_query(places):
    """A single place knows `open_at` and nothing else."""
    assert (await places.get(f"/places/{INDIGO}", params={"lat": 1})).status_code == 400


async def test_another_teams_token_is_no_good(places, issuer):
    """A token for the directory opens nothing here."""
    assert (await places.get("/places", token=issuer.token("people-api", "places:read"))).status_code == 401


async def test_names_come_for_several_places_at_once(places):
    """Each once, and those that are not known are left out."""
    found = await places.get("/place-names", params={"ids": [INDIGO, "gone", INDIGO]})
    assert found.json() == [{"id": INDIGO, "name": "my Indigo Staatsbrücke"}]


@pytest.mark.parametrize("ids", [[], ["x"] * 101])
async def test_a_hundred_names_at_the_most(places, ids):
    """None and too many are refused."""
    assert (await places.get("/place-names", params={"ids": ids})).status_code == 400
