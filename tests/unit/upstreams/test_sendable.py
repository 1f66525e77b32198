from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from narrows import Answer, Input, Moment, Money, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.declare.shape import ShapeError
from narrows.declare.types import PREVIEW
from narrows.errors import InvalidInput, OperationRefused
from narrows.settings import UpstreamSettings
from narrows.upstreams.sendable import Sendable, plain, segment
from narrows.upstreams.synthetic import CannotMake


class Diet(Enum):
    VEGAN = "vegan"


class Team(Narrow):
    id: NumberId


class Line(Input):
    item: ShortText
    note: Annotated[ShortText, Meta(extra=PREVIEW)] = "n"


class NewBooking(Input):
    place: Annotated[ShortText, Meta(extra=PREVIEW)]
    seats: int
    lines: list[Line] = []  # noqa: RUF012 - msgspec copies it


class Directory(Upstream):
    """A directory."""

    @read("/teams/{team_id}/people/{name}", asks="a", price="0.05 EUR")
    def person(self, team_id: NumberId, name: ShortText) -> Answer[Team]: ...

    @read("/people", asks="a")
    def search(
        self,
        text: ShortText,
        tags: list[ShortText] | None = None,
        diet: Diet | None = None,
        at: Moment | None = None,
        active: bool = True,
        least: Decimal | None = None,
    ) -> Answer[list[Team]]: ...

    @write("/bookings", asks="b")
    def book(self, booking: NewBooking, key: ShortText | None = None) -> Answer[Team]: ...

    @write("/teams/{team_id}", method="DELETE", asks="b")
    def remove(self, team_id: NumberId) -> Answer[None]: ...

    @write("/notes", asks="b")
    def note(self, note: NewBooking | None = None) -> Answer[None]: ...

    @read("/x", asks="a", price="much")
    def dear(self) -> Answer[Team]: ...

    @read("/x", asks="a")
    def untyped(self, x) -> Answer[Team]: ...

    @read("/x", asks="a")
    def anything(self) -> Answer[Any]: ...


def ready(operation: Any, url: str = "https://directory.test/api") -> Sendable:
    """An operation made ready."""
    return Sendable.prepare(operation, "directory", UpstreamSettings(url=url))


def request(operation: Any, *args: Any, url: str = "https://directory.test/api", **kwargs: Any) -> httpx.Request:
    """The request of one use."""
    sendable = ready(operation, url)
    return sendable.request(sendable.bind(args, kwargs), {"Authorization": "Bearer t"})


# --- requests -------------------------------------------------------------------------------------------------------


def test_a_read_is_a_get_without_body() -> None:
    """Method, path, the token and nothing of the client's headers."""
    sent = request(Directory.person, 7, "Anna")
    assert (sent.method, str(sent.url)) == ("GET", "https://directory.test/api/teams/7/people/Anna")
    assert dict(sent.headers) == {
        "host": "directory.test",
        "authorization": "Bearer t",
        "accept": "application/json",
        "accept-encoding": "identity",
    }
    assert sent.content == b""
    assert sent.extensions["narrows.template"] == "/teams/{team_id}/people/{name}"


def test_a_write_carries_its_body_as_json() -> None:
    """The declared fields, and nothing else."""
    sent = request(Directory.book, NewBooking(place="p", seats=2))
    assert (sent.method, sent.url.raw_path) == ("POST", b"/api/bookings")
    assert sent.headers["content-type"] == "application/json"
    assert sent.content == b'{"place":"p","seats":2,"lines":[]}'


def test_a_write_without_a_body_sends_none() -> None:
    """Neither for an operation that takes none, nor for a body that is left out."""
    for sent in (request(Directory.remove, 7), request(Directory.note)):
        assert sent.content == b""
        assert "content-type" not in sent.headers


def test_the_query_holds_what_was_given() -> None:
    """What is None is left out, and a list repeats its name."""
    sent = request(
        Directory.search,
        "a b&c=d#\u00e9",
        tags=["x", "y z"],
        diet=Diet.VEGAN,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        least=Decimal("1.50"),
    )
    assert sent.url.raw_path == (
        b"/api/people?text=a%20b%26c%3Dd%23%C3%A9&tags=x&tags=y%20z&diet=vegan&at=2026-01-01T00%3A00%3A00Z"
        b"&active=true&least=1.50"
    )
    assert request(Directory.search, "a").url.raw_path == b"/api/people?text=a&active=true"


@pytest.mark.parametrize(
    "url",
    ["https://directory.test", "https://directory.test/", "https://directory.test/api/", "http://127.0.0.1:8001/a/b"],
)
def test_the_base_of_the_settings_stays_in_front(url: str) -> None:
    """Scheme, host, port and path are the operators'."""
    sent = request(Directory.remove, 7, url=url)
    assert str(sent.url) == url.rstrip("/") + "/teams/7"


HOSTILE = [
    "a/b",
    "a\\b",
    "../x",
    "..%2f",
    "%2e%2e",
    "%252e%252e",
    "a%2fb",
    ";x=1",
    "?x=1",
    "#f",
    "\x00",
    "\r\nHost: evil",
    "//evil.test",
    "http://evil.test",
    "@evil.test",
    "\u00c0\u00ae",
    "...",
    ". .",
    " ",
    "a" * 10_000,
    "\U0001f600",
    "7\t",
    "{team_id}",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_exactly_one_segment(value: str) -> None:
    """Nothing in it leads to another path, another query or another host."""
    sent = request(Directory.person, 7, value)
    assert sent.url.host == "directory.test"
    raw = sent.url.raw_path.decode("ascii")
    assert "?" not in raw
    assert "#" not in raw
    parts = raw.split("/")
    assert parts[:5] == ["", "api", "teams", "7", "people"]
    assert [unquote(part) for part in parts[5:]] == [value]


@given(st.text(min_size=1, max_size=30).filter(lambda text: text not in (".", "..") and text.isprintable()))
def test_every_text_comes_out_as_it_went_in(value: str) -> None:
    """The upstream reads the one segment that was meant, whatever it holds."""
    sent = request(Directory.person, 7, value)
    split = urlsplit(str(sent.url))
    assert (split.netloc, split.query, split.fragment) == ("directory.test", "", "")
    assert unquote(split.path.removeprefix("/api/teams/7/people/")) == value


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_a_value_that_is_no_segment_is_refused(value: Any) -> None:
    """It would lead to another path, and cannot be written otherwise."""
    with pytest.raises(InvalidInput) as caught:
        request(Directory.person, 7, value)
    [error] = caught.value.errors
    assert (error.pointer, error.remedy) == ("/name", "Send a real name.")


def test_a_lone_surrogate_is_no_text() -> None:
    """It cannot be sent."""
    with pytest.raises(UnicodeEncodeError):
        segment("name", "\ud800")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (7, "7"),
        (True, "true"),
        (1.5, "1.5"),
        (Diet.VEGAN, "vegan"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (None, "null"),
    ],
)
def test_a_value_is_written_as_json_writes_it(value: Any, text: str) -> None:
    """Without quotes."""
    assert plain(value) == text


# --- arguments ------------------------------------------------------------------------------------------------------


def test_arguments_are_bound_by_place_and_name() -> None:
    """As Python does it, with the defaults of the declaration."""
    assert ready(Directory.person).bind((7,), {"name": "x"}) == {"team_id": 7, "name": "x"}
    assert ready(Directory.search).bind(("t",), {"active": False}) == {
        "text": "t",
        "tags": None,
        "diet": None,
        "at": None,
        "active": False,
        "least": None,
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((7, "x", 1), {}, "does not declare"),
        ((7,), {"name": "x", "more": 1}, "does not declare"),
        ((7, "x"), {"name": "y"}, "one twice"),
        ((7,), {}, "not given `name`"),
        ((), {"name": "x"}, "not given `team_id`"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args: Any, kwargs: Any, said: str) -> None:
    """A fault of the handler, which the client reads nothing of."""
    with pytest.raises(OperationRefused, match=said):
        ready(Directory.person).bind(args, kwargs)


# --- made ready -----------------------------------------------------------------------------------------------------


def test_what_does_not_depend_on_a_call_is_ready() -> None:
    """Its price, its decoder, and what makes up its answer."""
    read_one, nothing = ready(Directory.person), ready(Directory.remove)
    assert read_one.price == Money.parse("0.05 EUR")
    assert read_one.decoder is not None
    assert read_one.generator is not None
    assert (nothing.price, nothing.decoder, nothing.generator) == (None, None, None)


def test_what_may_be_shown_of_an_effect_is_known() -> None:
    """By pointer, a list's items as one place."""
    assert ready(Directory.book).previews == {"/booking/place", "/booking/lines[]/note"}


@pytest.mark.parametrize(
    ("operation", "fault"),
    [(Directory.dear, ValueError), (Directory.untyped, ShapeError), (Directory.anything, CannotMake)],
)
def test_what_cannot_be_made_ready_says_why(operation: Any, fault: type[Exception]) -> None:
    """The start refuses it."""
    with pytest.raises(fault):
        ready(operation)


def test_a_query_parameter_is_sent_under_the_upstreams_own_name():
    """`names` translates it; what has no entry keeps its own."""

    class Renamed(Upstream):
        @read("/a", asks="a", names={"page_size": "page-size"})
        def list_all(self, page_size: int, page: int) -> Answer[Team]: ...

    ready = Sendable.prepare(Renamed.list_all, "renamed", UpstreamSettings(url="https://a.test"))
    request = ready.request({"page_size": 3, "page": 2}, {})
    assert str(request.url) == "https://a.test/a?page-size=3&page=2"
