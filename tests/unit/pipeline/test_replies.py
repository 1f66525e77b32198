import msgspec
import pytest

from narrows import Problem
from narrows.errors import FieldError, InvalidInput, MethodNotAllowed, QuotaExceeded
from narrows.pipeline.replies import is_header, problem_reply
from tests.unit.pipeline import calls


class Taken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"
    remedy = "Choose another."


def test_a_problem_is_a_document_of_its_own_type() -> None:
    """RFC 9457, with a remedy and the trace id, and kept by no cache."""
    reply = problem_reply(Taken("Table 7 is taken."), calls.TRACE_ID)
    assert reply.status == 409
    assert reply.headers == [
        ("content-type", "application/problem+json"),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    assert msgspec.json.decode(reply.body) == {
        "type": "urn:narrows:problem:taken",
        "title": "The table is taken",
        "status": 409,
        "detail": "Table 7 is taken.",
        "remedy": "Choose another.",
        "trace_id": calls.TRACE_ID,
    }


def test_writes_before_the_problem_are_named() -> None:
    """Those that happened, and those of which nobody knows."""
    body = msgspec.json.decode(problem_reply(Taken(), calls.TRACE_ID, ["Tables.book"], ["Tables.pay"]).body)
    assert body["effects"] == ["Tables.book"]
    assert body["effects_unknown"] == ["Tables.pay"]
    body = msgspec.json.decode(problem_reply(Taken(), calls.TRACE_ID).body)
    assert not {"effects", "effects_unknown"} & body.keys()


def test_every_field_error_is_told() -> None:
    """A client mends all at once."""
    errors = [FieldError("/body/a", "It must be b.", "Send b."), FieldError("/path/c", "It must be d.", "Send d.")]
    body = msgspec.json.decode(problem_reply(InvalidInput(errors=errors), calls.TRACE_ID).body)
    assert body["errors"] == [msgspec.to_builtins(error) for error in errors]


def test_headers_of_a_problem_go_along() -> None:
    """They say when to come again and which methods there are."""
    assert ("retry-after", "7") in problem_reply(QuotaExceeded(headers={"Retry-After": "7"}), calls.TRACE_ID).headers
    assert ("allow", "GET") in problem_reply(MethodNotAllowed(headers={"Allow": "GET"}), calls.TRACE_ID).headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nset-cookie: stolen=1"),
        ("X", "a\nb"),
        ("X", "a\x00"),
        ("X", "caf\u00e9"),
        ("X\r\nset-cookie", "a"),
        ("", "a"),
        ("X Y", "a"),
        ("Content-Type", "text/html"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "public"),
        ("Connection", "x-content-type-options"),
        ("X-Content-Type-Options", "sniff"),
    ],
)
def test_a_header_that_would_change_the_message_is_left_out(name: str, value: str) -> None:
    """What a team puts into a problem neither splits the answer nor lets a cache keep it."""
    plain = problem_reply(Taken(), calls.TRACE_ID)
    assert problem_reply(Taken(headers={name: value}), calls.TRACE_ID) == plain


def test_members_that_are_no_json_become_a_500() -> None:
    """A fault of the team; what did happen is still told."""
    reply = problem_reply(Taken(members={"table": object()}), calls.TRACE_ID, ["Tables.book"])
    assert reply.status == 500
    body = msgspec.json.decode(reply.body)
    assert body["type"] == "urn:narrows:problem:internal-error"
    assert body["effects"] == ["Tables.book"]


def test_a_graphql_request_reads_the_same_problem_as_its_one_error() -> None:
    """The status, the headers and the members are those of REST; the type is that which was asked for."""
    problem = Taken("Table 7 is taken.", headers={"Retry-After": "7"})
    plain = problem_reply(problem, calls.TRACE_ID, ["Tables.book"], ["Tables.pay"])
    reply = problem_reply(
        problem, calls.TRACE_ID, ["Tables.book"], ["Tables.pay"], media="application/json", at=("all", 3, "table")
    )
    assert (reply.status, reply.headers[1:]) == (plain.status, plain.headers[1:])
    assert reply.headers[0] == ("content-type", "application/json; charset=utf-8")
    members = msgspec.json.decode(plain.body)
    error = {"message": "Table 7 is taken.", "path": ["all", 3, "table"], "extensions": members}
    assert msgspec.json.decode(reply.body) == {"errors": [error]}


def test_an_error_without_detail_or_place_has_the_title_alone() -> None:
    """GraphQL wants a message, and no place where there is none."""
    reply = problem_reply(Taken(), calls.TRACE_ID, media="application/json")
    (error,) = msgspec.json.decode(reply.body)["errors"]
    assert (error["message"], error.keys()) == ("The table is taken", {"message", "extensions"})


def test_members_that_are_no_json_become_an_error_of_graphql_too() -> None:
    """In the same type, and without the place of what failed."""
    reply = problem_reply(
        Taken(members={"table": object()}), calls.TRACE_ID, ["Tables.book"], media="application/json", at=("table",)
    )
    (error,) = msgspec.json.decode(reply.body)["errors"]
    assert (reply.status, error["message"], "path" in error) == (500, "The endpoint failed", False)
    assert error["extensions"]["effects"] == ["Tables.book"]


@pytest.mark.parametrize(
    ("header", "expected"), [(("a", "b c\t;=~"), True), (("a", ""), True), (("a:", "b"), False), (("a", "\x7f"), False)]
)
def test_what_is_a_header(header: tuple[str, str], expected: bool) -> None:
    """RFC 9110, 5.1 and 5.5."""
    assert is_header(header) is expected
