"""What is told of a process that crashed: signal, last output, the way to a native backtrace."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from crossfleet.worker.shim.cores import core_hint
from crossfleet.worker.shim.traces import trimmed
from services.worker.tests.shim.driver import Shim, suite


@pytest.mark.parametrize("where", ["set-up", "call", "tear-down"])
def test_a_crash_is_told_by_signal_and_meaning_wherever_it_happens(shim: Shim, tmp_path: Path, where: str) -> None:
    suite(
        tmp_path,
        test_a=f"""
        import ctypes, os, pytest
        def crash(now):
            if now == {where!r}:
                os.write(2, b"bytes to stderr")
                ctypes.string_at(0)
        @pytest.fixture
        def thing():
            crash("set-up")
            yield
            crash("tear-down")
        def test_0(thing):
            crash("call")
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["message"] == "the process was killed by SIGSEGV (segmentation fault)"
    assert "in crash" in results[0]["details"]
    assert "bytes to stderr" in results[0]["sections"][-1][1]


def test_a_crash_at_import_ends_the_collection_with_its_traceback(shim: Shim, tmp_path: Path) -> None:
    closed = shim.open(suite(tmp_path, test_a="import ctypes\ndef at_import(): ctypes.string_at(0)\nat_import()"))
    assert closed["cause"] == "failed"
    assert "SIGSEGV (segmentation fault)" in closed["message"]
    assert "at_import" in closed["message"]


def test_a_crash_after_the_last_case_stands_in_the_log(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import atexit, ctypes\ndef test_0(): atexit.register(ctypes.string_at, 0)")
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "passed"
    shim.close()
    said = "".join(message["data"] for message in shim.all("log", slot=0))
    assert "was killed by SIGSEGV (segmentation fault) after its last case" in said


def test_output_that_no_capture_takes_is_shown_with_the_crash(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import os\ndef test_0():\n    os.write(2, b'last words')\n    os.abort()")
    shim.open(tmp_path, "-s")
    results, _ = shim.finish(0, 1, [0])
    assert ["stderr at the end", "last words"] in results[0]["sections"]


def test_a_core_that_was_written_is_named_with_the_command_that_reads_it(shim: Shim, tmp_path: Path) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("no core files are written on this machine")
    suite(
        tmp_path,
        test_a="""
        import ctypes, resource
        def test_0():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
            ctypes.string_at(0)
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    assert f"backtrace of the core: gdb {sys.executable} {tmp_path}" in results[0]["details"]


def test_the_hint_follows_the_kernels_pattern(tmp_path: Path) -> None:
    def hint(pattern: str, *, with_pid: bool = False) -> str:
        return core_hint(42, "/usr/bin/python", str(tmp_path), 100.0, pattern, with_pid)

    (tmp_path / "core").touch()
    (tmp_path / "core.42").touch()
    (tmp_path / "py-42-host.core").touch()
    assert hint("core").endswith(f"{tmp_path}/core -batch -ex bt")
    assert hint("core", with_pid=True).endswith(f"{tmp_path}/core.42 -batch -ex bt")
    assert hint(f"{tmp_path}/%e-%p-%h.core").endswith("py-42-host.core -batch -ex bt")
    assert hint("|/usr/lib/systemd/systemd-coredump %P %u") == "coredumpctl gdb 42"
    assert hint("|/usr/share/apport/apport %p") == ""
    assert hint("nowhere/core.%p") == ""
    os.utime(tmp_path / "core", (1, 1))
    assert hint("core") == ""


def test_frames_below_the_test_are_left_out_unless_there_is_nothing_else() -> None:
    machinery = '  File "/x/site-packages/_pytest/python.py", line 1 in pytest_pyfunc_call'
    own = '  File "/suite/test_a.py", line 3 in test_hangs'
    text = f"Thread 1:\n{machinery}\n{own}\n{machinery}\n{machinery}\n\nThread 2:\n{machinery}"
    lines = trimmed(text).split("\n")
    assert lines[:3] == ["Thread 1:", machinery, own]
    assert "2 frames" in lines[3]
    assert lines[4:] == ["", "Thread 2:", machinery]
