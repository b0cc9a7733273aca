"""Reads how the sessions of a suite ended out of their logs."""

from __future__ import annotations

import asyncio

from crossfleet.api.coordinator.v1 import log_service_pb2
from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.reporting.last_words import LastWords, last_words
from crossfleet.cli.reporting.suites import tests_pytest
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

MOST_SECONDS = 10.0
TAIL_BYTES = 2 * 1024 * 1024
"""What is kept of a session's output; its end is at the end."""
_COLLECTING = -1


async def read_last_words(client: Client, run: run_pb2.Run) -> tuple[LastWords, ...]:
    """Warnings and plugins' summaries of each session; nothing where logs are gone or cannot be had in time."""
    if not tests_pytest(run) or run.state != run_pb2.RUN_STATE_FINISHED:
        return ()
    said: dict[tuple[str, str], bytearray] = {}
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for chunk in client.logs.read(run.run_id):
                if chunk.slot == _COLLECTING and chunk.stream == log_service_pb2.LOG_STREAM_STDOUT:
                    kept = said.setdefault((chunk.target, chunk.worker_id), bytearray())
                    kept += chunk.content
                    if len(kept) > 2 * TAIL_BYTES:
                        del kept[:-TAIL_BYTES]
    except (CrossfleetError, TimeoutError):
        return ()
    return tuple(
        last_words(target, worker, kept.decode("utf-8", "backslashreplace"))
        for (target, worker), kept in sorted(said.items())
    )
