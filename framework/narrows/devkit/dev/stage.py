"""Everything that one start of `narrows dev` serves: the BFF in its made-up world, and what the pages tell of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from narrows.cli.server import Watched
from narrows.cli.target import load_bff
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.upstream import Operation
from narrows.devkit.dev.arrange import Arranged, Program, Reach, Upstreaming, arrange, is_made_up, listens
from narrows.devkit.dev.forms import Examples, Field, Row, fields_of, rows_of, taken_rows
from narrows.devkit.dev.issuers import Issuers, password, scopes_of
from narrows.devkit.dev.madeup import MadeUp
from narrows.devkit.dev.network import Network
from narrows.devkit.dev.orders import Orders, Run
from narrows.devkit.dev.people import people_of, places_of
from narrows.devkit.dev.registry import register
from narrows.devkit.dev.traces import Traces
from narrows.identity.issuer import MetadataRefused, discover
from narrows.plan.entries import Entry
from narrows.plan.surroundings import Surroundings
from narrows.settings import IssuerSettings
from narrows.stores.connectors import MemoryConnectors
from narrows.surfaces.http import Application
from narrows.transport import Failure, dial

Say = Callable[[str], None]

# Examples of times are within seven days of this: what is asked for is mostly to come.
_AHEAD = timedelta(days=8)
_FACTS = ("name", "version", "owner", "purpose", "exposure", "sensitivity", "importance", "review_by")
_ISSUER_KEYS = ("url", "audience", "metadata_url", "deadline_s")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A made-up person as the pages show them."""

    name: str
    holds: list[str]
    password: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A connector that the pages can act as."""

    name: str
    kind: str
    state: str


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint in the list."""

    id: str
    kind: str
    method: str
    path: str
    summary: str


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """What the index tells."""

    facts: dict[str, str | None]
    has_page: bool
    has_graphql: bool
    endpoints: list[Brief]
    documents: list[Brief]
    upstreams: list[Upstreaming]
    programs: list[Shown]
    people: list[Person]
    issuers: list[str]
    kept_issuers: list[str]


class Registered(msgspec.Struct, frozen=True):
    """A document as the pages show it: the hash of its source, and the source."""

    sha256: str
    source: str


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the page tells that takes any GraphQL: what can be asked."""

    schema: str
    live: bool
    real: list[str]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of an endpoint tells; `live` is whether a live call stays within this process."""

    brief: Brief
    description: str
    where: str
    facts: dict[str, Any]
    commit: str
    fields: list[Field]
    takes: list[Row]
    answers: list[Row]
    live: bool
    real: list[str]
    document: Registered | None = None


class Stage:
    """One BFF that can be served: its application, its world, its traces."""

    def __init__(self, bff: Bff, arranged: Arranged, run: Run, write_record: Callable[[bytes], object]) -> None:
        """Make everything. Raises `StartRefused`, `SettingsError` and `PolicyError`."""
        self.bff = bff
        self.run = run
        self.arranged = arranged
        home = arranged.home
        self.places = places_of(bff, home.roles)
        self.people = people_of(bff, home.roles, self.places)
        self.issuers = Issuers(bff, arranged, self.people, run)
        self.traces = Traces()
        self._registry = None if arranged.governed else MemoryConnectors()
        made_up = MadeUp(self.places.fields, self._roles_of, time.time)
        network = Network(run.origin, made_up, self.issuers)
        around = Surroundings(
            dial=network.dial,
            tracer_provider=_provider(self.traces),
            write_record=write_record,
            watch=self.traces.watch,
            connectors=self._registry,
            ad_hoc=True,
        )
        application = Application(bff, arranged.settings, around)
        self.plan = application.plan
        self.watched = Watched(application)
        self._document = msgspec.json.decode(application.document)
        self._entries = {entry.endpoint.id: entry for entry in self.plan.entries if not entry.endpoint.builtin}
        made_up.know(self.plan.sendables.values(), [e.roles_from.id for e in bff.endpoints if e.roles_from])

    async def register(self) -> None:
        """Register the connectors of the files, before the start looks for them, unless a registry decides about them.

        Raises `ConnectorError`.
        """
        if self._registry is not None:
            await register(self.bff, self.arranged.settings, self._registry, self.arranged.records, time.time)

    def board(self) -> Board:
        """The facts of the index."""
        bff = self.bff
        return Board(
            facts={name: getattr(bff, name) for name in _FACTS},
            has_page=bff.page is not None,
            has_graphql=bff.graphql_surface is not None,
            endpoints=[_brief(endpoint) for endpoint in bff.endpoints],
            documents=[_brief(entry.endpoint) for entry in self._entries.values() if entry.endpoint.document],
            upstreams=self.arranged.upstreams,
            programs=[
                Shown(name=program.name, kind=program.kind, state=self._state(program.name))
                for program in self._programs().values()
            ],
            people=[Person(name=p.name, holds=p.holds, password=password(p.name, self.run)) for p in self.people],
            issuers=[issuer.name for issuer in self.arranged.issuers],
            kept_issuers=self.arranged.kept,
        )

    def view(self, endpoint_id: str) -> View | None:
        """The facts of one endpoint's page."""
        entry = self._entries.get(endpoint_id)
        if entry is None:
            return None
        endpoint, shape, document = entry.endpoint, entry.shape, entry.endpoint.document
        sent = self._sent(entry)
        examples = Examples(self.places.fields, datetime.now(UTC) + _AHEAD)
        return View(
            brief=_brief(endpoint),
            description=endpoint.description,
            where=endpoint.where,
            facts=self._facts(endpoint),
            commit=endpoint.commit,
            fields=fields_of(endpoint.id, shape, examples),
            takes=taken_rows(shape),
            answers=rows_of(shape.answer),
            live=is_made_up(self.plan.sendables, sent),
            real=self._real(sent),
            document=Registered(document.sha256, document.source) if document is not None else None,
        )

    def asking(self) -> Asking | None:
        """The facts of the page that takes any GraphQL; None without GraphQL."""
        if self.bff.graphql_surface is None:
            return None
        from narrows.surfaces.graphql.schema import make_schema  # an extra

        sent = [operation for entry in self._entries.values() for operation in self._sent(entry)]
        return Asking(
            schema=make_schema(self.bff).sdl(),
            live=is_made_up(self.plan.sendables, sent),
            real=self._real(sent),
        )

    def token(self, person: str, program: str) -> str | None:
        """A token for a made-up person and a connector; None for those that there are not."""
        connector = self._programs().get(program)
        if connector is None or person not in self._names():
            return None
        return self.issuers.token(person, connector, scopes_of(self.bff))

    def _programs(self) -> dict[str, Program]:
        """The connectors whose issuer the made-up people sign in at."""
        return {one.name: one for one in self.arranged.programs if one.issuer == self.arranged.home.name}

    def _state(self, program: str) -> str:
        """What the registry, as it was last read, or the settings say of a connector."""
        known = self.plan.directory.programs(self.arranged.home.name)
        return next((str(one.state) for one in known if one.id == program), "not registered")

    def _names(self) -> set[str]:
        return {person.name for person in self.people}

    def _facts(self, endpoint: Endpoint) -> dict[str, Any]:
        """What the contract says of an endpoint."""
        facts: dict[str, Any] = self._document["paths"][endpoint.path][endpoint.method.lower()]["x-narrows"]
        return facts

    def _sent(self, entry: Entry) -> list[Operation[..., Any]]:
        """Every operation that an endpoint may send, those of a document's fields too."""
        document = entry.endpoint.document
        fields = [self._entries[field.endpoint] for field in document.fields] if document is not None else []
        return [operation for one in (entry, *fields) for operation in one.allowance.counts]

    def _real(self, sent: Iterable[Operation[..., Any]]) -> list[str]:
        """The upstreams of operations that are not made up."""
        used = {operation.upstream.__name__ for operation in sent if operation.upstream}
        return [upstream.name for upstream in self.arranged.upstreams if upstream.real and upstream.name in used]

    def _roles_of(self, subject: str | None) -> list[str]:
        """What a directory of roles would answer; without a subject it is asked by the BFF itself."""
        if subject is None or subject not in self._names():
            return sorted({role for person in self.people for role in person.roles}) if subject is None else []
        return next(person.roles for person in self.people if person.name == subject)


def set_stage(orders: Orders, say: Say, write_record: Callable[[bytes], object], reach: Reach | None = None) -> Stage:
    """Import the BFF and make it ready; `say` hears each step. Raises whatever keeps it from starting."""
    say(f"importing {orders.run.target}")
    bff = load_bff(orders.run.target)
    say("looking for issuers and upstreams")
    arranged = arrange(bff, orders.run, reach or Reach(listens, is_issuer))
    say("making the plan")
    return Stage(bff, arranged, orders.run, write_record)


def is_issuer(table: Mapping[str, Any]) -> bool:
    """Whether an issuer of the settings answers with its metadata."""
    known = {name: table[name] for name in _ISSUER_KEYS if name in table}
    settings = msgspec.convert({"audience": "any", **known}, IssuerSettings, strict=False)
    return asyncio.run(_answers(settings))


async def _answers(settings: IssuerSettings) -> bool:
    transport = dial(None)
    try:
        await discover(transport, settings)
    except (Failure, MetadataRefused):
        return False
    finally:
        await transport.aclose()
    return True


def _brief(endpoint: Endpoint) -> Brief:
    return Brief(
        id=endpoint.id, kind=endpoint.kind, method=endpoint.method, path=endpoint.path, summary=endpoint.summary
    )


def _provider(traces: Traces) -> Any:
    """Spans for the waterfall; without the extra `telemetry` it shows the steps alone."""
    try:
        from narrows.devkit.dev.traces_export import provider_for
    except ImportError:
        return None
    return provider_for(traces)
