"""A BFF with one of everything that `narrows dev` has to make up, and what serves it within a test."""

import json
from contextlib import asynccontextmanager
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from msgspec import Meta

from narrows import (
    Answer,
    Bff,
    Id,
    Input,
    Moment,
    Narrow,
    NumberId,
    PageSize,
    Problem,
    ShortText,
    Upstream,
    read,
    write,
)
from narrows.devkit.dev.app import DevApplication
from narrows.devkit.dev.arrange import Reach, arrange
from narrows.devkit.dev.orders import Run
from narrows.devkit.dev.stage import Stage
from narrows.testing import running
from tests.flow.minimal import FACTS

NOTHING_THERE = Reach(lambda *_: False, lambda _: False)


class Gone(Problem):
    """It is not there."""

    status = 404
    title = "It is not there"
    remedy = "Choose another."


class Colour(Enum):
    """A colour."""

    RED = "red"


class Table(Narrow):
    """A table that is booked."""

    id: Id
    team_id: NumberId
    starts_at: datetime
    seats: PageSize
    note: ShortText = "-"


class Line(Narrow):
    """A line of a booking."""

    id: Id
    booking_id: Id


class Names(Narrow):
    """The roles of somebody."""

    roles: list[str]


class Contact(Input):
    """Whom to ask."""

    name: ShortText
    loud: bool = False


class Wanted(Input):
    """A booking to make."""

    seats: PageSize
    starts_at: Moment
    contact: Contact
    kind: Literal["lunch", "dinner"] = "lunch"
    colour: Colour | None = None
    notes: Annotated[list[ShortText], Meta(max_length=3)] = []  # noqa: RUF012 - msgspec copies it


class Tables(Upstream):
    """The bookings."""

    @read("/teams/{team_id}/bookings", asks="bookings:read", price="0.01 EUR")
    def of_team(self, team_id: NumberId, day: ShortText | None = None) -> Answer[list[Table]]: ...

    @read("/bookings/{booking_id}", asks="bookings:read", problems={404: Gone})
    def booking(self, booking_id: Id) -> Answer[Table]: ...

    @read("/lines/{line_id}", asks="bookings:read")
    def line(self, line_id: Id) -> Answer[Line]: ...

    @read("/bookings/newest", asks="bookings:read")
    def newest(self) -> Answer[Table]: ...

    @write("/bookings/{booking_id}", method="PUT", asks="bookings:write")
    def change(self, booking_id: Id, booking: Wanted) -> Answer[ShortText]: ...

    @write("/notes/{note_id}", method="DELETE", asks="bookings:write")
    def forget(self, note_id: Id) -> Answer[None]: ...

    @write("/bookings", asks="bookings:write", price="0.05 EUR")
    def book(self, team_id: NumberId, booking: Wanted) -> Answer[Table]: ...

    @write("/bookings/{booking_id}", method="DELETE", asks="bookings:write", problems={404: Gone})
    def cancel(self, booking_id: Id) -> Answer[None]: ...


class Weather(Upstream):
    """Public data: nobody is asked who calls."""

    @read("/weather")
    def today(self) -> Answer[ShortText]: ...


class Directory(Upstream):
    """Who holds which role."""

    @read("/roles/{team_id}", asks="roles:read")
    def roles(self, team_id: NumberId) -> Answer[Names]: ...

    @read("/names/{team_id}", asks="roles:read")
    def names(self, team_id: NumberId) -> Answer[list[str]]: ...


def make_trial(**facts: Any) -> Bff:
    """The BFF."""
    bff = Bff("trial", **{**FACTS, **facts})
    guards: dict[str, Any] = {
        "roles": {"member"},
        "within": "team:{team_id}",
        "scope": "trial:use",
        "rate": "60/minute",
    }

    @bff.read("/teams/{team_id}/bookings", uses=[Tables.of_team], **guards)
    async def bookings(
        team_id: NumberId,
        day: ShortText | None = None,
        sizes: Annotated[list[PageSize], Meta(max_length=2)] | None = None,
    ) -> Annotated[list[Table], Meta(max_length=50)]:
        """The bookings of a team.

        Of one day, or of all.
        """
        return await Tables.of_team(team_id, day)

    @bff.write("/teams/{team_id}/bookings", status=201, uses=[Tables.book], **guards)
    async def book(team_id: NumberId, booking: Wanted) -> Table:
        """Book a table."""
        return await Tables.book(team_id, booking)

    @bff.write(
        "/bookings/{booking_id}/lines/{line_id}",
        method="DELETE",
        given={"booking": Tables.booking},
        inside={"line_id": (Tables.line, "booking_id")},
        uses=[Tables.cancel],
        **{**guards, "within": "team:{booking.team_id}", "roles": {"The Chair"}},
    )
    async def cancel(booking: Table, line_id: Id) -> None:
        """Cancel a booking."""
        await Tables.cancel(booking.id)

    @bff.read("/chairs/{team_id}", uses=[], roles_from=Directory.roles, **{**guards, "roles": {"chair"}})
    async def chairs(team_id: NumberId) -> None:
        """The chairs."""

    @bff.read("/about", uses=[], **{name: value for name, value in guards.items() if name != "within"})
    async def about() -> ShortText:
        """About this."""
        return "lunch"

    @bff.write("/all", uses=[Tables.newest, Tables.change, Tables.forget, Directory.names, Weather.today],
               **{**guards, "within": "bff:trial"})  # fmt: skip
    async def everything() -> None:
        """Everything else."""
        await Tables.newest()

    return bff


MINE = """# What a team has booked.
# Of one day, or of all.
query mine($team_id: Long!, $day: String) {
  bookings(team_id: $team_id, day: $day) { id seats }
}
"""
TAKE = """# Book a table.
mutation take($team_id: Long!, $booking: WantedInput!) {
  book(team_id: $team_id, booking: $booking) { id seats }
}
"""


def make_asking(folder, **bounds: Any) -> Bff:
    """The BFF, with GraphQL and two documents; the rest of it gives way to what GraphQL can say."""
    bff = make_trial()
    bff.endpoints = [endpoint for endpoint in bff.endpoints if endpoint.function.__name__ != "everything"]
    queries = Path(folder) / "queries"
    queries.mkdir(exist_ok=True)
    (queries / "mine.graphql").write_text(MINE)
    (queries / "take.graphql").write_text(TAKE)
    bff.graphql(queries=str(queries), **{"ceiling": "0.50 EUR", **bounds})
    guards: dict[str, Any] = {
        "roles": {"member"},
        "within": "team:{team_id}",
        "scope": "trial:use",
        "rate": "60/minute",
    }
    bff.document("mine", **guards)
    bff.document("take", **guards)
    return bff


def make_run(folder, settings=None, target="trial:bff") -> Run:
    """One start; no socket is open."""
    return Run.begin(target, settings, port=8000, descriptor=-1, folder=str(folder))


def _settings(folder) -> str:
    """What cannot be made up without being told: that the weather is public."""
    file = Path(folder) / "narrows.toml"
    file.write_text('[upstreams.weather]\nurl = "https://weather.lunch-company.com"\nidentity = "none"\n')
    return str(file)


def make_stage(folder, bff=None, *, settings=None, reach=NOTHING_THERE, environ=None, records=None) -> Stage:
    """A stage with next to no settings, unless a file is named."""
    settings = settings or _settings(folder)
    run, bff = make_run(folder, settings), bff or make_trial()
    return Stage(bff, arrange(bff, run, reach, environ or {}), run, (records if records is not None else []).append)


class Visitor:
    """Somebody with the link, at the pages and at the BFF."""

    def __init__(self, http: httpx.AsyncClient, run: Run) -> None:
        self.http = http
        self.run = run
        self.cookie = ""

    async def enter(self) -> httpx.Response:
        """Open the link."""
        answer = await self.http.get(self.run.link)
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at something of the pages."""
        return await self.http.get(path, headers={"cookie": self.cookie, **headers})

    async def token(self, person: str, program: str = "dev-partner") -> str:
        """Become somebody."""
        answer = await self.post({"person": person, "program": program})
        return str(answer.json()["token"])

    async def post(self, wanted: Any, **headers: str) -> httpx.Response:
        """Ask for a token."""
        sent = {"cookie": self.cookie, "origin": self.run.origin, **headers}
        return await self.http.post("/dev/api/token", json=wanted, headers=sent)

    async def call(self, person: str, method: str, path: str, program: str = "dev-partner", **more: Any) -> Any:
        """Call the BFF as somebody."""
        bearer = {"authorization": f"Bearer {await self.token(person, program)}", **more.pop("headers", {})}
        return await self.http.request(method, path, headers=bearer, **more)


@asynccontextmanager
async def visiting(stage: Stage | None, run: Run | None = None, refusals=(), generation=1, started=lambda _: None):
    """Serve a stage within the process, and let somebody in."""
    run = run or (stage.run if stage else None)
    app = DevApplication(run, generation, stage, list(refusals), started)
    async with running(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=run.origin) as http:
            visitor = Visitor(http, run)
            await visitor.enter()
            yield visitor


def filled(view: Any) -> tuple[str, dict[str, str], Any]:
    """What the form of an endpoint begins with, as the page would send it: path, query and body."""
    path, query, variables, body = view["brief"]["path"], {}, {}, {}
    for field in view["fields"]:
        if field["source"] == "path":
            path = path.replace("{" + field["name"] + "}", field["example"])
        elif field["source"] == "query" and field["filled"]:
            query[field["name"]] = field["example"]
        elif field["filled"]:
            text = field["example"]
            *tables, last = field["pointer"].split("/")[2:]
            at = variables if field["source"] == "variables" else body
            for table in tables:
                at = at.setdefault(table, {})
            at[last] = text if field["kind"] in ("text", "choice") else json.loads(text)
    if view["document"] is not None and view["brief"]["method"] == "GET":
        query["variables"] = json.dumps(variables)
    elif view["document"] is not None:
        body = {"variables": variables}
    return path, query, body or None
