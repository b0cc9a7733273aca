"""A service as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crossfleet.foundation.channel import open_channel
from services.foundation.tests.echo import EchoStub, Request

_MAIN = Path(__file__).with_name("service_main.py")
_ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def _service(*flags: str, loop: str = "asyncio", **named: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_MAIN),
        loop,
        *flags,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        **named,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _first_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    answer: dict[str, Any] = json.loads(line)
    return answer


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_says_ready_and_drains_on_a_signal(tmp_path: Path, loop: str, number: signal.Signals) -> None:
    async with _service("--listen", f"unix:{tmp_path / 's'}", "--stop-seconds", "60", loop=loop) as process:
        ready = await _first_line(process)
        assert ready["ready"] is True
        assert ready["service"] == "echo"
        assert ready["address"] == f"unix:{tmp_path / 's'}"
        async with open_channel(ready["address"]) as channel:
            call = EchoStub(channel).both()
            await call.write(Request(service="hi"))
            assert (await call.read()).service == "hi"
            process.send_signal(number)
            assert (await call.read()).service == number.name
        out, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    assert out == b""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["serving", "draining", "stopped"]


async def test_the_end_of_the_lifeline_ends_the_service(tmp_path: Path) -> None:
    read, write = os.pipe()
    flags = ("--listen", f"unix:{tmp_path / 's'}", "--lifeline-fd", str(read))
    async with _service(*flags, pass_fds=(read,)) as process:
        os.close(read)
        assert (await _first_line(process))["ready"] is True
        os.close(write)
        _, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    assert b'"lifeline"' in err


async def test_a_second_signal_does_not_wait_for_open_calls(tmp_path: Path) -> None:
    async with _service("--listen", f"unix:{tmp_path / 's'}", "--stop-seconds", "60") as process:
        ready = await _first_line(process)
        async with open_channel(ready["address"]) as channel:
            stub = EchoStub(channel)
            stuck = asyncio.ensure_future(stub.unary(Request()))
            watch = stub.both()
            await watch.write(Request())
            await watch.read()
            process.terminate()
            assert (await watch.read()).service == "SIGTERM"
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0
            with pytest.raises(Exception, match=r"."):
                await stuck


async def test_a_service_that_cannot_listen_tells_its_supervisor_why(tmp_path: Path) -> None:
    async with _service("--listen", f"unix:{tmp_path / 's'}") as first:
        assert (await _first_line(first))["ready"] is True
        async with _service("--listen", f"unix:{tmp_path / 's'}") as second:
            answer = await _first_line(second)
            assert answer["ready"] is False
            assert answer["reason"] == "PORT_IN_USE"
            assert str(tmp_path) in answer["message"]
            assert await asyncio.wait_for(second.wait(), 20) == 2, "a restart would meet the same"


async def test_wrong_settings_have_an_exit_status_of_their_own(tmp_path: Path) -> None:
    async with _service("--listen", f"unix:{tmp_path / 's'}", "--drain-seconds", "soon") as process:
        answer = await _first_line(process)
        assert answer["reason"] == "CONFIGURATION_INVALID"
        assert "server.drain_seconds" in answer["message"]
        assert "flag --drain-seconds" in answer["message"]
        assert await asyncio.wait_for(process.wait(), 20) == 2


async def test_a_lifeline_that_is_no_pipe_is_refused(tmp_path: Path) -> None:
    async with _service("--listen", f"unix:{tmp_path / 's'}", "--lifeline-fd", "77") as process:
        answer = await _first_line(process)
        assert answer["ready"] is False
        assert "descriptor 77 is not open" in answer["message"]
