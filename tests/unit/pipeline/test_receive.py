import pytest

from narrows import Input, NumberId, ShortText
from narrows.errors import ContentTooLarge, MalformedRequest, NotFound, Problem, UnsupportedMediaType, WrongHost
from narrows.pipeline import receive
from narrows.pipeline.receive import HEAD_BYTES, check_head, enter
from tests.unit.pipeline import calls

HOSTS = frozenset({"bff.test", "bff.test:8443"})


class NewName(Input):
    name: ShortText


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


async def rename(team_id: NumberId, body: NewName) -> calls.Team:
    """Handle one call."""


# --- the request target ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw_path", "mode", "path"),
    [
        (b"/", "live", "/"),
        (b"/teams/7", "live", "/teams/7"),
        (b"/rehearse/teams/7", "rehearse", "/teams/7"),
        (b"/sandbox/teams/7", "sandbox", "/teams/7"),
        (b"/rehearse", "rehearse", "/"),
        (b"/sandbox", "sandbox", "/"),
        (b"/rehearsed/teams", "live", "/rehearsed/teams"),
        (b"/rehearsals/x", "live", "/rehearsals/x"),
        (b"/teams/rehearse", "live", "/teams/rehearse"),
        (b"/rehearse/teams/sandbox", "rehearse", "/teams/sandbox"),
        (b"/teams/%C3%A9", "live", "/teams/\u00e9"),
        (b"/teams/%2537", "live", "/teams/%37"),
        (b"/teams/%252e%252e", "live", "/teams/%2e%2e"),
        (b"/teams/%252F", "live", "/teams/%2F"),
        (b"/teams/...", "live", "/teams/..."),
        (b"/teams/7;x=1", "live", "/teams/7;x=1"),
        (b"/teams/%3Fx=1", "live", "/teams/?x=1"),
    ],
)
def test_the_base_path_is_the_mode(raw_path: bytes, mode: str, path: str) -> None:
    """The path that is routed was decoded once, and its base path alone says what a call may do."""
    assert enter(raw_path, b"", 8192) == (mode, path)


@pytest.mark.parametrize(
    "raw_path",
    [
        b"",
        b"teams",
        b"*",
        b"http://evil.test/teams",
        b"//evil.test/teams",
        b"/teams//7",
        b"/rehearse//teams/7",
        b"//rehearse/teams/7",
        b"/teams/7//",
        b"/teams/a%2fb",
        b"/teams/a%2Fb",
        b"/teams/a%5cb",
        b"/teams/a%5Cb",
        b"/rehearse%2fteams",
        b"/teams/\\7",
        b"/teams/.",
        b"/teams/..",
        b"/rehearse/../teams/7",
        b"/./rehearse/teams/7",
        b"/teams/%2e",
        b"/teams/%2E%2e",
        b"/teams/.%2e",
        b"/rehearse/%2e%2e/teams/7",
        b"/teams/%00",
        b"/teams/%0d%0aset-cookie:x",
        b"/teams/%7f",
        b"/teams/%c2%85",
        b"/teams/%c0%ae",
        b"/teams/%ff",
        b"/teams/%ed%a0%80",
        b"/teams/%",
        b"/teams/%2",
        b"/teams/%zz",
        b"/teams/ 7",
        b"/teams/7#x",
        b"/teams/7?x",
        b"/teams/\xc3\xa9",
        b"/teams/7\x00",
        b'/teams/"7"',
        b"/teams/<7>",
        b"/teams/7\n",
    ],
)
def test_a_malformed_path_goes_nowhere(raw_path: bytes) -> None:
    """What two servers could read in two ways is refused before anything is routed."""
    with pytest.raises(MalformedRequest):
        enter(raw_path, b"", 8192)


@pytest.mark.parametrize(
    "raw_path",
    [
        b"/teams/7/",
        b"/rehearse/",
        b"/sandbox/",
        b"/rehearse/teams/",
        b"/Rehearse/teams/7",
        b"/REHEARSE/teams/7",
        b"/Sandbox",
        b"/%72ehearse/teams/7",
        b"/rehears%65/teams/7",
        b"/%73andbox/teams/7",
        b"/%C5%BFandbox/teams/7",
        b"/sandbox/rehearse/teams/7",
        b"/rehearse/sandbox/teams/7",
        b"/rehearse/rehearse/teams/7",
        b"/sandbox/%72ehearse/teams/7",
    ],
)
def test_what_only_looks_like_a_base_path_leads_nowhere(raw_path: bytes) -> None:
    """A client that wrote it meant no live call, and gets none."""
    with pytest.raises(NotFound):
        enter(raw_path, b"", 8192)


def test_the_target_has_a_cap() -> None:
    """Path and query count together."""
    assert enter(b"/" + b"a" * 9, b"b" * 10, 20) == ("live", "/aaaaaaaaa")
    with pytest.raises(ContentTooLarge, match="20 bytes"):
        enter(b"/" + b"a" * 9, b"b" * 11, 20)


# --- the headers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [b"bff.test", b"BFF.Test", b"bff.test:8443"])
def test_the_host_that_is_served_may_enter(host: bytes) -> None:
    """A name of a host has no case."""
    check_head([(b"host", host), (b"x-host", b"evil.test")], HOSTS)


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        ([], MalformedRequest),
        ([b"bff.test", b"bff.test"], MalformedRequest),
        ([b"evil.test"], WrongHost),
        ([b"bff.test:80"], WrongHost),
        ([b"bff.test."], WrongHost),
        ([b"bff.test@evil.test"], WrongHost),
        ([b"bff.test/admin?"], WrongHost),
        ([b""], WrongHost),
        ([b"\xff"], WrongHost),
    ],
)
def test_another_host_is_refused(hosts: list[bytes], problem: type[Problem]) -> None:
    """A request without exactly one `Host` is malformed, one for another host is misdirected."""
    with pytest.raises(problem):
        check_head([(b"host", host) for host in hosts], HOSTS)


def test_the_headers_have_a_cap() -> None:
    """It holds behind servers that have none, for names and values together."""
    host = (b"host", b"bff.test")
    rest = HEAD_BYTES - 12 - 1
    check_head([host, (b"x", b"y" * rest)], HOSTS)
    with pytest.raises(ContentTooLarge, match="headers"):
        check_head([host, (b"x", b"y" * (rest + 1))], HOSTS)


# --- what belongs to the body ---------------------------------------------------------------------------------------


async def received(headers: dict[str, list[str]], *, body: bool = True, **over: object) -> None:
    """Take one call through the step."""
    endpoint = calls.declared(rename if body else team, writes=body)
    await calls.made(receive, endpoint, **over)(calls.call(endpoint, headers=headers))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json;charset=utf-8", 'application/json; charset="UTF-8"'],
)
async def test_json_in_utf_8_is_let_through(content_type: str) -> None:
    """JSON has one encoding, which may be named."""
    await received({"content-type": [content_type], "content-length": ["2"]})


@pytest.mark.parametrize(
    "content_types",
    [
        [],
        [""],
        ["text/plain"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data; boundary=x"],
        ["application/jsonp"],
        ["application/json; charset=latin-1"],
        ["application/json; charset=utf-8; x=y"],
        ["application/json, text/plain"],
        ["application/json", "application/json"],
    ],
)
async def test_other_types_are_refused(content_types: list[str]) -> None:
    """A form is what a foreign page can send without asking, so only JSON is read."""
    headers = {"content-type": content_types} if content_types else {}
    with pytest.raises(UnsupportedMediaType):
        await received(headers)


@pytest.mark.parametrize("encoding", ["gzip", "identity", ""])
@pytest.mark.parametrize("body", [True, False])
async def test_an_encoded_body_is_refused(encoding: str, body: bool) -> None:
    """A small body cannot unpack into a large one."""
    with pytest.raises(UnsupportedMediaType, match="encoded"):
        await received({"content-type": ["application/json"], "content-encoding": [encoding]}, body=body)


@pytest.mark.parametrize("length", ["11", "1000000000000", "9" * 5000])
async def test_a_body_that_announces_too_much_is_refused_before_it_is_read(length: str) -> None:
    """The announced length alone is enough to refuse."""
    with pytest.raises(ContentTooLarge, match="10 bytes"):
        await received({"content-type": ["application/json"], "content-length": [length]}, limits={"body_bytes": 10})


async def test_a_body_of_exactly_the_cap_is_let_through() -> None:
    """The cap is the largest size that is taken."""
    await received({"content-type": ["application/json"], "content-length": ["10"]}, limits={"body_bytes": 10})


@pytest.mark.parametrize("lengths", [["2", "2"], ["-1"], ["+2"], ["2 "], ["0x2"], [""], ["\u00b2"], ["2,2"]])
async def test_an_unclear_length_is_refused(lengths: list[str]) -> None:
    """Two servers that read a length differently see different requests."""
    with pytest.raises(MalformedRequest, match="Content-Length"):
        await received({"content-type": ["application/json"], "content-length": lengths})


@pytest.mark.parametrize("headers", [{"content-length": ["1"]}, {"transfer-encoding": ["chunked"]}])
async def test_a_read_takes_no_body(headers: dict[str, list[str]]) -> None:
    """What nobody reads is not taken."""
    with pytest.raises(MalformedRequest, match="no body"):
        await received(headers, body=False)


@pytest.mark.parametrize("headers", [{}, {"content-length": ["0"]}, {"content-length": ["000"]}])
async def test_a_read_may_say_that_it_has_no_body(headers: dict[str, list[str]]) -> None:
    """Some clients say so with each request."""
    await received(headers, body=False)
