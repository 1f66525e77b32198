"""Cases 44, 46, 47 and 48 as bytes on a socket: what never becomes a call, and what does unchanged."""

import pytest

from tests.abuse.wire import Echo, get, post, read_body, respond, served

MALFORMED = "urn:narrows:problem:malformed-request"
SMUGGLED = get("/smuggled")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, [(b"x-echo", b"a\r\nset-cookie: stolen=1")]),
        (200, [(b"x-echo", b"a\nb")]),
        (200, [(b"x-echo", b"a\x00b")]),
        (200, [(b"x echo", b"a")]),
        (200, [(b"", b"a")]),
        (200, [("x-echo", "\u2028")]),
        (200, [(b"content-length", b"-1")]),
        (999, []),
    ],
)
async def test_case_44_a_header_that_http_does_not_allow_is_a_500_problem_and_not_an_empty_reply(status, headers):
    """An answer with a broken head becomes a 500 that says nothing, and the connection serves the next request."""

    async def app(scope, receive, send):
        broken = scope["path"] == "/broken"
        await respond(send, b"fine", status=status if broken else 200, headers=headers if broken else ())

    async with served(app) as site, site.client() as client:
        await client.send(get("/broken"))
        answer = await client.answer()
        assert (answer.status, answer.problem["type"]) == (500, "urn:narrows:problem:internal-error")
        assert "set-cookie" not in answer.headers
        assert b"echo" not in answer.body
        await client.send(get("/again"))
        assert (await client.answer()).body == b"fine"


async def test_case_44_an_application_that_sees_the_broken_header_can_answer_itself():
    """The refusal of a header reaches the application, whose own error answer is then sent."""

    async def app(scope, receive, send):
        try:
            await respond(send, b"", headers=[(b"x-echo", b"a\r\nb")])
        except Exception:
            await respond(send, b"its own", status=400)

    async with served(app) as site, site.client() as client:
        await client.send(get())
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"its own")


@pytest.mark.parametrize("line", ["X-Echo: a\rb", "X-Echo: a\x00b", "X-Echo\x00: a", ": a", "X-Echo", " X-Echo: a"])
async def test_case_44_control_characters_in_a_request_header_are_refused(line):
    """A header that could carry a second line into an answer or an upstream call never becomes a call."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(get("/", line))
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
    assert app.calls == []


@pytest.mark.parametrize(
    "line",
    [
        "GET http://evil.test/admin HTTP/1.1",
        "GET https://bff.test/ HTTP/1.1",
        "CONNECT evil.test:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET teams HTTP/1.1",
        "GET ?q HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /\x7f HTTP/1.1",
        "GET /\u00e9 HTTP/1.1",
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET /",
        "/ HTTP/1.1",
    ],
)
async def test_case_46_a_target_that_is_no_path_is_refused(line):
    """Absolute-form, authority-form and asterisk-form targets and crooked request lines are a 400 and the end."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(f"{line}\r\nHost: bff.test\r\n\r\n".encode())
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
        assert answer.headers["connection"] == "close"
    assert app.calls == []


@pytest.mark.parametrize(
    "host",
    ["x/admin?", "bff.test/", "user@bff.test", "bff.test#", "a b", "a,b", "bff.test:80a", "[::1", "", "é", "a%2fb"],
)
async def test_case_46_a_host_that_is_no_host_is_refused(host):
    """A Host that could change a path or a link built from it never becomes a call."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(get("/", host=host))
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
    assert app.calls == []


@pytest.mark.parametrize("host", ["bff.test", "bff.test:8443", "127.0.0.1", "[::1]:8000", "BFF_1.test."])
async def test_case_46_a_plain_host_passes(host):
    """Names, addresses and ports reach the application, which knows the hosts it answers."""
    async with served(Echo()) as site, site.client() as client:
        await client.send(get("/", host=host))
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("hosts", [[], ["Host: a.test", "Host: a.test"], ["Host: a.test", "Host: b.test"]])
async def test_case_46_none_and_two_hosts_are_refused(hosts):
    """HTTP/1.1 names exactly one host."""
    async with served(Echo()) as site, site.client() as client:
        answer = await client.ask("\r\n".join(["GET / HTTP/1.1", *hosts, "", ""]).encode())
        assert answer.status == 400


AMBIGUOUS = {
    "content_length_and_transfer_encoding": post(
        "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_encoding_and_content_length": post(
        "Transfer-Encoding: chunked", "content-length: 0", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "two_content_lengths": post("Content-Length: 0", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
    "two_equal_content_lengths": post("Content-Length: 1", "Content-Length: 1", body=b"a" + SMUGGLED),
    "a_list_of_content_lengths": post("Content-Length: 0, 0", body=SMUGGLED),
    "signed_content_length": post("Content-Length: +0", body=SMUGGLED),
    "hexadecimal_content_length": post("Content-Length: 0x0", body=SMUGGLED),
    "negative_content_length": post("Content-Length: -1", body=SMUGGLED),
    "very_long_content_length": post("Content-Length: " + "9" * 40, body=SMUGGLED),
    "two_transfer_encodings": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=SMUGGLED),
    "unknown_transfer_encoding": post("Transfer-Encoding: gzip, chunked", body=SMUGGLED),
    "hidden_transfer_encoding": post("Transfer-Encoding: \x0bchunked", body=SMUGGLED),
    "folded_header": post("X-A: b", "\tTransfer-Encoding: chunked", "Content-Length: 0", body=SMUGGLED),
    "folded_value": post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "space_before_colon": post("Content-Length : 0", body=SMUGGLED),
    "tab_before_colon": post("Transfer-Encoding\t: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "bare_lf": b"POST /bookings HTTP/1.1\r\nHost: bff.test\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "bare_lf_at_the_end": b"POST /bookings HTTP/1.1\r\nHost: bff.test\n\n" + SMUGGLED,
    "bare_cr": b"POST /bookings HTTP/1.1\r\nHost: bff.test\rContent-Length: 0\r\n\r\n" + SMUGGLED,
    "chunked_http_1_0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "empty_line_first": b"\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_case_47_a_request_with_two_readings_is_refused_and_hides_no_second_one(name):
    """Whatever a proxy may have read otherwise is a 400, the connection ends, and nothing at all was executed."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(AMBIGUOUS[name])
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
        assert answer.headers["connection"] == "close"
    assert app.calls == []


async def test_case_47_two_content_lengths_are_refused():
    """Two lengths are refused even when they agree, and the problem says so without repeating them."""
    async with served(Echo()) as site, site.client() as client:
        answer = await client.ask(AMBIGUOUS["two_equal_content_lengths"])
        assert answer.problem["detail"] == "Content-Length is given more than once."


async def test_case_47_an_ambiguous_request_behind_a_good_one_is_refused():
    """In a pipeline the good request is answered, the ambiguous one is refused and what follows is not read."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        await client.send(get("/good") + AMBIGUOUS["two_content_lengths"] + SMUGGLED)
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert await client.rest() == b""
    assert [call["target"] for call in app.calls] == ["/good"]


async def test_case_47_good_requests_in_a_pipeline_are_answered_in_order():
    """Strictness does not break pipelining, bodies with a length or chunks."""
    app = Echo()
    chunked = post("Transfer-Encoding: chunked", body=b"5;name=value\r\nhello\r\n0\r\n\r\n")
    async with served(app) as site, site.client() as client:
        await client.send(post("Content-Length: 2", body=b"hi") + chunked + get("/last"))
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 200]
    assert [call["body"] for call in app.calls] == ["hi", "hello", ""]


def chunks(count: int, chunk: bytes) -> bytes:
    """A chunked request with the same chunk over and over, and one hidden behind it."""
    return post("Transfer-Encoding: chunked", body=chunk * count + b"0\r\n\r\n" + SMUGGLED)


@pytest.mark.parametrize(
    "request_bytes",
    [
        chunks(1, b"1;" + b"x" * 1_000_000 + b"\r\na\r\n"),
        chunks(1, b"1;" + b"x" * 100_000 + b"\r\na\r\n"),
        chunks(250, b"1;" + b"x" * 4_000 + b"\r\na\r\n"),
        chunks(50_000, b"1\r\na\r\n"),
        post("Transfer-Encoding: chunked", body=b"0\r\nX-Trailer: " + b"x" * 1_000_000),
    ],
    ids=["one of 1 MB", "one of 100 kB in one read", "many of 4 kB", "one byte a chunk", "trailer of 1 MB"],
)
async def test_case_47_chunk_framing_of_a_megabyte_is_refused(request_bytes):
    """Chunk extensions, trailers and one-byte chunks cannot outweigh the content that they carry."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(request_bytes)
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
    assert app.calls == []
    assert app.disconnects == 1


@pytest.mark.parametrize(
    "chunk", [b"g\r\na\r\n", b"1\r\nab\r\n", b"-1\r\na\r\n", b"0x1\r\na\r\n", b"1\na\n", b" 1\r\na\r\n"]
)
async def test_case_47_a_crooked_chunk_is_refused(chunk):
    """A chunk that another reader may measure otherwise ends the request and the connection."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(post("Transfer-Encoding: chunked", body=chunk + b"\r\n\r\n" + SMUGGLED))
        assert (answer.status, answer.problem["type"]) == (400, MALFORMED)
    assert app.calls == []


async def test_case_47_the_refusal_of_a_large_request_is_not_lost_in_a_reset():
    """What a client has already sent behind the fault is read and dropped, so that it can read the answer."""
    body = b"20000\r\n" + b"x" * 0x20000 + b"\r\nno chunk\r\n" + b"x" * 3_000_000
    async with served(Echo()) as site, site.client() as client:
        answer = await client.ask(post("Transfer-Encoding: chunked", body=body))
        assert answer.status == 400


@pytest.mark.parametrize("whole", [True, False])
async def test_case_47_a_head_over_its_cap_is_refused(whole):
    """The cap of the head holds when it comes in one piece and when its end never comes."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        answer = await client.ask(get("/", "X-Long: " + "x" * 20_000)[: None if whole else -4])
        assert (answer.status, answer.problem["type"]) == (413, "urn:narrows:problem:content-too-large")
    assert app.calls == []


@pytest.mark.parametrize(
    "method", ["TRACE", "get", "Post", "delete", "PROPFIND", "X-UNKNOWN", "CONNECT", "HEAD", "OPTIONS"]
)
async def test_case_48_a_method_reaches_the_application_as_it_was_sent(method):
    """No method is folded, renamed or answered by the server: the 405 of an odd one is the application's."""
    seen = []

    async def app(scope, receive, send):
        await read_body(receive)
        seen.append(scope["method"])
        await respond(send, b"{}", status=405, headers=[(b"allow", b"POST")])

    async with served(app) as site, site.client() as client:
        for _ in range(2):
            await client.send(f"{method} /bookings HTTP/1.1\r\nHost: bff.test\r\n\r\n".encode())
            answer = await client.answer(with_body=method != "HEAD")
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert seen == [method, method]


async def test_case_48_an_offer_to_upgrade_is_ignored(caplog):
    """WebSocket and h2c offers change nothing, not even the log: the request is an ordinary one."""
    app = Echo()
    async with served(app) as site, site.client() as client:
        await client.send(get("/", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"))
        assert (await client.answer()).status == 200
    assert len(app.calls) == 1
    assert caplog.text == ""
