import pytest

from narrows.surfaces.graphql.accepting import LEGACY, RESPONSE, media_for, media_of


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/graphql-response+json", RESPONSE),
        ("application/json", LEGACY),
        ("Application/JSON ; Charset=UTF-8", LEGACY),
        ('application/json; charset="utf-8"', LEGACY),
        ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", RESPONSE),
        ("application/json, application/graphql-response+json", RESPONSE),
        ("application/json, application/graphql-response+json;q=0.9", LEGACY),
        ("application/graphql-response+json;q=0.1, */*;q=0.5", LEGACY),
        ("application/json, text/plain, */*", LEGACY),
        ("application/graphql-response+json, */*", RESPONSE),
        ("text/html, */*;q=0.1", LEGACY),
        ("*/*", LEGACY),
        ("application/*", LEGACY),
        ("*/*, application/json;q=0", RESPONSE),
        ("application/json;q=0.5, application/json;q=0.4", LEGACY),
    ],
)
def test_the_better_type_is_chosen(accept: str, media: str) -> None:
    """By weight, then what is named before what a wildcard lets through, then the newer one; JSON for any."""
    assert media_of([accept]) == media


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "", ",", ";", "application", "application/json;q=0", "*/*;q=0", "application/json;q=2"),
        *("application/json;q=x", "application/json;q=nan", "application/json;q=-1"),
        *("application/json; charset=iso-8859-1", "application/graphql+json", "text/*, image/*"),
    ],
)
def test_what_takes_neither_is_told_so(accept: str) -> None:
    """A weight of nothing, or one that is no weight, is no wish; nor is another encoding."""
    assert media_of([accept]) is None


def test_who_says_nothing_is_answered_in_the_type_of_the_draft() -> None:
    """Two years ago it would have been plain JSON."""
    assert media_of([]) == RESPONSE


def test_several_headers_are_one_list() -> None:
    """RFC 9110, 5.2."""
    assert media_of(["text/html", "application/json"]) == LEGACY


def test_a_long_header_is_read_and_not_kept() -> None:
    """What anybody may send fills no memory, and it is read like a short one."""
    assert media_of(["text/html, " * 100 + "application/json"]) == LEGACY


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    """It comes before credentials are looked at: 30 kB of ranges held the process for 35 ms."""
    assert media_of(["application/json" + ", a" * 10_000]) == LEGACY
    assert media_of(["a, " * 10_000 + "application/json"]) is None


def test_before_the_headers_are_looked_at_there_is_always_a_type() -> None:
    """Also a refusal of a request that takes neither has one."""
    assert media_for([(b"Accept", b"application/json"), (b"host", b"x")]) == LEGACY
    assert media_for([(b"accept", b"text/html")]) == RESPONSE
