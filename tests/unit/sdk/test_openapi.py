import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from narrows import Answer, Bff, Id, Narrow, Settings, Upstream, read
from narrows.errors import Problem
from narrows.plan import Plan
from narrows.sdk.openapi import document
from narrows.surfaces.builtins import builtins
from tests.unit.sdk import lunch

MEMBERS = "/teams/{team_id}/members"
BOOKINGS = "/teams/{team_id}/bookings"
BOOKING = "/bookings/{booking_id}"
FORECAST = "/forecast/{day}"
REHEARSAL = "/rehearsals/{rehearsal_id}"
SCENARIO = {"$ref": "#/components/parameters/SandboxScenario"}
ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[A-Za-z0-9_-]+(?!\n)$"}


def plan_of(bff: Bff, settings: Settings) -> Plan:
    """The plan of a BFF with what every BFF answers."""
    return Plan(bff, settings, builtins(bff, settings, lambda: b"{}", _no_rehearsals, _no_rehearsals))


def _no_rehearsals() -> Any:
    raise AssertionError("nothing is called here")


def made(bff: Bff | None = None, **over: object) -> dict[str, Any]:
    """The document of a BFF, decoded."""
    return json.loads(document(plan_of(bff or lunch.make_bff(), lunch.make_settings(**over))))


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    """The document of the made-up BFF."""
    return made()


def statuses(operation: dict[str, Any]) -> list[int]:
    """The statuses of an operation's responses."""
    return sorted(map(int, operation["responses"]))


def kinds(doc: dict[str, Any], operation: dict[str, Any], status: int) -> list[str]:
    """The last parts of the problem types that an operation lists for a status."""
    key = operation["responses"][str(status)]["$ref"].rpartition("/")[2]
    content = doc["components"]["responses"][key]["content"]["application/problem+json"]
    return [re.split("[:#]", kind)[-1] for kind in content["schema"]["properties"]["type"]["enum"]]


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of an operation by name."""
    return {parameter["name"]: parameter for parameter in operation["parameters"] if "name" in parameter}


def headers(operation: dict[str, Any]) -> list[str]:
    """The headers that an operation takes."""
    return [parameter["$ref"].rpartition("/")[2] for parameter in operation["parameters"] if "$ref" in parameter]


def strings(value: Any) -> list[str]:
    """Every text in a document, keys too."""
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def test_it_is_a_valid_openapi_3_1_document(doc: dict[str, Any]) -> None:
    """The document holds against the published schema of OpenAPI 3.1, defaults against their own."""
    assert doc["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(doc).validate()


def test_the_same_declarations_give_the_same_bytes() -> None:
    """Neither a second build nor another hash seed changes a byte, so that a contract can be compared and signed."""
    script = (
        "import sys; from tests.unit.sdk.test_openapi import *; "
        "sys.stdout.buffer.write(document(plan_of(lunch.make_bff(), lunch.make_settings())))"
    )
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), str(root / "framework")])
    outputs = [
        subprocess.run(  # noqa: S603  (this interpreter and the script above)
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            cwd=root,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] == document(plan_of(lunch.make_bff(), lunch.make_settings()))


def test_the_info_holds_the_facts_of_the_bff(doc: dict[str, Any]) -> None:
    """Whoever reads the contract learns who answers for the BFF, what it is for, and how careful to be."""
    info = doc["info"]
    assert (info["title"], info["version"], info["summary"]) == ("lunch", "1.2.3", "Book lunch for a team")
    assert info["description"].startswith("Book lunch for a team\n\n")
    assert info["contact"] == {"name": "lunch-tools@example.com", "email": "lunch-tools@example.com"}
    assert info["x-narrows"] == {
        "owner": "lunch-tools@example.com",
        "exposure": "internal",
        "sensitivity": "personal",
        "importance": "low",
        "review_by": "2027-05-01",
    }
    assert [tag["name"] for tag in doc["tags"]] == ["lunch", "narrows"]


def test_an_owner_without_an_address_is_a_name_only() -> None:
    """A team's name is no e-mail address, and is not passed off as one."""
    bff = lunch.make_bff()
    bff.owner = "The lunch team"
    found = made(bff)
    assert found["info"]["contact"] == {"name": "The lunch team"}
    OpenAPIV31SpecValidator(found).validate()


@pytest.mark.parametrize("public_url", ["https://lunch.test", "https://lunch.test/"])
def test_the_three_base_paths_are_servers_with_absolute_urls(public_url: str) -> None:
    """A low-code tool switches between live, rehearsal and sandbox by choosing a server."""
    found = made(public_url=public_url)["servers"]
    assert [server["url"] for server in found] == [
        "https://lunch.test",
        "https://lunch.test/rehearse",
        "https://lunch.test/sandbox",
    ]
    assert all(server["description"] for server in found)


def test_every_endpoint_stands_there_once(doc: dict[str, Any]) -> None:
    """All endpoints of the team and of Narrows are described, each under an id of its own."""
    found = {(m, path): o["operationId"] for path, item in doc["paths"].items() for m, o in item.items()}
    assert found.keys() == {
        ("get", MEMBERS),
        ("post", BOOKINGS),
        ("delete", BOOKING),
        ("get", FORECAST),
        ("get", "/health"),
        ("get", "/.well-known/oauth-protected-resource"),
        ("get", "/openapi.json"),
        ("get", "/rehearsals"),
        ("get", REHEARSAL),
    }
    assert len(set(found.values())) == len(found)
    assert found["post", BOOKINGS] == "lunch.book"


def test_the_assets_of_a_page_are_left_out(tmp_path: Path) -> None:
    """Files of the page are no part of the contract."""
    (tmp_path / "index.html").write_text("<!doctype html>")
    bff = lunch.make_bff()
    bff.page = tmp_path
    assert made(bff)["paths"].keys() == made()["paths"].keys()


def test_docstrings_become_summary_and_description(doc: dict[str, Any]) -> None:
    """What a team writes beside its code is what clients read, without the indentation."""
    operation = doc["paths"][MEMBERS]["get"]
    assert operation["summary"] == "The members of a team."
    assert operation["description"] == "The members of a team.\n\nThose who eat\nanything come last."
    assert operation["tags"] == ["lunch"]
    described = doc["components"]["schemas"]["NewBooking"]["description"]
    assert described == "A booking to make.\n\nThe guests are counted with the team."


def test_path_and_query_parameters_carry_every_constraint(doc: dict[str, Any]) -> None:
    """A generated client can refuse what the endpoint would refuse."""
    found = parameters(doc["paths"][MEMBERS]["get"])
    assert found["team_id"] == {"name": "team_id", "in": "path", "required": True, "schema": ID}
    assert found["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 5}
    assert found["near"]["schema"] == {"type": "number", "minimum": -90, "maximum": 90, "default": 47.8}
    assert found["on"]["schema"] == {"type": "string", "format": "date", "default": "2027-01-02"}
    assert found["since"] == {
        "name": "since",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "format": "date-time"},
    }
    assert found["order"]["schema"] == {"enum": ["age", "name"], "default": "name"}
    assert found["diet"]["schema"] == {"$ref": "#/components/schemas/Diet", "default": "any"}
    assert doc["components"]["schemas"]["Diet"]["enum"] == ["any", "vegan"]


def test_a_list_in_the_query_is_its_name_repeated(doc: dict[str, Any]) -> None:
    """The style of lists is said, because tools guess it differently."""
    found = parameters(doc["paths"][MEMBERS]["get"])["tags"]
    assert (found["style"], found["explode"]) == ("form", True)
    assert found["description"] == "What the place should be like."
    assert found["schema"]["maxItems"] == 5
    assert found["schema"]["items"] == {"type": "string", "minLength": 1, "maxLength": 100}
    assert found["schema"]["default"] == []


def test_a_path_value_that_only_a_guard_reads_is_a_parameter(doc: dict[str, Any]) -> None:
    """A handler need not take an id that `given` looks up; the client has to send it all the same."""
    assert parameters(doc["paths"][BOOKING]["delete"]) == {
        "booking_id": {"name": "booking_id", "in": "path", "required": True, "schema": ID}
    }


def test_a_write_takes_the_headers_that_let_it_happen_once(doc: dict[str, Any]) -> None:
    """Key and receipt belong to writes; an earlier rehearsal may be named wherever one can rehearse."""
    assert headers(doc["paths"][BOOKING]["delete"]) == [
        "Idempotency-Key",
        "Rehearsal-Receipt",
        "Rehearsal",
        "SandboxScenario",
    ]
    assert headers(doc["paths"][MEMBERS]["get"]) == ["Rehearsal", "SandboxScenario"]
    assert headers(doc["paths"]["/rehearsals"]["get"]) == []
    described = doc["components"]["parameters"]
    assert all(described[name]["in"] == "header" and not described[name]["required"] for name in described)
    form = re.compile(described["Idempotency-Key"]["schema"]["pattern"])
    assert all(form.search(text) for text in ("8e03978e", '"8e03978e"', '"a,b"', "x" * 255))
    assert not any(form.search(text) for text in ("", '""', "a b", "a,b", "x" * 256, 'a"b'))


def test_a_write_answers_with_its_receipt_and_says_what_was_kept(doc: dict[str, Any]) -> None:
    """Both headers stand at the success of a write, and at no read's; what the rates leave stands at both."""
    booked = doc["paths"][BOOKINGS]["post"]["responses"]["201"]["headers"]
    assert list(booked) == ["Link", "Rehearsal-Receipt", "Idempotency-Replayed", "RateLimit-Policy", "RateLimit"]
    read = doc["paths"][MEMBERS]["get"]["responses"]["200"]["headers"]
    assert list(read) == ["Link", "RateLimit-Policy", "RateLimit"]


def test_a_path_value_is_required_whatever_its_default() -> None:
    """A path without one of its values is another path, so a default there means nothing."""
    bff = lunch.make_bff()
    guards = {"roles": {"member"}, "within": "team:{team_id}", "scope": "lunch-read", "rate": "1/minute"}

    async def home(team_id: Id = "7") -> lunch.Member:
        """The team at home."""

    bff.read("/home/{team_id}", uses=[], **guards)(home)
    found = made(bff)
    OpenAPIV31SpecValidator(found).validate()
    assert parameters(found["paths"]["/home/{team_id}"]["get"]) == {
        "team_id": {"name": "team_id", "in": "path", "required": True, "schema": ID}
    }


def test_a_body_is_closed_and_carries_every_constraint(doc: dict[str, Any]) -> None:
    """Unknown keys are refused at any depth, and the contract says so."""
    body = doc["paths"][BOOKINGS]["post"]["requestBody"]
    assert body == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewBooking"}}},
    }
    schemas = doc["components"]["schemas"]
    assert [name for name, schema in schemas.items() if schema.get("additionalProperties") is False] == [
        "Guest",
        "NewBooking",
    ]
    fields = schemas["NewBooking"]["properties"]
    assert schemas["NewBooking"]["required"] == ["at", "seats"]
    assert fields["at"] == {"type": "string", "format": "date-time"}
    assert fields["seats"] == {"type": "integer", "minimum": 1, "maximum": 20, "multipleOf": 1}
    assert fields["guests"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Guest"},
        "maxItems": 7,
        "default": [],
    }
    assert fields["near"]["anyOf"][0] == {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 5}
    assert fields["note"] == {"anyOf": [{"type": "string", "maxLength": 2000}, {"type": "null"}], "default": None}
    assert "requestBody" not in doc["paths"][BOOKING]["delete"]


def test_successes_have_their_status_and_type(doc: dict[str, Any]) -> None:
    """An answer has the declared status and schema, or 204 and no content."""
    listed = doc["paths"][MEMBERS]["get"]["responses"]["200"]
    assert listed["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Member"},
    }
    booked = doc["paths"][BOOKINGS]["post"]["responses"]
    assert booked["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Booking"}
    assert "200" not in booked
    assert "content" not in doc["paths"][BOOKING]["delete"]["responses"]["204"]


def test_only_endpoints_of_a_team_can_be_rehearsed(doc: dict[str, Any]) -> None:
    """The link to a rehearsal is described where there can be one."""
    linked = {
        path
        for path, item in doc["paths"].items()
        for operation in item.values()
        if "Link" in next(iter(operation["responses"].values())).get("headers", {})
    }
    assert linked == {MEMBERS, BOOKINGS, BOOKING, FORECAST}


def test_problems_are_those_that_the_endpoint_can_answer(doc: dict[str, Any]) -> None:
    """Every problem is listed under its status, by type: those of the pipeline and those that the team declares."""
    operation = doc["paths"][BOOKINGS]["post"]
    assert statuses(operation) == [201, 400, 401, 402, 403, 404, 408, 409, 413, 415, 421, 422, 428, 429,
                                   500, 502, 503, 504]  # fmt: skip
    assert kinds(doc, operation, 400) == ["ambiguous-credentials", "invalid-input", "malformed-request"]
    assert kinds(doc, operation, 401) == ["credentials-missing", "interaction-required", "invalid-token"]
    assert kinds(doc, operation, 403) == ["connector-refused", "forbidden", "person-required", "scope-missing"]
    assert kinds(doc, operation, 404) == ["no-such-table", "not-found"]
    once = ["already-attempted", "effects-drifted", "key-in-use", "receipt-refused"]
    assert kinds(doc, operation, 409) == [*once, "table-taken", "too-late"]
    assert kinds(doc, operation, 422) == ["key-reused"]
    assert kinds(doc, operation, 428) == ["confirmation-required", "receipt-required"]
    assert kinds(doc, operation, 402) == ["budget-exhausted"]
    assert kinds(doc, operation, 429) == ["quota-exceeded", "volume-exhausted"]
    assert kinds(doc, operation, 503) == ["directory-away", "unavailable"]


def test_a_guards_read_does_not_tell_what_exists(doc: dict[str, Any]) -> None:
    """What a read of `given` declares becomes the one denial; only that it is away is told."""
    operation = doc["paths"][BOOKING]["delete"]
    assert kinds(doc, operation, 404) == ["not-found"]
    assert kinds(doc, operation, 503) == ["directory-away", "unavailable"]


def test_an_endpoint_lists_no_problem_that_it_cannot_answer(doc: dict[str, Any]) -> None:
    """Services are welcome at one endpoint, and health asks for no credentials."""
    forecast = doc["paths"][FORECAST]["get"]
    assert kinds(doc, forecast, 403) == ["connector-refused", "forbidden", "scope-missing"]
    assert kinds(doc, forecast, 401) == ["credentials-missing", "invalid-token"]
    assert statuses(doc["paths"]["/health"]["get"]) == [200, 400, 408, 413, 415, 421, 500, 503]
    assert kinds(doc, doc["paths"]["/health"]["get"], 400) == ["invalid-input", "malformed-request"]
    assert statuses(doc["paths"]["/rehearsals"]["get"]) == [200, 400, 401, 403, 408, 413, 415, 421, 429, 500, 503, 504]
    assert kinds(doc, doc["paths"]["/rehearsals"]["get"], 403) == ["connector-refused"]
    assert kinds(doc, doc["paths"][REHEARSAL]["get"], 404) == ["not-found"]


def test_problems_name_their_remedy_and_headers(doc: dict[str, Any]) -> None:
    """A person reads what to do in the description, a program in the example; waiting and signing in have a header."""
    components = doc["components"]
    assert components["examples"]["table-taken"]["value"] == {
        "type": "urn:narrows:problem:table-taken",
        "title": "The table is taken",
        "status": 409,
        "remedy": "Choose another time.",
    }
    described = [response["description"] for response in components["responses"].values()]
    for example in components["examples"].values():
        assert any(f"**{example['value']['title']}**: {example['value']['remedy']}" in text for text in described)
    for name, response in components["responses"].items():
        status = name.removeprefix("Problem")[:3]
        limited = {"Retry-After", "RateLimit-Policy", "RateLimit"}
        wanted = {"401": {"WWW-Authenticate"}, "429": limited, "503": {"Retry-After"}}.get(status, set())
        if "ambiguous-credentials" in response["content"]["application/problem+json"]["examples"]:
            wanted = {"WWW-Authenticate"}
        if "key-in-use" in response["content"]["application/problem+json"]["examples"]:
            wanted = {"Retry-After"}
        if status != "403":
            assert set(response["headers"]) == wanted, name


def test_a_scope_that_is_missing_comes_with_a_challenge(doc: dict[str, Any]) -> None:
    """The 403 of an endpoint with a scope may carry the challenge of RFC 6750."""
    key = doc["paths"][MEMBERS]["get"]["responses"]["403"]["$ref"].rpartition("/")[2]
    assert doc["components"]["responses"][key]["headers"].keys() == {"WWW-Authenticate"}


def test_the_examples_of_problems_hold_against_their_schema(doc: dict[str, Any]) -> None:
    """Every response's examples are valid, and further members are allowed."""
    for response in doc["components"]["responses"].values():
        content = response["content"]["application/problem+json"]
        validator = Draft202012Validator({**content["schema"], "components": doc["components"]})
        for name in content["examples"]:
            value = doc["components"]["examples"][name]["value"]
            validator.validate(value)
            validator.validate({**value, "balance": 30})
            assert not validator.is_valid({**value, "status": 200})
            assert not validator.is_valid({**value, "type": "urn:else"})


def test_the_facts_of_an_endpoint_stand_beside_it(doc: dict[str, Any]) -> None:
    """A reviewer sees who may call an endpoint, what it may touch, and what that costs at most."""
    assert doc["paths"][BOOKINGS]["post"]["x-narrows"] == {
        "kind": "write",
        "roles": ["organiser"],
        "within": "team:{team_id}",
        "scope": "lunch-book",
        "for_services": False,
        "unbound": {},
        "uses": [
            {"operation": "Directory.team", "kind": "read", "times": 1, "asks": "directory-read", "price": "0.01 EUR"},
            {"operation": "Tables.book", "kind": "write", "times": 2, "asks": "tables-write", "price": "0.05 EUR"},
        ],
        "effects": ["Tables.book"],
        "rate": ["5/minute per connector"],
        "slo": None,
        "deprecated": None,
        "sunset": None,
        "price": "0.11 EUR",
        "public": None,
        "owned": False,
    }


def test_facts_that_are_not_written_are_said_as_they_hold(doc: dict[str, Any]) -> None:
    """The domain is the BFF without `within`, and a rate counts for each caller unless it says otherwise."""
    forecast = doc["paths"][FORECAST]["get"]["x-narrows"]
    assert (forecast["within"], forecast["for_services"], forecast["price"]) == ("bff:lunch", True, None)
    assert forecast["unbound"] == {"day": "a day is nobody's", "place": "weather is the same for all"}
    members = doc["paths"][MEMBERS]["get"]["x-narrows"]
    assert members["roles"] == ["member", "organiser"]
    assert members["rate"] == ["30/minute per caller", "100/day per tenant"]
    assert (members["kind"], members["effects"]) == ("read", [])
    cancel = doc["paths"][BOOKING]["delete"]["x-narrows"]
    assert [use["operation"] for use in cancel["uses"]] == ["Tables.cancel", "Tables.booking"]


def test_narrows_own_endpoints_say_why_they_are_open(doc: dict[str, Any]) -> None:
    """What needs no credentials gives its reason; rehearsals belong to their owner."""
    health = doc["paths"]["/health"]["get"]
    assert health["security"] == []
    assert health["x-narrows"]["public"] == "It tells nothing but that the process serves."
    rehearsals = doc["paths"]["/rehearsals"]["get"]
    assert rehearsals["security"] == [{"corp": []}]
    assert (rehearsals["x-narrows"]["owned"], rehearsals["x-narrows"]["within"]) == (True, None)


def test_each_issuer_is_a_security_scheme() -> None:
    """A token of any issuer will do, with the scope of the endpoint; keys are of what OpenAPI allows."""
    client = {"id": "lunch-at-partner", "secret": lunch.Secret("another-hidden-secret")}
    issuer = {"url": "https://partner.test", "audience": "api://lunch", "client": client}
    found = made(issuers={"our partner": issuer})
    OpenAPIV31SpecValidator(found).validate()
    schemes = found["components"]["securitySchemes"]
    assert schemes.keys() == {"corp", "our_partner"}
    assert {(s["type"], s["scheme"], s["bearerFormat"]) for s in schemes.values()} == {("http", "bearer", "JWT")}
    assert "`our partner`" in schemes["our_partner"]["description"]
    assert found["paths"][BOOKINGS]["post"]["security"] == [{"corp": ["lunch-book"]}, {"our_partner": ["lunch-book"]}]


def test_nothing_leaks_into_the_contract(tmp_path: Path) -> None:
    """No host but our own, no audience, client, secret, policy or place in the source stands in the document."""
    (tmp_path / "roles.csv").write_text("g, user:corp|hidden-person, role:member, team:7\n")
    found = made(base=str(tmp_path), policies=["roles.csv"])
    texts = "\n".join(strings(found))
    hosts = set(re.findall(r"https?://[^/\s\"`;]+", texts))
    assert hosts == {"https://lunch.test", "https://iana.org"}
    for hidden in ("directory.test", "issuer.test", "tables.test", "weather.test", "api://", "lunch-bff",
                   "lunch-copilot", "hidden", "/v1", "/weather", str(tmp_path), __file__, "lunch.py"):  # fmt: skip
        assert hidden not in texts, hidden


def test_types_of_one_name_and_problems_of_one_status_stay_apart() -> None:
    """Two classes of one name are two components, and two problems of one status two examples."""
    answer = msgspec.defstruct("Problem", [("id", Id)], bases=(Narrow,), module="team")
    absent = type("NoLunch", (Problem,), {"status": 404, "title": "No lunch", "remedy": "Eat later."})

    async def thing(team_id: Id) -> answer:
        """A thing."""
        return await Things.thing(team_id)

    class Things(Upstream):
        """Another upstream."""

        @read("/things/{team_id}", asks="things-read", problems={404: absent})
        def thing(self, team_id: Id) -> Answer[answer]: ...

    bff = lunch.make_bff()
    guards = {"roles": {"member"}, "within": "team:{team_id}", "scope": "things-read", "rate": "1/minute"}
    bff.read("/things/{team_id}", uses=[Things.thing], **guards)(thing)
    found = made(bff, upstreams={"things": {"url": "https://things.test", "audience": "api://things"}})
    OpenAPIV31SpecValidator(found).validate()
    schema = found["paths"]["/things/{team_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/team.Problem"}
    assert "narrows.sdk.problems.Problem" in found["components"]["schemas"]
    examples = found["components"]["examples"]
    assert {examples[key]["summary"] for key in ("no-lunch", "not-found")} == {"No lunch", "Nothing is here"}
