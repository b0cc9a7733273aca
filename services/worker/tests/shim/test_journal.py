"""The journal keeps what it has synced, whatever moment the machine dies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossfleet.worker.shim.journal import Journal, leftover


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def filled(folder: Path, count: int, segment_bytes: int = 4096) -> Journal:
    """Return a journal with synced records b"1", b"2"..."""
    journal = Journal(folder, segment_bytes=segment_bytes)
    for number in range(1, count + 1):
        assert journal.append(b"%d" % number) == number
    journal.sync()
    return journal


def test_records_come_back_in_order_from_any_sequence(folder: Path) -> None:
    journal = filled(folder, 50)
    assert list(journal.read(48, 1 << 20)) == [(48, b"48"), (49, b"49"), (50, b"50")]
    assert [sequence for sequence, _ in journal.read(1, 5)] == [1, 2, 3, 4, 5]


def test_what_is_not_synced_is_not_read(folder: Path) -> None:
    journal = filled(folder, 2)
    journal.append(b"3")
    assert [sequence for sequence, _ in journal.read(1, 1 << 20)] == [1, 2]
    assert journal.synced == 2


def test_acknowledged_segments_leave_the_disk(folder: Path) -> None:
    journal = Journal(folder, segment_bytes=256)
    for _ in range(100):
        journal.append(b"x" * 100)
        journal.sync()
    before = len(list(folder.glob("*.log")))
    journal.acknowledge(99)
    assert before > 20
    assert len(list(folder.glob("*.log"))) <= 2
    assert [sequence for sequence, _ in journal.read(journal.first_sequence, 1 << 20)] == [100]


def test_a_journal_over_its_bound_is_full_until_it_is_acknowledged(folder: Path) -> None:
    journal = Journal(folder, segment_bytes=1000, maximum_bytes=5000)
    while not journal.full:
        journal.append(b"x" * 500)
        journal.sync()
    journal.acknowledge(journal.next_sequence - 1)
    assert not journal.full


def test_records_older_than_memory_are_read_from_disk(folder: Path) -> None:
    journal = Journal(folder, segment_bytes=1 << 20)
    payload = b"y" * 10_000
    for _ in range(20):
        for _ in range(20):
            journal.append(payload)
        journal.sync()
    found = list(journal.read(5, 1 << 30))
    assert [sequence for sequence, _ in found] == list(range(5, 401))
    assert {data for _, data in found} == {payload}


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 300)),
        st.tuples(st.just("sync"), st.just(0)),
        st.tuples(st.just("ack"), st.integers(0, 60)),
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def space() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@settings(max_examples=150, deadline=None)
@given(steps=steps, cut=st.floats(0, 1), flip=st.booleans())
@example(steps=[("append", 0), ("append", 0), ("append", 208), ("sync", 0)], cut=0.03125, flip=True)
def test_after_a_crash_at_any_byte_a_prefix_comes_back(space: Path, steps: list[Step], cut: float, flip: bool) -> None:
    shutil.rmtree(space, ignore_errors=True)
    journal = Journal(space, segment_bytes=512)
    written: dict[int, bytes] = {}
    acknowledged = 0
    for kind, number in steps:
        if kind == "append":
            payload = bytes([number % 251]) * number
            written[journal.append(payload)] = payload
        elif kind == "sync":
            journal.sync()
        else:
            acknowledged = max(acknowledged, min(number, len(written)))
            journal.sync()
            journal.acknowledge(number)
    synced = journal.synced
    journal.close()
    segments = sorted(space.glob("*.log"))
    complete = leftover(space)
    assert complete == [written[n] for n in range(acknowledged + 1, synced + 1)]
    if not segments:
        return
    torn = segments[-1]
    first = int(torn.stem)
    data = torn.read_bytes()
    at = int(cut * len(data))
    torn.write_bytes(data[:at] + (bytes([data[at] ^ 1]) + data[at + 1 :] if flip and at < len(data) else b""))
    found = leftover(space)
    # What survives is a contiguous piece of what was written, ending no later than what was synced; an acknowledged
    # record comes back only when the mark was torn off, and then only from the segments that are still there.
    oldest = int(segments[0].stem)
    pieces = [[written[n] for n in range(a, b)] for a in range(oldest, synced + 2) for b in range(a, synced + 2)]
    assert found in pieces
    assert len(found) >= first - max(acknowledged + 1, oldest) or first <= acknowledged
