"""One connection of the server: what the abuse cases of the wire do not show."""

import asyncio
import contextlib
import logging
import socket
import ssl

import pytest

from narrows.surfaces.serving import ReceiptLimits, Tls
from tests.abuse.wire import PATIENCE_S, Echo, get, post, read_body, respond, served

CHUNKED_ANSWER = {"type": "http.response.start", "status": 200, "headers": []}


async def test_an_application_that_fails_answers_a_problem_and_logs_no_message(caplog):
    """The client reads a 500 that says nothing; the log names the kind and the line, not what the exception says."""

    async def app(scope, receive, send):
        raise ValueError("token-canary")

    async with served(app) as site, site.client() as client:
        for _ in range(2):
            await client.send(get())
            answer = await client.answer()
            assert (answer.status, answer.problem["type"]) == (500, "urn:narrows:problem:internal-error")
    assert "ValueError in app" in caplog.text
    assert "token-canary" not in caplog.text + repr([record.exc_info for record in caplog.records])


async def test_an_application_that_answers_nothing_answers_a_problem():
    """A call that ends without an answer is a 500, not an empty reply."""

    async def app(scope, receive, send):
        return None

    async with served(app) as site, site.client() as client:
        await client.send(get())
        assert (await client.answer()).status == 500


async def test_an_application_that_fails_within_its_answer_cuts_it_off():
    """A client can tell half an answer from a whole one, and nothing is put behind the half."""

    async def app(scope, receive, send):
        await send(CHUNKED_ANSWER)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError

    async with served(app) as site, site.client() as client:
        await client.send(get())
        received = await client.rest()
        assert received.endswith(b"4\r\nhalf\r\n")
        assert b"500" not in received


async def test_an_application_that_sends_after_its_answer_disturbs_nobody():
    """What a finished call still sends is refused and does not become the answer of the next one."""
    late, second = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/second":
            second.set()
            await late.wait()
            await respond(send, b"right")
            return
        await respond(send, b"first")
        await second.wait()
        try:
            await respond(send, b"wrong")
        finally:
            late.set()

    async with served(app) as site, site.client() as client:
        await client.send(get())
        assert (await client.answer()).body == b"first"
        await client.send(get("/second"))
        assert (await client.answer()).body == b"right"


async def test_an_application_that_is_stopped_answers_503():
    """Who is being served while the server stops for good reads that it is stopping."""
    begun = asyncio.Event()

    async def app(scope, receive, send):
        begun.set()
        await asyncio.Event().wait()

    async with served(app) as site, site.client() as client:
        await client.send(get())
        await begun.wait()
        for task in site.state.tasks:
            task.cancel()
        answer = await client.answer()
        assert (answer.status, answer.problem["detail"]) == (503, "The server is stopping.")


async def test_a_body_that_breaks_within_the_answer_ends_the_connection(caplog):
    """When the answer has begun no problem can follow it; it is cut off, and nothing fails over it."""

    async def app(scope, receive, send):
        await send(CHUNKED_ANSWER)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await read_body(receive)

    async with served(app) as site, site.client() as client:
        await client.send(post("Transfer-Encoding: chunked"))
        await client.reader.readuntil(b"half\r\n")
        await client.send(b"no chunk\r\n")
        assert await client.rest() == b""
        await site.next_lost()
    assert "Fatal" not in caplog.text


async def test_a_malformed_head_request_gets_a_head_only():
    """The answer to HEAD has no content, also when the server itself answers."""
    async with served(Echo()) as site, site.client() as client:
        await client.send(b"HEAD * HTTP/1.1\r\nHost: bff.test\r\n\r\n")
        answer = await client.answer(with_body=False)
        assert (answer.status, await client.rest()) == (400, b"")


async def test_a_head_request_leaves_no_mark_on_the_next_one():
    """A refusal on a connection that has served a HEAD carries its problem document."""
    async with served(Echo()) as site, site.client() as client:
        await client.send(b"HEAD / HTTP/1.1\r\nHost: bff.test\r\n\r\n")
        assert (await client.answer(with_body=False)).status == 200
        answer = await client.ask(b"\x16\x03\x01\r\n\r\n")
        assert answer.problem["status"] == 400


async def test_a_refusal_is_read_though_reading_was_paused():
    """What follows a fault is read away also when the application had let the body pile up."""

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    async with served(app) as site, site.client() as client:
        # One read crosses the mark of 64 KiB, where uvicorn pauses, and holds the fault too.
        await client.send(post("Transfer-Encoding: chunked", body=b"10100\r\n" + b"x" * 65_000))
        await client.send(b"x" * 792 + b"\r\nno chunk\r\n")
        assert (await client.ask(b"x" * 6_000_000)).status == 400


async def test_a_connection_that_has_gone_leaves_no_deadline_behind():
    """A client that goes away in the middle of a head is not answered later."""
    async with served(Echo()) as site:
        async with site.client() as client:
            connection = await site.next_made()
            await client.send(get() + b"GET /half")
            await client.answer()
        await site.next_lost()
        assert connection._deadline.cancelled()


async def test_a_refusal_ends_the_deadline_of_what_was_awaited():
    """A request is refused once: what is late after that is not refused again."""
    async with served(Echo()) as site, site.client() as client:
        connection = await site.next_made()
        await client.send(post("Transfer-Encoding: chunked", "Expect: 100-continue"))
        await client.reader.readuntil(b"100 Continue\r\n\r\n")
        body = connection._deadline
        await client.ask(b"no chunk\r\n")
        assert body.cancelled()


async def test_the_deadline_between_requests_is_that_of_the_limits_alone():
    """uvicorn's own keep-alive timer does not cut `idle_s` short."""
    async with served(Echo()) as site, site.client() as client:
        connection = await site.next_made()
        await client.send(get())
        await client.answer()
        assert connection.timeout_keep_alive_task is None
        assert not connection._deadline.cancelled()


async def test_what_comes_after_the_last_request_is_not_read():
    """A request behind `Connection: close` is not executed and does not spoil the answer on its way."""
    app, go = Echo(), asyncio.Event()

    async def held(scope, receive, send):
        await go.wait()
        await app(scope, receive, send)

    async with served(held) as site, site.client() as client:
        await client.send(get("/last", "Connection: close"))
        await client.send(get("/behind") * 1000)
        go.set()
        assert (await client.answer()).status == 200
        await client.rest()
    assert [call["target"] for call in app.calls] == ["/last"]


async def test_the_deadline_of_a_body_does_not_run_while_the_application_does_not_read():
    """A client that would send, and is kept waiting by the application, is not told that it was late."""
    waited, body = asyncio.Event(), b"x" * 300_000

    async def app(scope, receive, send):
        # Three deadlines over: the next one ends in the moment in which the client may go on.
        asyncio.get_running_loop().call_later(1.5, waited.set)
        await waited.wait()
        await respond(send, str(len(await read_body(receive) or b"")).encode())

    async with served(app, limits=ReceiptLimits(body_s=0.5)) as site, site.client() as client:
        client.writer.write(post(f"Content-Length: {len(body)}", body=body))
        assert (await client.answer()).body == b"300000"


async def test_a_client_that_waits_to_be_asked_for_its_body_is_not_late():
    """With `Expect: 100-continue` the deadline waits for the application to ask."""
    asked = asyncio.Event()

    async def app(scope, receive, send):
        asyncio.get_running_loop().call_later(0.12, asked.set)
        await asked.wait()
        await respond(send, await read_body(receive) or b"")

    async with served(app, limits=ReceiptLimits(body_s=0.05)) as site, site.client() as client:
        await client.send(post("Content-Length: 2", "Expect: 100-continue"))
        await client.reader.readuntil(b"100 Continue\r\n\r\n")
        await client.send(b"hi")
        assert (await client.answer()).body == b"hi"


async def test_two_bodies_in_a_row_each_have_their_own_deadline():
    """The second request of a connection does not inherit what is left of the first one's time."""

    async def app(scope, receive, send):
        await respond(send, b"early")

    async with served(app, limits=ReceiptLimits(body_s=0.3)) as site, site.client() as client:
        await client.send(post("Content-Length: 2", body=b"1"))
        await client.answer()
        (connection,) = site.state.connections
        first = connection._deadline
        await client.send(b"2" + post("Content-Length: 2", body=b"3"))
        await client.answer()
        assert first.cancelled()
        assert connection._deadline.when() > first.when()


async def test_a_client_that_takes_its_time_but_reads_gets_all():
    """Writing that was paused goes on, and its deadline ends, as soon as the client has read."""
    piece = b"x" * (1 << 20)

    async def app(scope, receive, send):
        await respond(send, piece * 16)

    async with served(app) as site, site.client() as client:
        connection = await site.next_made()
        client.writer.transport.pause_reading()
        await client.send(get())
        await asyncio.wait_for(connection.paused.wait(), 1)
        client.writer.transport.resume_reading()
        assert len((await client.answer()).body) == 16 << 20
        assert connection._write_deadline.cancelled()


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"GET / HT", "The headers did not arrive within 0.05 s."),
        (post("Content-Length: 9", body=b"half"), "The body did not arrive within 0.05 s."),
    ],
)
async def test_the_problem_of_a_late_request_says_what_was_late(sent, detail):
    """Who was too slow reads which part and how long it may take."""
    async with served(Echo(), limits=ReceiptLimits(headers_s=0.05, body_s=0.05)) as site, site.client() as client:
        assert (await client.ask(sent)).problem["detail"] == detail


async def test_an_excess_connection_reads_when_to_come_again():
    """Over the cap the server answers before it reads anything."""
    async with served(Echo(), limits=ReceiptLimits(connections=1)) as site, site.client(), site.client() as excess:
        answer = await excess.answer()
        assert (answer.status, answer.headers["retry-after"], await excess.rest()) == (503, "1", b"")


async def test_a_refused_connection_ends_though_its_client_stays():
    """After a refusal the server stops reading when `linger_s` is over, however much the client still sends."""
    async with served(Echo(), limits=ReceiptLimits(linger_s=0.05)) as site, site.client() as client:
        await client.send(b"\x00\r\n\r\n")
        assert (await client.answer()).status == 400
        await site.next_lost()


@pytest.mark.parametrize("sent", [b"", b"\x00\r\n\r\n", get()])
async def test_shutdown_ends_new_idle_and_refused_connections(sent):
    """A server that stops closes what has no call on its way, and does not trip over a refused request."""
    async with served(Echo()) as site, site.client() as client:
        connection = await site.next_made()
        if sent:
            await client.send(sent)
            await client.answer()
        connection.shutdown()
        assert await client.rest() == b""
        assert await site.next_lost() is connection


async def test_shutdown_lets_a_call_end():
    """A server that stops answers the call that is on its way, and then closes."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        begun.set()
        await go.wait()
        await respond(send, b"done")

    async with served(app) as site, site.client() as client:
        connection = await site.next_made()
        await client.send(get())
        await begun.wait()
        connection.shutdown()
        go.set()
        assert (await client.answer()).body == b"done"
        assert await client.rest() == b""


async def test_no_request_is_written_to_the_log_at_any_level(caplog):
    """uvicorn logs whole requests at its trace level; the server keeps it from doing so."""
    caplog.set_level(0)
    logging.getLogger("uvicorn").setLevel(logging.NOTSET)
    async with served(Echo()) as site, site.client() as client:
        await client.send(get("/?q=query-canary", "Authorization: Bearer token-canary"))
        assert (await client.answer()).status == 200
    assert "canary" not in caplog.text


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server's certificate for localhost, and a client that trusts it."""
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    return Tls(certificate=certificate, key=key), ssl.create_default_context(cafile=certificate)


def make_certificate(folder) -> tuple[str, str]:
    """Write a self-signed certificate for localhost and its key; return both paths."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return str(folder / "certificate.pem"), str(folder / "key.pem")


async def test_requests_over_tls_are_served_as_https(tls):
    """The scheme is https, and keep-alive works."""
    schemes = []

    async def app(scope, receive, send):
        schemes.append(scope["scheme"])
        await respond(send, b"safe")

    async with served(app, tls=tls[0]) as site, site.client(tls=tls[1]) as client:
        for _ in range(3):
            await client.send(get())
            assert (await client.answer()).body == b"safe"
    assert schemes == ["https"] * 3


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_served(tls):
    """TLS 1.3 lets a client send its request in the flight that ends the handshake; no byte of it is lost."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    above = tls[1].wrap_bio(incoming, outgoing, server_hostname="localhost")
    async with served(Echo(), tls=tls[0]) as site, site.client() as client:
        with pytest.raises(ssl.SSLWantReadError):
            above.do_handshake()
        await client.send(outgoing.read())
        while outgoing.pending == 0:
            incoming.write(await client.reader.read(1 << 16))
            with contextlib.suppress(ssl.SSLWantReadError):
                above.do_handshake()
        above.write(get("/at-once"))
        await client.send(outgoing.read())
        received = b""
        while b"/at-once" not in received:
            incoming.write(await asyncio.wait_for(client.reader.read(1 << 16), PATIENCE_S))
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    received += above.read()
        assert b"HTTP/1.1 200" in received


async def test_a_refusal_over_tls_is_answered_and_closed(tls):
    """TLS cannot close one direction alone; the answer arrives all the same."""
    async with served(Echo(), tls=tls[0]) as site, site.client(tls=tls[1]) as client:
        answer = await client.ask(get("/", "X-A : b"))
        assert answer.status == 400
        await site.next_lost()


async def test_a_handshake_that_never_begins_is_closed_and_was_counted(tls):
    """A socket counts and has a deadline before TLS stands."""
    async with served(Echo(), tls=tls[0], limits=ReceiptLimits(idle_s=0.05)) as site, site.client() as client:
        await site.next_made()
        assert len(site.peers) == 1
        assert await client.rest() == b""
        assert len(site.peers) == 0


async def test_plain_http_on_the_tls_port_is_closed(tls):
    """What is no handshake gets no HTTP answer."""
    async with served(Echo(), tls=tls[0]) as site, site.client() as client:
        await client.send(get())
        assert b"HTTP/" not in await client.rest()
        assert len(site.peers) == 0


async def test_one_address_too_many_is_cut_off_before_tls(tls):
    """No handshake is spent on a connection over the cap."""
    async with served(Echo(), tls=tls[0], limits=ReceiptLimits(per_peer=1)) as site, site.client():
        await site.next_made()
        async with site.client() as excess:
            assert await excess.rest() == b""


async def test_a_tls_client_that_does_not_answer_the_close_is_cut_off(tls):
    """The end of TLS waits for the client no longer than an idle connection does."""
    limits = ReceiptLimits(idle_s=0.05)
    async with served(Echo(), tls=tls[0], limits=limits) as site, site.client(tls=tls[1]) as client:
        client.writer.transport.pause_reading()
        await site.next_lost()


@pytest.mark.parametrize("secure", [True, False])
async def test_a_small_rest_of_an_answer_that_is_not_read_is_cut_off(tls, secure):
    """A client that leaves less than a buffer unread is as slow a reader as one that leaves megabytes."""
    connections = []

    async def app(scope, receive, send):
        below = connections[0]._socket
        below.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        while not below.get_write_buffer_size():
            await send({"type": "http.response.body", "body": b"x" * 8192, "more_body": True})
        await send({"type": "http.response.body", "body": b"x" * 40_000})

    server, trusting = tls if secure else (None, None)
    limits = ReceiptLimits(write_s=0.1, idle_s=60)
    async with served(app, tls=server, limits=limits) as site, site.client(tls=trusting, buffer=4096) as client:
        connections.append(await site.next_made())
        # A pause above TLS would still let the socket be read into the buffers of TLS.
        (client.writer.transport._ssl_protocol._transport if secure else client.writer.transport).pause_reading()
        await client.send(get())
        await site.next_lost()


async def test_a_tls_client_that_does_not_read_is_cut_off(tls):
    """The deadline for reading holds over TLS."""
    piece = b"x" * (1 << 20)

    async def app(scope, receive, send):
        await send(CHUNKED_ANSWER)
        for _ in range(32):
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    limits = ReceiptLimits(write_s=0.1)
    async with served(app, tls=tls[0], limits=limits) as site, site.client(tls=tls[1]) as client:
        client.writer.transport.pause_reading()
        await client.send(get())
        await site.next_lost()
        assert len(site.peers) == 0
