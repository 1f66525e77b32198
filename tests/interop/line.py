"""A line between a client and a server of the tests that can be cut at a chosen word, or fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """Passes bytes on. `lose` names a word of the client after which the answer is lost and the line is cut."""

    def __init__(self, port: int) -> None:
        self.lose: bytes | None = None
        self.passing = asyncio.Event()
        self.passing.set()
        self.port = 0
        self._to = port
        self._ways: set[asyncio.Task[None]] = set()
        self._joins: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until one side ends it."""
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        ways = (self._pass(reader, to_writer, is_client=True), self._pass(to_reader, writer, is_client=False))
        tasks = [asyncio.ensure_future(way) for way in ways]
        self._ways.update(tasks)
        done = asyncio.ensure_future(self._join(tasks, writer, to_writer))
        self._joins.add(done)
        await asyncio.shield(done)

    async def end(self) -> None:
        """Cut what is left."""
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._joins)

    async def _join(self, ways: list[asyncio.Task[None]], *ends: asyncio.StreamWriter) -> None:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in ends:
            end.close()
        await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_client: bool) -> None:
        while said := await reader.read(65536):
            await self.passing.wait()
            if not is_client and self.lose == b"":
                self.lose = None
                return
            if is_client and self.lose and self.lose in said:
                self.lose = b""
            writer.write(said)
            await writer.drain()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to a port of loopback."""
    line = Line(port)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    yield line
    server.close()
    await line.end()
    await server.wait_closed()
