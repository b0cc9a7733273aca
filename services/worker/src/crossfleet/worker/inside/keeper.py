"""A process that makes something once for a run on a host, keeps it while sessions of the run live, and ends it."""

from __future__ import annotations

import inspect
import json
import os
import select
import signal
import time
import traceback
from typing import Any, Callable, Dict, Iterator, Tuple

from . import hostrun, parent
from .hostrun import HostRun

LOOK_SECONDS = 0.1
_PRIVATE = ("CROSSFLEET_ALLOCATION_TOKEN", "CROSSFLEET_SLOT_TOKEN")
"""By these the shim finds what a slot or a session leaves behind; what is kept for others is not theirs."""


def fork(run: HostRun, name: str, make: Callable[[], Any], leave_slot: Callable[[], None]) -> Tuple[int, int]:
    """Start a keeper that is no child of this process. Returns its pid and where it says how it went (``answer``)."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        status = 1
        try:
            os.close(reader)
            os.setsid()
            between = os.getpid()
            if os.fork():
                os._exit(0)
            parent.await_adoption(between)
            os.write(writer, b"%d\n" % os.getpid())
            leave_slot()
            run.close()
            status = _keep(run, name, make, writer)
        finally:
            os._exit(status)
    os.close(writer)
    os.waitpid(between, 0)
    return _pid(reader), reader


def answer(reader: int, deadline: float) -> str:
    """Wait until the thing is made: an empty text, or what went wrong. Raises TimeoutError."""
    told = b""
    while True:
        if not select.select([reader], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise TimeoutError
        data = os.read(reader, 65536)
        if not data:
            return "" if told == b"made" else told.decode("utf-8", "replace") or "its process has died"
        told += data


def _pid(reader: int) -> int:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(reader, 1)
        if not byte:
            raise OSError("the machine refused a second process")
        line += byte
    return int(line)


def _keep(run: HostRun, name: str, make: Callable[[], Any], writer: int) -> int:
    path = os.path.join(run.folder, name)
    held = hostrun.take(path + ".keeper")
    _settle(path + ".log")
    try:
        generator, value = _made(make)
        with run.mutex():
            with open(path + ".part", "w", encoding="utf-8") as file:
                json.dump(value, file)
            os.replace(path + ".part", path + ".json")
    except BaseException:
        os.write(writer, traceback.format_exc().encode("utf-8", "replace"))
        return 1
    os.write(writer, b"made")
    os.close(writer)
    _await_end(run, path + ".json")
    try:
        for _ in generator:
            raise RuntimeError("what makes something once for a host must yield once")
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        os.close(held)
    return 0


def _made(make: Callable[[], Any]) -> Tuple[Iterator[Any], Any]:
    made = make()
    if inspect.isgenerator(made):
        return made, next(made)
    return iter(()), made


def _await_end(run: HostRun, value: str) -> None:
    """Until no session of the run lives on this host. Then nobody may find the value any more."""
    while True:
        time.sleep(LOOK_SECONDS)
        with run.mutex():
            if not run.sessions():
                os.unlink(value)
                return


def _settle(log: str) -> None:
    """Be a process on its own: default signals, output to a file, none of the slot's marks."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for mark in _PRIVATE:
        os.environ.pop(mark, None)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def endings(run: HostRun, seconds: float) -> Dict[str, str]:
    """Wait for all keepers of a run that nobody works for any more. Returns what those that went wrong have printed."""
    deadline = time.monotonic() + seconds
    told: Dict[str, str] = {}
    for file in sorted(os.listdir(run.folder)):
        name, kind = os.path.splitext(file)
        if kind != ".keeper":
            continue
        while run.held(file):
            try:
                hostrun.pause(deadline, "")
            except TimeoutError:
                told[name] = "it has not ended within {:g} s".format(seconds)
                break
        with open(os.path.join(run.folder, name + ".log"), errors="replace") as log:
            text = log.read(65536)
        if "Traceback" in text:
            told[name] = text
    return told
