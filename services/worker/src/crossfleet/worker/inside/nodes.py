"""What plugins and conftests of pytest-xdist's age expect between a controller and its workers, spoken by a zygote and its slots.

A slot is a worker: ``config.workerinput`` is filled by ``pytest_configure_node``, and what ``pytest_sessionfinish`` leaves
in ``config.workeroutput`` reaches ``pytest_testnodedown`` in the zygote. Only plugins that speak this protocol are asked
for it: others were configured for the one session that the zygote ends.
"""

from __future__ import annotations

import marshal
import os
import platform
import sys
import types
from typing import Any, Dict, Set

# They carry data of a worker, but listen for it only where xdist is installed.
_ALWAYS_FINISHED = frozenset({"syrupy"})
# Its controller for one process hears of no workers; the zygote combines the files that slots leave (see measuring).
_DEAF = "_cov"


class Node:
    """A slot as the zygote's plugins see a worker of xdist."""

    def __init__(self, config: Any, worker: str, workerinput: Dict[str, Any], workeroutput: Dict[str, Any]) -> None:
        self.config = config
        self.workerinput = workerinput
        self.workeroutput = workeroutput
        self.gateway = types.SimpleNamespace(id=worker, spec=types.SimpleNamespace(id=worker, popen=True))
        self.shutting_down = True
        self.workerinfo = {
            "id": worker,
            "version": sys.version,
            "version_info": tuple(sys.version_info),
            "sysplatform": sys.platform,
            "platform": platform.platform(),
            "executable": sys.executable,
            "cwd": os.getcwd(),
        }


class _Specifications:
    """Of the one hook that is xdist's own and heard here without it."""

    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """A worker has ended."""


def listen(config: Any) -> None:
    """Let plugins hear of slots that would do so only beside xdist."""
    module = sys.modules.get("syrupy")
    listener = getattr(module, "DeferXDist", None)
    manager = config.pluginmanager
    if listener is not None and not any(isinstance(plugin, listener) for plugin in manager.get_plugins()):
        if not manager.hasplugin("xdist"):
            manager.add_hookspecs(_Specifications)
        manager.register(listener())


def introduce(config: Any, workerinput: Dict[str, Any]) -> None:
    """Make this process a worker: ``config.workerinput``, as plugins complete it, and an empty ``config.workeroutput``."""
    config.workerinput = workerinput
    config.workeroutput = {"flaky_report": ""}  # pytest-flaky appends to what it has put there at its configuration
    if hasattr(config.hook, "pytest_configure_node"):
        deaf = [plugin for plugin in [config.pluginmanager.getplugin(_DEAF)] if plugin is not None]
        ask = config.pluginmanager.subset_hook_caller("pytest_configure_node", remove_plugins=deaf)
        ask(node=Node(config, workerinput["workerid"], workerinput, {}))


def farewell(session: Any) -> bytes:
    """End the session of a slot for the plugins that speak the protocol. Returns what they left, marshalled.

    Raises ValueError when it holds other types than Python's own.
    """
    config = session.config
    wanted = _speakers(config)
    finish = config.hook.pytest_sessionfinish
    others = [each.plugin for each in finish.get_hookimpls() if _package(each.plugin) not in wanted]
    if len(others) < len(finish.get_hookimpls()):
        status = 1 if session.testsfailed else 0
        session.exitstatus = status  # some add to it
        config.pluginmanager.subset_hook_caller("pytest_sessionfinish", remove_plugins=others)(
            session=session, exitstatus=status
        )
    return marshal.dumps((config.workerinput["workerid"], dict(config.workeroutput)))


def take_leave(config: Any, left: bytes) -> None:
    """Tell the zygote's plugins what a slot has left (see ``farewell``)."""
    if not hasattr(config.hook, "pytest_testnodedown"):
        return
    worker, output = marshal.loads(left)  # noqa: S302 - written by a fork of this process
    node = Node(config, worker, {"workerid": worker}, output)
    for listener in reversed(config.hook.pytest_testnodedown.get_hookimpls()):
        if listener.plugin_name != _DEAF:
            try:
                listener.function(*({"node": node, "error": None}[name] for name in listener.argnames))
            except KeyError:  # what it looks for is left at the configuration of a worker, which a slot does not see
                pass


def _speakers(config: Any) -> Set[str]:
    """Packages that listen for workers."""
    hook = getattr(config.hook, "pytest_testnodedown", None)
    listening = {_package(each.plugin) for each in hook.get_hookimpls()} if hook is not None else set()
    return (listening | _ALWAYS_FINISHED) - {"pytest_cov", "xdist"}


def _package(plugin: Any) -> str:
    name = plugin.__name__ if isinstance(plugin, types.ModuleType) else type(plugin).__module__
    return str(name).split(".", maxsplit=1)[0]
