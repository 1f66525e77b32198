import re

import pytest

from narrows import errors
from narrows.errors import FieldError, Problem, Refusal, StartRefused, UpstreamFailed, problem_classes


class TableTaken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"
    remedy = "Choose another time."


def test_the_slug_is_the_name_in_kebab_case():
    """The last part of `type` leads to the page of the problem."""
    assert (TableTaken.slug, TableTaken.type) == ("table-taken", "urn:narrows:problem:table-taken")


def test_a_type_of_its_own_is_kept():
    """A registered type stays what IANA registered."""
    assert errors.QuotaExceeded.type == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert errors.QuotaExceeded.slug == "quota-exceeded"


def test_a_body_says_what_to_do():
    """RFC 9457: type, title and status; and always a remedy."""
    assert TableTaken().body() == {
        "type": "urn:narrows:problem:table-taken",
        "title": "The table is taken",
        "status": 409,
        "remedy": "Choose another time.",
    }


def test_a_body_holds_all_that_is_known():
    """Detail, errors, other members and the trace id, in the order in which a person reads."""
    found = [FieldError("/body/seats", "It is too much.", "Send less.")]
    problem = TableTaken("Table 7.", remedy="Take table 8.", errors=found, members={"free": [8]})
    assert list(problem.body("abc").items()) == [
        ("type", "urn:narrows:problem:table-taken"),
        ("title", "The table is taken"),
        ("status", 409),
        ("detail", "Table 7."),
        ("remedy", "Take table 8."),
        ("errors", [{"pointer": "/body/seats", "detail": "It is too much.", "remedy": "Send less."}]),
        ("free", [8]),
        ("trace_id", "abc"),
    ]


@pytest.mark.parametrize("name", ["type", "title", "status", "remedy", "detail"])
def test_members_replace_nothing(name):
    """What RFC 9457 fixes cannot be overwritten by another member."""
    problem = TableTaken("Table 7.", members={name: "other"})
    assert problem.body()[name] == TableTaken("Table 7.").body()[name]


def test_a_problem_reads_like_its_detail():
    """In a log the detail, or else the title, says what happened."""
    assert (str(TableTaken("Table 7.")), str(TableTaken())) == ("Table 7.", "The table is taken")


def test_headers_are_the_problems_own():
    """Two problems never share a mapping."""
    headers = {"Retry-After": "1"}
    problem = TableTaken(headers=headers)
    problem.headers["Allow"] = "GET"
    assert headers == {"Retry-After": "1"}


def test_the_status_of_an_upstream_stays_inside():
    """It is for the record; the client does not read it."""
    failed = UpstreamFailed("Broken.", upstream_status=418)
    assert failed.upstream_status == 418
    assert "418" not in str(failed.body())


def test_a_refusal_names_place_rule_code_and_remedy():
    """Whoever starts a BFF sees where to look and what to write."""
    refusal = Refusal(code="rate-missing", subject="b.x", where="app.py:7", rule="it has no rate", remedy="add rate=")
    assert str(refusal) == "app.py:7: b.x: it has no rate [rate-missing]\n    remedy: add rate="


def test_a_refused_start_lists_every_reason():
    """Nobody has to start ten times."""
    reasons = [Refusal(code=code, subject="b.x", where="app.py:7", rule="r", remedy="m") for code in ("one", "two")]
    refused = StartRefused(reasons)
    assert refused.refusals == tuple(reasons)
    assert re.findall(r"\[(\w+)\]", str(refused)) == ["one", "two"]
    assert str(refused).startswith("2 declaration(s)")


def test_the_problems_of_narrows_are_known_by_name():
    """They are listed in order, without those of teams."""
    found = problem_classes()
    assert TableTaken not in found
    assert [p.slug for p in found] == sorted(p.slug for p in found)
    assert {p.__module__ for p in found} == {"narrows.errors"}


@pytest.mark.parametrize("problem", problem_classes(), ids=lambda p: p.slug)
def test_each_problem_is_one_that_a_client_can_act_upon(problem):
    """A status of a failure, a title of its own, a remedy, and a line in the tree at the top of the file."""
    assert 400 <= problem.status <= 599
    assert problem.title != Problem.title
    assert problem.remedy.endswith(".")
    line = next(line for line in errors.__doc__.splitlines() if re.search(rf"\b{problem.__name__}\b", line))
    assert str(problem.status) in line or "5xx" in line


def test_types_are_all_different():
    """A type names one problem."""
    assert len({p.type for p in problem_classes()}) == len(problem_classes())
