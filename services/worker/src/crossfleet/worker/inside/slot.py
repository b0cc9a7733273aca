"""A slot: one process that runs the cases it is told, in that order, exactly as pytest would."""

from __future__ import annotations

import collections
import faulthandler
import json
import os
import signal
import sys
import time
from typing import Any, Deque, Dict, List, Optional, Sequence, Set, Tuple

from . import benchmarks, capture, measuring, nodes, parent
from .channel import Channel, Closed, Message
from .checkpoint import Checkpoint
from .reports import CaseReports
from .reruns import begin_anew, tear_down_all
from .spool import Spool

# Taken before the suite is imported, as in channel.py.
_dumps = json.dumps
_time = time.time
_times = os.times
_getpid = os.getpid
STACKS_SIGNAL = int(signal.SIGRTMAX) - 2
"""Makes a process of the suite write all its stacks to its fault file. No suite uses this one."""


class ResultPlugin:
    """Plugin of a slot: hears every report, as a reporter would."""

    def __init__(self) -> None:
        self.case = CaseReports()
        self.heard: List[Any] = []

    def begin(self) -> CaseReports:
        """Forget the case before; returns what will be known of the next."""
        self.case = CaseReports()
        self.heard = []
        return self.case

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the report for the result of the case that is running."""
        self.heard.append(report)
        self.case.add(report)

    def pytest_exception_interact(self, report: Any) -> None:
        """Keep a failure that a plugin which repeats the case may never log."""
        self.case.saw_failure(report)


class DeafReporter:
    """Stands for the terminal reporter in a slot: plugins write through it (pytest-timeout its stacks), it hears nothing."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)


class Slot:
    """Runs cases of ``items`` by index. One line goes out at the end of each, so that a crash loses none."""

    def __init__(self, session: Any, items: Sequence[Any], channel: Channel, order: Message, spool_path: str) -> None:
        """``order`` says which process it is. Where it ``holds``, it waits after each failure until the shim says to go on.

        One that is ``gated`` waits so before every case; after each the shim says whether the result is ``kept``.
        """
        self._session = session
        self._items = items
        self._channel = channel
        self._section_limit = int(order["output_bytes"])
        self._process = order["process"]
        self._position = 0
        self._queue: Deque[Tuple[int, int]] = collections.deque()
        self._last = False
        self._holds = bool(order.get("holds"))
        self._gated = bool(order.get("gated"))
        self._held = self._gated
        self._unjudged: Optional[int] = None
        self._announced: Optional[Tuple[int, int]] = None
        self._ran: Set[int] = set()
        self._checkpoint = Checkpoint(self._poll)
        self._results = ResultPlugin()
        self._spool = Spool(spool_path, session.config)
        session.config.pluginmanager.register(self._results, "crossfleet-results")
        session.config.pluginmanager.register(self._spool, "crossfleet-spool")

    def run(self) -> Tuple[str, str]:
        """Run until told that nothing follows. Returns why it ended: (reason, message).

        The last case that is known is held back until the shim says what follows: its ``nextitem`` decides which
        fixtures are torn down after it.
        """
        try:
            while self._fill():
                attempt, index = self._queue.popleft()
                following = self._queue[0] if self._queue else None
                stop = self._run_case(attempt, index, following)
                if stop:
                    return "stopped", stop
        except KeyboardInterrupt:
            tear_down_all(self._session)
            return "interrupted", "interrupted"
        except Closed:
            return "abandoned", "the shim is gone"
        return "done", ""

    def _fill(self) -> bool:
        """Wait until the next case and what follows it are known. False when nothing is left."""
        if _asked:
            raise KeyboardInterrupt
        queue = self._queue
        if self._holds or (len(queue) > 1 and queue[0][0] != queue[1][0]):
            self._poll()
        while True:
            if self._held and (queue or not self._last or self._unjudged is not None):
                self._withdraw()
            elif len(queue) >= 2 or self._last:
                return bool(queue)
            self._obey(self._channel.receive())

    def _withdraw(self) -> None:
        """Say that the case which was announced does not run yet: no time limit may hit it."""
        if self._announced is not None:
            self._announced = None
            self._channel.send_line(b"H\n")

    def _poll(self) -> None:
        """Take in what the shim has written, such as a withdrawal, and wait for nothing."""
        while True:
            message = self._channel.receive(wait=False)
            if message is None:
                return
            self._obey(message)

    def _obey(self, message: Optional[Message]) -> None:
        if message is None:
            return
        op = message["op"]
        if op == "run":
            attempt = message["attempt"]
            self._queue.extend((attempt, index) for index in message["cases"])
            self._last = bool(message.get("last"))
        elif op == "last":
            self._last = True
        elif op in ("hold", "go"):
            # Beside gates it is said of one case, and may be said twice.
            if op == "hold" or not self._gated or self._is_next(message):
                self._held = op == "hold"
        elif op == "again":
            self._unjudged = None
            self._queue.appendleft((message["attempt"], message["case"]))
            benchmarks.forget(self._items[message["case"]])
        elif op == "kept":
            if self._unjudged is not None:
                benchmarks.note(self._items[self._unjudged], message["host"])
            self._unjudged = None
        elif op == "checkpoint":
            if not self._checkpoint.tell(message["seconds"]):
                self._queue.clear()
                self._announced = None
                self._channel.send_line(b"H\n")
        elif op == "drop":
            kept = [entry for entry in self._queue if entry[0] != message["attempt"]]
            self._queue.clear()
            self._queue.extend(kept)

    def _is_next(self, message: Message) -> bool:
        return bool(self._queue) and self._queue[0] == (message["attempt"], message["case"])

    def _run_case(self, attempt: int, index: int, following: Optional[Tuple[int, int]]) -> Optional[str]:
        """Run one case and send its result. Returns why the suite wants everything to stop, else None."""
        item = self._items[index]
        if self._announced != (attempt, index):
            self._channel.send_line(b"S%d %d\n" % (attempt, index))
        if index in self._ran:
            begin_anew(item)
        self._ran.add(index)
        reports = self._results.begin()
        nextitem = self._items[following[1]] if following else None
        stop: Optional[str] = None
        interrupted = False
        start = _time()
        cpu = _times()
        self._checkpoint.begin(item)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        except KeyboardInterrupt as error:
            interrupted = True
            stop = "KeyboardInterrupt {}".format(error).strip()
        except BaseException as error:  # pytest.exit() and what escapes from hooks of plugins
            stop = "{}: {}".format(type(error).__name__, error)
        finally:
            self._checkpoint.end()
        after = _times()
        fields = reports.result(self._section_limit)
        fields["start"] = start
        fields["cpu"] = round(sum(after[:4]) - sum(cpu[:4]), 6)
        if stop:
            if not reports.failed():
                fields["outcome"] = "error"
                fields["message"] = stop.split("\n", 1)[0]
            following = None
        elif self._session.shouldstop:
            stop = str(self._session.shouldstop)
            following = None
        if (interrupted and _asked) or (self._checkpoint.told and fields["outcome"] not in ("passed", "xpassed")):
            # The shim's own interrupt, or a case that ended early since it was told to: it has no verdict.
            raise KeyboardInterrupt
        self._spool.take(index, self._results.heard)
        self._send(attempt, index, fields, following)
        if stop:
            tear_down_all(self._session)
        return stop

    def _send(self, attempt: int, index: int, fields: Dict[str, Any], following: Optional[Tuple[int, int]]) -> None:
        fields["op"] = "result"
        fields["attempt"] = attempt
        fields["case"] = index
        self._position += 1
        fields["process"] = self._process
        fields["position"] = self._position
        failed = fields["outcome"] in ("failed", "error")
        self._held = self._held or (failed and self._holds) or self._gated
        self._unjudged = index if self._gated else None
        if self._held or (len(self._queue) < 2 and not self._last):
            following = None  # held back
        self._announced = following
        told = "-" if following is None else "%d %d" % following
        head = "R%d %d %d %s\t" % (attempt, index, failed, told)
        self._channel.send_line((head + _dumps(fields) + "\n").encode("ascii"))

    def hand_over(self) -> None:
        """Give the zygote's session what the plugins of this one have gathered. Never raises: cases have their results."""
        try:
            left = benchmarks.measured(self._session.config)
            if left:
                self._spool.hand_over(b"B", left)
            self._spool.hand_over(b"N", nodes.farewell(self._session))
        except BaseException as error:
            sys.stderr.write("crossfleet: the end of this slot's session: {}: {}\n".format(type(error).__name__, error))


_asked: List[int] = []


def watch_for_cancel() -> None:
    """Let the shim cancel: STACKS_SIGNAL + 1 says that the SIGINT which follows is its own, not the suite's."""
    signal.signal(STACKS_SIGNAL + 1, lambda number, frame: _asked.append(number))


def become(session: Any, zygote_channel: Channel, channel: Channel, order: Message, forked: bool) -> None:
    """Turn this process into slot ``order["slot"]``: group, signals, output, environment, faults.

    ``forked`` is false for a process that collected for itself.
    """
    if os.getpgrp() != _getpid():
        os.setpgid(0, 0)
    zygote_channel.close()
    dump_faults_to(order["fault"])  # first: what follows may hang in a hook of the suite's
    config = session.config
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    watch_for_cancel()
    os.environ.update(order["env"])
    worker = os.environ["PYTEST_XDIST_WORKER"]
    given = {
        "workerid": worker,
        "workercount": int(os.environ["PYTEST_XDIST_WORKER_COUNT"]),
        "testrunuid": os.environ["PYTEST_XDIST_TESTRUNUID"],
        "mainargv": list(sys.argv),
    }
    nodes.introduce(config, given)
    benchmarks.enable(config)
    measuring.go_on(config)
    _own_temporary_folder(config, worker, forked)
    _reseed()
    parent.die_with_it()
    descriptors = capture.take_own_output(config)
    # What is printed, and what stops at a failure, is for the fleet.
    for name in ("terminalreporter", "stepwiseplugin"):
        plugin = config.pluginmanager.getplugin(name)
        if plugin is not None:
            config.pluginmanager.unregister(plugin)
            if name == "terminalreporter":
                config.pluginmanager.register(DeafReporter(plugin), name)
    channel.send({"op": "hello", "role": "slot", "token": order["token"], "pid": _getpid()}, descriptors)
    for reader in descriptors[:2]:
        os.close(reader)


def dump_faults_to(path: str) -> None:
    """Send the traceback of a fatal signal, and all stacks at STACKS_SIGNAL, to the file at ``path``."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    faulthandler.enable(file=file, all_threads=True)
    faulthandler.register(STACKS_SIGNAL, file=file, all_threads=True, chain=False)


def _own_temporary_folder(config: Any, worker: str, forked: bool) -> None:
    """As under xdist: a folder of this worker below the one of the session, which may have been given."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return
    # A given folder is emptied at first use: only the zygote does that.
    parent = factory.getbasetemp() if forked else factory._given_basetemp
    if parent is None:
        return
    base = parent / "popen-{}".format(worker)
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    factory._basetemp = base
    factory._given_basetemp = base


def _reseed() -> None:
    """Give numpy's global generator a state of its own; the standard library's reseeds itself at a fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))
