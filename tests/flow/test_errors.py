"""Errors help who made the request and nobody else: every fault at once, what to do, and nothing from inside."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from examples.where2eat.staff import person
from narrows.testing import bearer
from tests.flow.world import World, world

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
INSIDE = ["people.test", "issuer.test", "Traceback", 'File "', "eyJ", "narrows/", "profiles:read", "bff-secret"]


def problem(answer: httpx.Response, kind: str) -> dict[str, Any]:
    """The problem of an answer, complete in form, and without anything from inside."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"urn:narrows:problem:{kind}"
    assert found["status"] == answer.status_code
    assert found["remedy"]
    assert len(found["trace_id"]) == 32
    assert [word for word in INSIDE if word in answer.text] == []
    return found


async def test_all_field_errors_come_at_once() -> None:
    """Every field that does not hold, in path, query and body, is named with its rule and its remedy."""
    async with world() as made:
        body = {"place_id": "a b", "seats": 99, "note": "x" * 201, "when": "now"}
        answer = await made.client.post("/teams/07/bookings?draft=1", json=body, headers=bearer(made.token()))
        errors = problem(answer, "invalid-input")["errors"]
        wanted = ["/path/team_id", "/query/draft", "/body/place_id", "/body/starts_at", "/body/seats", "/body/note"]
        assert {error["pointer"] for error in errors} == {*wanted, "/body/when"}
        assert all(error["detail"] and error["remedy"] for error in errors)
        assert "xxx" not in answer.text


async def test_the_trace_id_is_the_clients() -> None:
    """The trace id of a problem is that of the client's own trace, and stands in the record too."""
    async with world() as made:
        headers = {**bearer(made.token()), "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answer = await made.client.get("/teams/8/bookings", headers=headers)
        assert problem(answer, "forbidden")["trace_id"] == TRACE == made.records.calls()[-1]["trace_id"]


async def test_a_denial_says_what_is_missing_and_not_who_has_it() -> None:
    """A denial names the role and the scope that are needed, and nothing of a policy."""
    async with world() as made:
        denied = problem(await made.get("/teams/8/bookings"), "forbidden")
        assert "'member'" in denied["detail"]
        no_scope = await made.client.get("/teams/7/bookings", headers=bearer(made.token(scope="dining:book")))
        assert problem(no_scope, "scope-missing")["scope"] == "dining:read"
        assert 'error="insufficient_scope"' in no_scope.headers["www-authenticate"]


async def test_who_has_no_token_learns_where_to_get_one() -> None:
    """Without credentials the challenge leads to the metadata of this API."""
    async with world() as made:
        answer = await made.client.get("/teams/7/bookings")
        problem(answer, "credentials-missing")
        assert "/.well-known/oauth-protected-resource" in answer.headers["www-authenticate"]
        assert "error=" not in answer.headers["www-authenticate"]


async def broken(scope: Any, receive: Any, send: Any) -> None:
    """A service that fails, and tells everything."""
    headers = [(b"content-type", b"text/plain"), (b"x-secret", b"profiles:read")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": b"Traceback: people.test " + person("anna").iban.encode()})


async def garbled(scope: Any, receive: Any, send: Any) -> None:
    """A service that answers something else."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"id":7,"iban":"' + person("anna").iban.encode() + b'"}'})


@pytest.mark.parametrize("host", [broken, garbled])
async def test_what_fails_behind_the_bff_stays_behind_it(host: Any) -> None:
    """An upstream that fails or answers another form is a 502 that tells nothing of what it said."""
    async with world(hosts={"people.test": host}) as made:
        answer = await made.get("/teams/7/dining-suggestions")
        assert answer.status_code == 502
        assert answer.json()["trace_id"] == made.records.calls()[-1]["trace_id"]
        assert [word for word in (*INSIDE, person("anna").iban) if word in answer.text] == []
        assert person("anna").iban not in b"".join(made.records.lines).decode()


async def test_a_declared_problem_reaches_the_client() -> None:
    """What an operation declares (a table that is taken, a time that has passed) comes with its own remedy."""
    async with world() as made:
        new = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
        assert (await made.post("/teams/7/bookings", new)).status_code == 201
        taken = await made.post("/teams/7/bookings", new)
        assert (taken.status_code, taken.json()["title"]) == (409, "The table is taken")
        passed = await made.post("/teams/7/bookings", {**new, "starts_at": "2020-12-24T12:00:00Z"})
        assert (passed.status_code, passed.json()["title"]) == (409, "The table cannot be booked")


async def test_requests_that_lead_nowhere_are_problems_too() -> None:
    """An unknown path and a method that is not served are answered in the same form, and recorded."""
    async with world() as made:
        await _nowhere(made)


async def _nowhere(made: World) -> None:
    problem(await made.get("/nothing/here"), "not-found")
    wrong = await made.post("/teams/7/dining-suggestions", {})
    problem(wrong, "method-not-allowed")
    assert wrong.headers["allow"] == "GET"
    assert [record["status"] for record in made.records.calls()[-2:]] == [404, 405]
