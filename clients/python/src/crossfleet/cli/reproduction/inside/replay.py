"""Entry: run by path with the suite's own interpreter, ``python replay.py PLAN JOURNAL``: plain pytest in a given order.

PLAN is a JSON file, see ``Replay``. JOURNAL gets one JSON line at a time, so that a crash loses none. Guarded by
``__main__``, since multiprocessing's spawn imports this file again.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import sys
import sysconfig
from typing import Any, Dict, Iterator, List, Sequence

_QUIET = {
    "numprocesses": 0,
    "dist": "no",
    "distload": False,
    "tx": [],
    "looponfail": False,
    "xmlpath": None,
    "maxfail": 0,
    "lf": False,
    "failedfirst": False,
    "newfirst": False,
    "stepwise": False,
}
"""Options that would change or stop the order, or write a report of it."""


class Replay:
    """Plugin: of what was collected, runs the cases of ``plan["cases"]`` in that order and tells about the last one.

    ``plan`` has also: ``narrow`` (collect only the files of these cases), ``seeds``, ``worker`` and ``slots`` (as xdist tells them),
    ``case_seconds`` (limit of the last case, 0 for none), ``variables`` (set when cases begin, as in a slot).
    """

    def __init__(self, plan: Dict[str, Any], journal: int) -> None:
        self._plan = plan
        self._journal = journal
        self._owner = os.getpid()
        self._last: Any = None
        self._on_last = False

    def pytest_addoption(self, parser: Any) -> None:
        """Know ``--fleet``, which may stand in addopts: this is what it leads to."""
        try:
            group = parser.getgroup("crossfleet")
            group.addoption("--fleet", action="store_true", help="ignored in a replay")
            group.addoption("--fleet-slots", help="ignored in a replay")
        except ValueError:
            pass

    def settle_options(self, config: Any) -> None:
        """Take out what would change the order; use the recorded seed."""
        for name, value in _QUIET.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        seed = self._plan["seeds"].get("randomly_seed")
        if seed and hasattr(config.option, "randomly_seed"):
            config.option.randomly_seed = int(seed)
        if self._plan["narrow"]:
            root = str(config.rootpath)
            files = [case.split("::", 1)[0] for case in self._plan["cases"]]
            config.args = [os.path.join(root, file) for file in dict.fromkeys(files)]
            config.option.pyargs = False

    def arrange(self, session: Any) -> None:
        """Put the collected items into the recorded order, and be the slot that ran them."""
        own = dict(zip(identified(session.items), session.items))
        cases: List[str] = self._plan["cases"]
        self._tell(environment=environment_digest(), missing=[case for case in cases if case not in own][:20])
        found = [own[case] for case in cases if case in own] if cases[-1] in own else []
        session.items[:] = found
        session.testscollected = len(found)
        self._last = found[-1] if found else None
        os.environ.update(self._plan["variables"])
        session.config.workerinput = {
            "workerid": self._plan["worker"],
            "workercount": self._plan["slots"],
            "testrunuid": os.environ.get("PYTEST_XDIST_TESTRUNUID", ""),
            "mainargv": list(sys.argv),
        }

    def begin(self, item: Any) -> None:
        """A case begins; the last one gets its time limit."""
        self._on_last = item is self._last
        self._tell(begun=True, last=self._on_last)
        seconds = self._plan["case_seconds"]
        if self._on_last and seconds:
            faulthandler.dump_traceback_later(seconds, exit=True)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Tell about a failed phase of the last case."""
        if self._on_last and report.outcome == "failed":
            self._tell(failed=report.when, message=first_line(report), details=str(report.longreprtext)[-65536:])

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell that the last case has ended."""
        if self._on_last:
            faulthandler.cancel_dump_traceback_later()
            self._tell(ended=True)

    def _tell(self, **fields: Any) -> None:
        if os.getpid() == self._owner:
            os.write(self._journal, json.dumps(fields).encode("ascii") + b"\n")


def identified(items: Sequence[Any]) -> List[str]:
    """Return the id of each item; the second item of one id gets ``#2``, as on a fleet."""
    seen: Dict[str, int] = {}
    ids: List[str] = []
    for item in items:
        count = seen[item.nodeid] = seen.get(item.nodeid, 0) + 1
        ids.append(item.nodeid if count == 1 else "{}#{}".format(item.nodeid, count))
    return ids


def first_line(report: Any) -> str:
    """Return the exception's line of a failed report."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = getattr(crash, "message", None) or str(report.longrepr)
    return str(text).strip().split("\n", 1)[0][:1000]


def environment_digest() -> str:
    """Return the sha256 (hex) over interpreter, platform and installed distributions: the same as on a fleet."""
    found: List[str] = []
    for folder in sys.path:
        if os.path.basename(folder) in ("site-packages", "dist-packages") and os.path.isdir(folder):
            names = (name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
            found.extend(os.path.splitext(name)[0].lower() for name in names)
    parts = [sys.version, sysconfig.get_platform(), *sorted(found)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def main(plan_path: str, journal_path: str) -> int:
    """Be pytest. Returns its exit status."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest")] + plan["arguments"]
    if sys.path and os.path.abspath(sys.path[0]) == here:
        sys.path[0] = os.getcwd() if plan["as_module"] else os.path.dirname(sys.executable)
    journal = os.open(journal_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    import pytest

    class Plugin(Replay):
        @pytest.hookimpl(tryfirst=True)
        def pytest_load_initial_conftests(self, early_config: Any) -> None:
            # The data of the run that failed is worth more than that of its replays.
            if getattr(early_config.known_args_namespace, "cov_source", None):
                early_config.known_args_namespace.cov_source = []

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_cmdline_main(self, config: Any) -> Iterator[None]:
            self.settle_options(config)
            yield

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> None:
            self.arrange(session)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(self, item: Any) -> None:
            self.begin(item)

    return int(pytest.main(list(plan["arguments"]), plugins=[Plugin(plan, journal)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
