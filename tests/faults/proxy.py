"""A relay from one socket to another, each a Unix socket or a TCP address, that can cut, hold and heal what goes through it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self


class Relay:
    """Listens at `inside` and passes bytes to and from `outside`: the path of a socket each, or HOST:PORT (inside, port 0 is any).

    `cut` drops all connections and refuses new ones, `hold` lets bytes wait in both directions, `heal` undoes both.
    `lose` waits for a word from inside, and drops the connections then.
    """

    def __init__(self, inside: Path | str, outside: Path | str) -> None:
        self.inside, self._outside = inside, outside
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._cuts = 0
        self._word = b""
        self._losing_answer = False
        self._word_passed = False
        self._stay_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def __aenter__(self) -> Self:
        if isinstance(self.inside, Path):
            self._server = await asyncio.start_unix_server(self._serve, str(self.inside))
            return self
        host, _, port = self.inside.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host, int(port))
        self.inside = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Drop what is connected; refuse what comes."""
        self._refusing = True
        self._cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Pass nothing on; connections stay."""
        self._open.clear()

    def lose(self, word: bytes, *, answer: bool, stay_cut: bool) -> None:
        """Cut at the next `word` from inside: before it gets through, or (`answer`) when its answer comes."""
        self._word, self._losing_answer, self._stay_cut = word, answer, stay_cut
        self._word_passed = False

    def _loses(self, piece: bytes, *, outward: bool) -> bool:
        if outward and self._word and self._word in piece:
            self._word = b""
            self._word_passed = True
            return not self._losing_answer
        return not outward and self._losing_answer and self._word_passed

    def heal(self) -> None:
        """Pass on what waited, and take connections again."""
        self._refusing = False
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        self.connections += 1
        cuts = self._cuts
        try:
            far_reader, far_writer = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        if cuts != self._cuts:  # it was being opened when all were cut
            writer.transport.abort()
            far_writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._pass(source, sink, outward=sink is far_writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._outside, Path):
            return await asyncio.open_unix_connection(str(self._outside))
        host, _, port = self._outside.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, outward: bool) -> None:
        try:
            while piece := await source.read(65536):
                await self._open.wait()
                if self._loses(piece, outward=outward):
                    self._losing_answer = False
                    self.cut()
                    self._refusing = self._stay_cut
                    return
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()
            self._writers.discard(sink)
