"""Memory that runs out: of what a run allows its slots, and of the host."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, pause, suite

GREEDY = """
    import time
    kept = []
    def test_leaves_some(): kept.append(bytearray(120 << 20))
    def test_takes_some_more():
        kept.append(bytearray(120 << 20))
        while len(kept) > 1: time.sleep(0.1)
    def test_takes_too_much():
        kept.append(bytearray(300 << 20))
        time.sleep(300)
    def test_last(): ...
    """


def test_a_case_is_to_blame_only_when_it_had_its_process_for_itself(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=GREEDY), memory_bytes=200 << 20)
    results, finished = shim.finish(0, 1, [0, 1, 2, 3])
    assert [(r["case"], r["outcome"]) for r in results] == [(0, "passed"), (1, "passed"), (2, "crashed")]
    assert results[2]["message"].startswith("out of memory: 200 MiB limit, 3")
    assert "test_takes_too_much" in results[2]["details"]
    assert (finished["cause"], finished["left"]) == ("crashed", [3])
    assert finished["peak_memory_bytes"] > 300 << 20
    said = "".join(message["data"] for message in shim.all("log", slot=0))
    assert said.count("which runs again in a process of its own") == 2


def test_a_memory_error_is_an_ordinary_failure(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a="def test_0(): bytearray(1 << 60)"), memory_bytes=200 << 20)
    results, finished = shim.finish(0, 1, [0])
    assert (results[0]["outcome"], finished["cause"]) == ("failed", "done")


@contextlib.contextmanager
def small_group(bytes_allowed: int) -> Iterator[Path]:
    """A memory cgroup of this test's own; skips where the machine gives none."""
    own = next((line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line), "")
    parent, limit = Path("/sys/fs/cgroup/memory") / own.partition(":memory:/")[2], "memory.limit_in_bytes"
    if not own:
        parent, limit = Path("/sys/fs/cgroup"), "memory.max"
    folder = parent / f"crossfleet-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no cgroup can be made here")
    try:
        if not (folder / limit).exists():
            pytest.skip("the machine's cgroups do not limit memory")
        (folder / limit).write_text(str(bytes_allowed))
        yield folder
    finally:
        for _ in range(500):
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            pause()


def test_a_kill_for_want_of_the_hosts_memory_is_no_verdict(tmp_path: Path, state: Path) -> None:
    if "oom_kill " not in Path("/proc/vmstat").read_text():
        pytest.skip("this kernel does not count such kills")
    suite(tmp_path, test_a="def test_0(): ...\ndef test_eats(): bytearray(b'x' * (1 << 30))\ndef test_2(): ...")
    with small_group(300 << 20) as group:
        shim = Shim(state)
        try:
            (group / "cgroup.procs").write_text(str(shim.process.pid))
            shim.attach()
            shim.open(tmp_path)
            results, finished = shim.finish(0, 1, [0, 1, 2])
            assert [r["case"] for r in results] == [0]
            assert (finished["cause"], finished["left"]) == ("out_of_memory", [1, 2])
            assert "the host had no memory left" in finished["message"]
        finally:
            shim.end()
