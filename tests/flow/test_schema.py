"""Whatever a client makes up from the OpenAPI document, the answers are those that the document promises."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, StopReason, from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.python import asgi

from bffs.where2eat.app import bff as where2eat
from narrows import Bff
from tests.flow.world import World, world

PLENTY = "1000000/minute"
HOST = "bff.test"


def at_any_rate(bff: Bff) -> Bff:
    """The same BFF with rates that nobody uses up."""
    made = copy.copy(bff)
    made.endpoints = [msgspec.structs.replace(endpoint, rates=(PLENTY,)) for endpoint in bff.endpoints]
    made.documents = [msgspec.structs.replace(one, guards={**one.guards, "rates": (PLENTY,)}) for one in bff.documents]
    return made


class Served:
    """The world behind one ASGI lifespan, so that it lives in the loop from which schemathesis sends."""

    world: World

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.world.app(scope, receive, send)
            return
        await receive()
        async with world(bff=at_any_rate(where2eat), limits={"attempts": PLENTY, "unverified": PLENTY}) as self.world:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture
def served() -> Iterator[Served]:
    """The world, running in the background until schemathesis' plug-in ends it with the test."""
    app = Served()
    with asgi.get_client(app) as client:
        assert client.get("/health", headers={"host": HOST}).status_code == 200
        yield app


def whole(value: Any) -> Any:
    """JSON Schema takes 16.0 for a whole number; Narrows wants it written as one, which no schema can say."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def own_team(values: Any) -> Any:
    """Half of the teams that hold are the one of the caller: chance hardly ever finds it."""
    team = str((values or {}).get("team_id", ""))
    is_sound = team.isascii() and team.isdigit() and 1 <= int(team) < 2**53 and str(int(team)) == team
    return {**values, "team_id": 7} if is_sound and int(team) % 2 == 0 else values


def sent(body: Any) -> Any:
    """A body as it is sent: whole numbers written so, and of the variables of documents half for the own team."""
    body = whole(body)
    if isinstance(body, dict) and isinstance(body.get("variables"), dict):
        body["variables"] = own_team(body["variables"])
    return body


CONFIG = """
seed = 20261123
headers = {{ Authorization = "Bearer {token}", Host = "{host}" }}
continue-on-failure = true

[generation]
max-examples = {examples}
deterministic = true
database = "none"

[cache]
enabled = false
"""


def _without_rehearsal(document: dict[str, Any]) -> None:
    """A live call refuses the header that names an earlier rehearsal, which no schema of one path can say."""
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        operation["parameters"] = [
            p for p in operation["parameters"] if p.get("$ref", "").split("/")[-1] != "Rehearsal"
        ]


def findings(app: Served, base: str, examples: int = 25) -> list[str]:
    """What schemathesis finds wrong under one base path: every check, every phase, as anna."""
    document = json.loads(app.world.app.document)
    document["servers"] = [server for server in document["servers"] if server["url"] == f"https://{HOST}{base}"]
    scenario = document["components"]["parameters"]["SandboxScenario"]["schema"]
    # The two others ask for an answer of status 503 and 504, which is then no finding; elsewhere any value goes unread.
    scenario["enum"] = ["empty", "denied"]
    if base != "/sandbox":
        del scenario["enum"]
    if not base:
        _without_rehearsal(document)
    token = app.world.token()
    config = SchemathesisConfig.from_str(CONFIG.format(token=token, host=HOST, examples=examples))
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    schema.hook("map_body")(lambda _, body: sent(body))
    schema.hook("map_path_parameters")(lambda _, values: own_team(values))
    found: list[str] = []
    seen: set[tuple[str, int]] = set()
    for event in from_schema(schema).execute():
        match event:
            case ScenarioFinished(recorder=recorder):
                seen |= {(recorder.label, i.response.status_code) for i in recorder.interactions.values() if i.response}
                found += (told for told in map(_told, failed(recorder)) if not told.startswith(EXPECTED))
            case NonFatalError():
                found.append(f"{event.label}: {event.value!r}")
            case FatalError():
                found.append(repr(event.exception))
            case EngineFinished():
                assert event.stop_reason == StopReason.COMPLETED
    if not found:
        assert {("POST /teams/{team_id}/bookings", status) for status in (400, 401, 403, 415)} < seen
        assert ("GET /teams/{team_id}/dining-suggestions", 200) in seen
        documents = ("POST /graphql/lunch", "POST /graphql/book")
        assert {(document, status) for document in documents for status in (400, 401, 403)} <= seen
        assert ("GET /graphql/lunch", 200) in seen
    return found


# The `Allow` of GraphQL is one for all documents, and tells of none; what asks for one by GET brings no body.
EXPECTED = (
    "POST /graphql/book: Allow header mismatch: `Allow: GET, POST`",
    "POST /graphql/book: Wrong response to undeclared method: Unsupported method GET returned 400",
)


def failed(recorder: ScenarioRecorder) -> Iterator[Any]:
    """The checks of one scenario that failed."""
    for checks in recorder.checks.values():
        yield from (check for check in checks if check.status != Status.SUCCESS)


def _told(check: Any) -> str:
    failure = check.failure_info.failure
    return f"{failure.operation}: {failure.title}: {failure.message} ({check.failure_info.code_sample})"


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"], ids=["live", "rehearse", "sandbox"])
def test_nothing_that_a_client_makes_up_is_answered_against_the_document(served: Served, base: str) -> None:
    """Requests made from the document, sound or broken, are answered as it says under each base path."""
    found = findings(served, base)
    assert not found, "\n".join(found)
