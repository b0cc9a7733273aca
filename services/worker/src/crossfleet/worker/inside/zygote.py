"""The zygote: a pytest that has collected and is forked for slots."""

from __future__ import annotations

import atexit
import faulthandler
import gc
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any, Callable, Generator, Iterator, List, Optional, Sequence

from . import (
    ahead,
    cache,
    capture,
    checkpoint,
    collection,
    ending,
    facts,
    finish,
    fixtures,
    forksafety,
    measuring,
    nodes,
    once,
    parent,
    replay,
    reruns,
    seeds,
    slot,
)
from .channel import Channel, Closed, Message

# Taken before the suite is imported, as in channel.py.
_getpid = os.getpid


class ZygotePlugin:
    """Takes over when collection is complete: describes it, then forks slots until told to close."""

    def __init__(self, channel: Channel, setup: Message) -> None:
        self._channel = channel
        self._setup = setup
        self._started = time.monotonic()
        self._reports = collection.CollectionReports()
        self._shared: Optional[cache.SharedCache] = None
        self._goes_on = False
        self._once = once.OncePerHost(setup["run"])
        self._finish = finish.Finish(channel, self._once)
        self._own_reruns = False

    def pytest_addoption(self, parser: Any) -> None:
        """Know ``--fleet``, which may stand in addopts: this process is what it leads to."""
        try:
            group = parser.getgroup("crossfleet")
            group.addoption("--fleet", action="store_true", help="ignored on a fleet")
            group.addoption("--fleet-slots", help="ignored on a fleet")
        except ValueError:  # the suite's interpreter has crossfleet itself
            pass

    def pytest_addhooks(self, pluginmanager: Any) -> None:
        """Know the hook that a suite may implement."""
        try:
            pluginmanager.add_hookspecs(checkpoint.Hooks)
        except ValueError:  # the suite's interpreter has crossfleet itself
            pass

    def pytest_configure(self, config: Any) -> None:
        """Listen to collection; know the marks that keep cases together or let them be run again, where no plugin does."""
        self._own_reruns = not reruns.heeded_by_suite(config)
        if self._own_reruns:
            config.addinivalue_line("markers", reruns.MARKER)
        config.pluginmanager.register(self._reports, "crossfleet-collection")
        nodes.listen(config)
        fixtures.register(config, self._once)
        if self._setup["role"] == "zygote":
            self._shared = cache.SharedCache(config)
            config.pluginmanager.register(self._shared, "crossfleet-cache")
        if not config.pluginmanager.hasplugin("xdist"):
            config.addinivalue_line("markers", "xdist_group(name): cases of one name run on one slot, in order.")

    def take_over(self, session: Any) -> bool:
        """The run loop of this process. Returns True: the loop is done, pytest goes on to sessionfinish."""
        items = session.items
        self._goes_on = bool(session.config.option.continue_on_collection_errors)
        stopped = session.testsfailed and not self._goes_on
        ids = collection.identified(items)
        if self._setup["role"] == "solo":
            return self._run_alone(session, items)
        reason = forksafety.reason_against_fork()
        runnable = not stopped and not session.config.option.collectonly
        runner = facts.runner_facts(session.config, self._setup)
        self._describe(items if runnable else [], ids if runnable else [], len(items), reason, runner)
        self._finish.expect(session.config, items)
        gc.collect()
        gc.freeze()
        order = self._serve_orders(session, items)
        if stopped:
            raise session.Interrupted("{} error(s) during collection".format(session.testsfailed))
        before = session.testsfailed
        told = replay.Replay(session, items)
        told.read(self._setup["spool_path"])
        told.died(order.get("deaths", ()))
        session.testsfailed = max(session.testsfailed, before + order.get("failed", 0) - told.reruns)
        self._finish.prepare(session, items, told.ran)
        return True

    def around_finish(self) -> Iterator[None]:
        """What is done about the end of the session, which is at the yield."""
        if self._shared is None:
            yield
        else:
            yield from self._shared.around_finish()

    def _serve_orders(self, session: Any, items: List[Any]) -> Message:
        """Fork slots until told to close; returns that order."""
        while True:
            try:
                order = self._channel.receive()
            except Closed:
                return {}
            if order is None:
                continue
            if order["op"] == "fork":
                self._fork(session, items, order)
            elif order["op"] == "close":
                return order

    def _describe(self, items: List[Any], ids: List[str], found: int, reason: str, runner: Message) -> None:
        seconds = time.monotonic() - self._started
        if reason:
            # Each slot will collect for itself and must arrange its cases in this order.
            with open(self._setup["ids_path"], "w", encoding="utf-8") as file:
                json.dump(ids, file)
        comes_first = self._shared.comes_first if self._shared else None
        cases = collection.described(items, ids, comes_first, self._own_reruns, bool(self._setup.get("gated")))
        head = {"op": "ready", "count": len(items), "safe_to_fork": not reason}
        self._channel.send(head)
        self._channel.send(
            {
                "op": "collected",
                "allocation": self._setup["allocation"],
                "digest": collection.digest(cases),
                "cases": cases,
                "seconds": round(seconds, 6),
                "errors": self._reports.errors,
                "skipped": self._reports.skipped,
                "deselected": self._reports.deselected,
                "go_on": self._goes_on,
                "withheld": found - len(items),
                "safe_to_fork": not reason,
                "reason": reason,
                "runner": runner,
            }
        )

    def _fork(self, session: Any, items: List[Any], order: Message) -> None:
        """Fork a slot through a short-lived child, so that the shim, the subreaper, is the one who reaps it."""
        capture.flush_standard_streams()
        if getattr(session.config, "_tmp_path_factory", None) is not None:
            session.config._tmp_path_factory.getbasetemp()
        reader, writer = os.pipe()
        try:
            between = _fork_quietly()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            self._channel.send({"op": "forked", "token": order["token"], "error": "fork: {}".format(error)})
            return
        if between == 0:
            os.close(reader)
            first = _getpid()
            try:
                child = _fork_quietly()
            except OSError:
                os._exit(1)
            if child:
                os.write(writer, b"%d\n" % child)
                os._exit(0)
            os.close(writer)
            parent.await_adoption(first)
            self._live_as_slot(session, items, order)
        os.close(writer)
        os.waitpid(between, 0)
        with os.fdopen(reader, "rb") as pipe:
            written = pipe.readline()
        answer: Message = {"op": "forked", "token": order["token"]}
        if written:
            answer["pid"] = int(written)
        else:
            answer["error"] = "fork: the machine refused a second process"
        self._channel.send(answer)

    def _live_as_slot(self, session: Any, items: List[Any], order: Message) -> None:
        """Everything that a slot does, from its birth to ``os._exit``; it never returns into the zygote's pytest."""
        status = 1
        try:
            # What the zygote registered runs once, in the zygote; what the tests register runs here.
            atexit._clear()
            channel = Channel(self._setup["socket"])
            slot.become(session, self._channel, channel, order, forked=True)
            self._serve(session, items, channel, order)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            capture.flush_standard_streams()
            os._exit(status)

    def _serve(self, session: Any, items: Sequence[Any], channel: Channel, order: Message) -> None:
        self._once.enter(session.config, channel)
        runner = slot.Slot(session, items, channel, order, self._setup["spool_path"])
        reason, message = runner.run()
        if reason != "abandoned":
            runner.hand_over()
        measuring.save(session.config)
        atexit._run_exitfuncs()
        capture.flush_standard_streams()
        try:
            channel.send_line(b"\n")  # ends a line that an interrupt may have torn
            channel.send({"op": "ended", "reason": reason, "message": message})
        except Exception:  # nobody is left to be told
            pass

    def _run_alone(self, session: Any, items: List[Any]) -> bool:
        """Be the only slot of this process: the suite cannot be forked, so it was collected again."""
        try:
            with open(self._setup["ids_path"], encoding="utf-8") as file:
                items = collection.arranged(items, json.load(file))
        except ValueError as error:
            self._channel.send({"op": "mismatch", "message": str(error)})
            return True
        order = self._setup["order"]
        try:
            channel = Channel(self._setup["socket"])
            slot.become(session, self._channel, channel, order, forked=False)
            self._serve(session, items, channel, order)
        except BaseException:
            traceback.print_exc()
        finally:
            capture.flush_standard_streams()
            os._exit(0)


def _fork_quietly() -> int:
    """``os.fork`` without the warning about native threads: forksafety has judged them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def _make_plugin(channel: Channel, setup: Message) -> ZygotePlugin:
    """Build the plugin with pytest's hook markers; pytest is imported only when ``sys.path`` is settled."""
    import pytest

    class Plugin(ZygotePlugin):
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_load_initial_conftests(self, early_config: Any) -> Iterator[None]:
            measuring.redirect(early_config, setup["allocation"])
            yield

        @pytest.hookimpl(hookwrapper=True)
        def pytest_cmdline_main(self, config: Any) -> Generator[None, Any, None]:
            quiet_options(config.option)
            seeds.share(config.option)
            outcome = yield
            if outcome.excinfo is not None:
                self._finish.broke(outcome.excinfo[1])

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_sessionfinish(self, session: Any) -> Iterator[None]:
            yield from self.around_finish()
            self._finish.conclude(session)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> bool:
            return self.take_over(session)

    return Plugin(channel, setup)


def quiet_options(option: Any) -> None:
    """Neutralise options that one process of several must not act on: distribution, one report file, a debugger.

    The fleet distributes and writes the reports itself; ``-n``, ``--junitxml``, ``--pdb`` may stand in addopts.
    """
    for name, value in (
        ("numprocesses", 0),
        ("dist", "no"),
        ("distload", False),
        ("tx", []),
        ("looponfail", False),
        ("xmlpath", None),
        ("usepdb", False),
        ("trace", False),
        ("maxfail", 0),  # counted by the fleet over all slots
    ):
        if hasattr(option, name):
            setattr(option, name, value)


def main(path: str, token: str, settle_path: Callable[[bool], None], early: str = "") -> int:
    """Connect to the shim at ``path``, learn what to run, and be pytest. Returns pytest's exit status.

    ``settle_path`` gets ``as_module`` and must make ``sys.path`` right before pytest is imported. ``early``: "script" or
    "module", as which this process is to import pytest before it asks what to run.
    """
    channel = Channel(path)
    hello: Message = {"op": "hello", "role": "zygote", "token": token, "pid": os.getpid()}
    own_name = ""
    if early:
        own_name = ahead.take_name(ahead.WAITING)
        settle_path(early == "module")
        hello["files"] = ahead.load()
    channel.send(hello)
    try:
        setup = channel.receive() or {}
        setup["socket"] = path
        sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest")] + setup["argv"]
        if early:
            ahead.take_name(own_name)
            channel.send({"op": "begun"})
            for name, value in setup["env"].items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
        else:
            settle_path(bool(setup.get("as_module")))
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are still the interpreter's own
        faults = os.dup(2)
        faulthandler.enable(file=faults, all_threads=True)  # pytest's own plugin may be switched off
        faulthandler.register(slot.STACKS_SIGNAL, file=faults, all_threads=True, chain=False)
        try:
            import pytest
        except ModuleNotFoundError as error:
            if error.name != "pytest":
                raise
            sys.exit("{} has no pytest: add it to the requirements".format(sys.executable))

        status = int(pytest.main(list(setup["argv"]), plugins=[_make_plugin(channel, setup)]))
        channel.send({"op": "returned"})
        ending.end_process(status)
        return status
    except Closed:
        os._exit(0)
