"""Any GraphQL text runs in `narrows dev`, and there too by the pipeline alone: no field without its guards."""

import json

import msgspec
import pytest

from narrows.errors import StartRefused
from narrows.plan.surroundings import Surroundings
from narrows.surfaces.http import Application
from tests.unit.devkit.dev.trial import MINE, make_asking, make_stage, visiting

ASKED = "{ bookings(team_id: 7) { id } }"
BOOK = """mutation ($seats: Int!) {
  book(team_id: 7, booking: {seats: $seats, starts_at: "2027-01-01T12:00:00Z", contact: {name: "Ann"}}) { seats }
}"""


def stage_of(folder, **how):
    """The trial with GraphQL."""
    return make_stage(folder, make_asking(folder), **how)


async def ask(visitor, query, person="member", base="", **more):
    """Post some text."""
    return await visitor.call(person, "POST", f"{base}/graphql", json={"query": query, **more})


def told(answer):
    """The one error of an answer: its status, title, and details by field."""
    [error] = answer.json()["errors"]
    problem = error["extensions"]
    assert "data" not in answer.json()
    assert (problem["status"], error["message"]) == (answer.status_code, problem["title"])
    return answer.status_code, [(one["pointer"], one["detail"]) for one in problem.get("errors", [])]


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_text_that_was_not_registered_runs_under_the_guards_of_its_fields(tmp_path, base):
    """Who holds the role of the field is answered; a stranger, a neighbour and nobody are not."""
    records = []
    async with visiting(stage_of(tmp_path, records=records)) as visitor:
        answer = await ask(visitor, ASKED, base=base)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"data"}
        assert all(set(one) == {"id"} for one in answer.json()["data"]["bookings"])
        for person in ("stranger", "neighbour"):
            assert (await ask(visitor, ASKED, person, base)).status_code == 403
        nobody = await visitor.http.post(f"{base}/graphql", json={"query": ASKED})
        assert nobody.status_code == 401
        assert len(nobody.json()["errors"]) == 1
    kept = [record for record in map(json.loads, records) if record.get("endpoint") == "trial._ad_hoc"]
    assert [record["status"] for record in kept] == [200, 403, 403]
    assert [field["endpoint"] for field in kept[0]["fields"]] == ["trial.bookings"]


async def test_ad_hoc_text_draws_on_the_rate_and_the_record_of_its_fields(tmp_path):
    """It is no way around a rate: what its fields allow is used up by it, and by REST alike."""
    async with visiting(stage_of(tmp_path)) as visitor:
        twice = "{ a: bookings(team_id: 7) { id } b: bookings(team_id: 7) { id } }"
        for _ in range(20):
            assert (await ask(visitor, twice)).status_code == 200
        for _ in range(20):
            assert (await visitor.call("member", "GET", "/teams/7/bookings")).status_code == 200
        assert (await ask(visitor, ASKED)).status_code == 429
        assert (await visitor.call("member", "GET", "/teams/7/bookings")).status_code == 429


async def test_a_mutation_is_rehearsed_and_sent_with_its_receipt(tmp_path):
    """Effects, receipts and made-up upstreams are those of any write; by GET it is refused."""
    async with visiting(stage_of(tmp_path)) as visitor:
        body = {"query": BOOK, "variables": {"seats": 3}}
        rehearsed = await visitor.call("member", "POST", "/rehearse/graphql", "dev-low-code", json=body)
        assert rehearsed.json() == {"data": {"book": {"seats": 3}}}
        link = rehearsed.headers["link"].partition("<")[2].partition(">")[0]
        document = (await visitor.call("member", "GET", link, "dev-low-code")).json()
        assert [effect["operation"] for effect in document["effects"]] == ["Tables.book"]
        assert document["price"]["asked"] == "0.05 EUR"
        receipt = {"rehearsal-receipt": rehearsed.headers["rehearsal-receipt"]}
        bare = await visitor.call("member", "POST", "/graphql", "dev-low-code", json=body)
        assert bare.status_code == 428
        live = await visitor.call("member", "POST", "/graphql", "dev-low-code", json=body, headers=receipt)
        assert live.json() == {"data": {"book": {"seats": 3}}}
        for text in (" ".join(BOOK.split()), "mutation { __typename }"):
            by_get = await visitor.call("member", "GET", "/graphql", params={"query": text})
            assert (by_get.status_code, by_get.headers.get("allow")) == (405, "POST"), by_get.text


async def test_what_is_wrong_with_a_text_is_told_at_its_place(tmp_path):
    """Syntax, unknown fields, bounds, prices and variables are a 400 each, with line and column where there is one."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path, aliases=1, depth=2, ceiling="0.05 EUR"))) as visitor:
        field = "/body/query"
        assert told(await ask(visitor, "{")) == (
            400,
            [(field, "Line 1, column 2: Syntax Error: Expected Name, found <EOF>.")],
        )
        for text, said in {
            "{\n  nothing }": "Line 2, column 3: Cannot query field 'nothing' on type 'Query'.",
            "{ abut }": "Line 1, column 3: Cannot query field 'abut' on type 'Query'. Did you mean 'about'?",
            "{ about } { about }": "Line 1, column 1: it has 2 operations",
            "subscription { about }": "Line 1, column 1: it is a subscription",
            "type A { a: Int }": "it defines types",
            "{ a: about b: about }": "it has 2 aliases, and 1 are allowed",
            "{ __schema { types { name } } }": "it nests 3 deep",
            "{ about __schema { __typename } }": "it asks for data and for the schema at once",
            "{ bookings(team_id: 0) { id } }": "`team_id` does not hold",
            "{ a: about " + "...on Query { " * 400: "it is longer than 1000 tokens",
        }.items():
            status, [(pointer, detail), *_] = told(await ask(visitor, text))
            assert (status, pointer) == (400, field), text
            assert said in detail, (text, detail)
            assert not detail.endswith("?.")
        wrong = "query ($t: Long!) { bookings(team_id: $t) { id } }"
        assert told(await ask(visitor, wrong, variables={"t": 0, "u": 1}))[1][0][0].startswith("/variables/")
        assert told(await ask(visitor, wrong, operationName="other"))[1][0][0] == "/body/operationName"
        assert told(await ask(visitor, "query a { __typename }", operationName="b"))[1][0][0] == "/body/operationName"


async def test_what_a_text_can_cost_is_bounded_as_that_of_a_document(tmp_path):
    """Nobody gets used to a text that could not be registered."""
    async with visiting(make_stage(tmp_path, make_asking(tmp_path, ceiling="0.05 EUR"))) as visitor:
        asked = " ".join(f"a{n}: bookings(team_id: 7) {{ id }}" for n in range(6))
        status, [(_, detail)] = told(await ask(visitor, f"{{ {asked} }}"))
    assert (status, detail) == (400, "one call can cost 0.06 EUR, and 0.05 EUR is allowed.")


async def test_text_that_nests_without_end_is_refused(tmp_path):
    """A text that no parser gets through is a 400 and not a fault, whatever way it nests."""
    chain = "".join(f"fragment f{n} on Query{{...f{n + 1}}}" for n in range(700))
    async with visiting(make_stage(tmp_path, make_asking(tmp_path, depth=100_000, tokens=200_000))) as visitor:
        status, [(pointer, detail), *_] = told(await ask(visitor, "{ a " * 4000 + "}" * 4000))
        assert (status, pointer) == (400, "/body/query")
        assert "nested too deep" in detail
        assert told(await ask(visitor, f"{{ ...f0 }} {chain} fragment f700 on Query {{ about }}"))[0] == 400


async def test_the_schema_is_told_to_whoever_holds_a_token(tmp_path):
    """Introspection takes variables, and is answered in the media type asked for; without a token it is not."""
    text = "query named($name: String!) { __type(name: $name) { fields { name } } __typename }"
    async with visiting(stage_of(tmp_path)) as visitor:
        answer = await ask(visitor, text, "stranger", variables={"name": "Table"}, operationName="named")
        assert [one["name"] for one in answer.json()["data"]["__type"]["fields"]][:2] == ["id", "team_id"]
        assert answer.json()["data"]["__typename"] == "Query"
        for media in ("application/json", "application/graphql-response+json"):
            again = await visitor.call(
                "stranger", "POST", "/graphql", json={"query": "{ __typename }"}, headers={"accept": media}
            )
            assert again.headers["content-type"].startswith(media)
        assert (await visitor.http.post("/graphql", json={"query": text})).status_code == 401
        assert (await visitor.http.get("/graphql", params={"query": text})).status_code == 401
        assert told(await ask(visitor, text))[1][0][0] == "/variables"
        twice = '{"query": "{ __typename }", "variables": {"a": 1, "a": 2}}'
        sent = {"content": twice, "headers": {"content-type": "application/json"}}
        assert (await visitor.call("member", "POST", "/graphql", **sent)).status_code == 400


async def test_the_text_of_a_document_is_that_document(tmp_path):
    """Its own guards hold, and its record has its name; the ladder of the connector is not asked in development."""
    records = []
    async with visiting(stage_of(tmp_path, records=records)) as visitor:
        assert (await ask(visitor, MINE, variables={"team_id": 7})).status_code == 200
    assert json.loads(records[-1])["endpoint"] == "trial.mine"


async def test_only_the_latest_texts_stay_ready(tmp_path):
    """A text that was pushed out is made ready anew; a thousand of them take no more room than a few."""
    stage = stage_of(tmp_path)
    async with visiting(stage) as visitor:
        for n in range(1, 41):
            assert (await ask(visitor, f"{{ a{n}: about }}")).json() == {"data": {f"a{n}": "lunch"}}
        assert (await ask(visitor, "{ a1: about }")).status_code == 200
    assert sum(endpoint.ad_hoc for endpoint in stage.plan.settle._ceilings) == 32


def test_text_runs_outside_development_nowhere(tmp_path):
    """Who switches it on for another environment is refused at start."""
    stage = stage_of(tmp_path)
    settings = msgspec.structs.replace(stage.arranged.settings, environment="production")
    with pytest.raises(StartRefused) as refused:
        Application(stage.bff, settings, Surroundings(ad_hoc=True))
    assert [one.code for one in refused.value.refusals] == ["ad-hoc-outside-development"]
