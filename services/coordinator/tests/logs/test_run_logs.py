"""Output that several leaders have taken, one after the other, reads as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import ArtifactStoreUnavailable
from crossfleet.foundation.wait import eventually

ONE, TWO = LogSource("run", "default", "w1", 0), LogSource("run", "default", "w2", 0)
LOST = b"a coordinator was lost here"


def leader(tmp_path: Path, name: str, term: int, closing: float = 0.0) -> RunLogs:
    place = place_of((tmp_path / "shared").as_uri(), tmp_path)
    return RunLogs(tmp_path / name, place, term, slot_cap_bytes=1 << 20, closing_seconds=closing)


async def read(logs: RunLogs, **which: str) -> list[tuple[str, bytes]]:
    return [(source.worker_id, piece.content) async for source, piece in logs.reader("run", **which).following()]


async def seal(logs: RunLogs) -> None:
    """One pass of what a leader does every few seconds."""
    clock = ManualClock()
    task = asyncio.ensure_future(logs.keep_sealing(clock))
    await eventually(lambda: clock.sleepers > 0 or task.done(), what="a pass")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_leader_that_hands_over_leaves_everything_to_the_next(tmp_path: Path) -> None:
    first = leader(tmp_path, "a", 1)
    await first.append(ONE, [Piece(1, b"one", 1.0), Piece(1, b"two", 2.0)])
    await first.append(TWO, [Piece(1, b"other", 1.0)])
    await first.close()
    second = leader(tmp_path, "b", 2)
    await second.append(ONE, [Piece(1, b"three", 3.0)])

    assert await read(second) == [("w1", b"one"), ("w1", b"two"), ("w2", b"other"), ("w1", b"three")]
    assert await read(second, worker_id="w2") == [("w2", b"other")]
    assert await read(leader(tmp_path, "c", 0)) == [("w1", b"one"), ("w1", b"two"), ("w2", b"other")]


async def test_after_a_leader_was_killed_its_sealed_output_is_there_and_a_mark_says_where_it_ends(
    tmp_path: Path,
) -> None:
    first = leader(tmp_path, "a", 1)
    await first.append(ONE, [Piece(1, b"sealed", 1.0)])
    await seal(first)
    await first.append(ONE, [Piece(1, b"lost", 2.0)])
    second = leader(tmp_path, "b", 2)
    await second.append(ONE, [Piece(1, b"after", 3.0)])

    found = await read(second)
    assert [content for _, content in found][0::2] == [b"sealed", b"after"]
    assert LOST in found[1][1]

    # Back on its data folder, it seals what it still had, whether or not it leads: nothing is missing any more.
    await seal(leader(tmp_path, "a", 0))
    assert [content for _, content in await read(second)] == [b"sealed", b"lost", b"after"]


async def test_what_the_last_leader_still_seals_is_waited_for(tmp_path: Path) -> None:
    first = leader(tmp_path, "a", 1)
    await first.append(ONE, [Piece(1, b"sealed", 1.0)])
    await seal(first)
    await first.append(ONE, [Piece(1, b"late", 2.0)])
    second = leader(tmp_path, "b", 2, closing=30.0)
    reading = asyncio.ensure_future(read(second))
    await asyncio.sleep(0)
    await first.close()

    assert await asyncio.wait_for(reading, 10) == [("w1", b"sealed"), ("w1", b"late")]


async def test_a_reader_that_follows_gets_each_piece_once(tmp_path: Path) -> None:
    logs = leader(tmp_path, "a", 1)
    reader = logs.reader("run")
    seen = []
    for number in range(3):
        await logs.append(ONE, [Piece(1, b"%d" % number, 1.0)])
        await seal(logs)
        seen += [piece.content async for _, piece in reader.following()]

    assert seen == [b"0", b"1", b"2"]


async def test_while_the_store_is_away_output_waits_on_the_disk_and_is_readable_there(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file where a folder should be")
    logs = leader(tmp_path, "a", 1)
    await logs.append(ONE, [Piece(1, b"kept", 1.0)])
    await seal(logs)
    await logs.close()
    assert await read(logs) == [("w1", b"kept")]
    with pytest.raises(ArtifactStoreUnavailable):
        await read(leader(tmp_path, "b", 2))

    (tmp_path / "shared").unlink()
    await seal(logs)
    assert await read(leader(tmp_path, "b", 0)) == [("w1", b"kept")]


async def test_removed_output_is_gone_everywhere(tmp_path: Path) -> None:
    logs = leader(tmp_path, "a", 1)
    await logs.append(ONE, [Piece(1, b"old", 1.0)])
    await seal(logs)
    assert await logs.runs() == ["run"]
    await logs.remove("run")

    assert await logs.runs() == []
    assert await read(logs) == await read(leader(tmp_path, "b", 2)) == []
