"""Cases that run more than once: how often their marks allow it, and how one begins anew in a process that ran it."""

from __future__ import annotations

import sys
from typing import Any

MARKER = (
    "flaky(reruns=1, condition=True): run a failed case again, at most so often; crossfleet heeds it without a plugin"
)
MOST_RERUNS = 100
_PLUGINS = ("rerunfailures", "flaky")
"""Plugins of a suite that heed such marks themselves."""


def heeded_by_suite(config: Any) -> bool:
    """Whether a plugin of the suite runs marked cases again by itself."""
    return any(config.pluginmanager.hasplugin(name) for name in _PLUGINS)


def allowed_reruns(item: Any) -> int:
    """How often the nearest ``flaky`` mark of a case lets it be run again; 0 without one, or for a false condition.

    Understands the marks of pytest-rerunfailures (``reruns``) and of the plugin flaky (``max_runs``). A condition that
    is text counts as true: it is an expression for their own eyes.
    """
    mark = item.get_closest_marker("flaky")
    if mark is None or not mark.kwargs.get("condition", True):
        return 0
    if "max_runs" in mark.kwargs:
        count = _number(mark.kwargs["max_runs"]) - 1
    else:
        count = _number(mark.kwargs.get("reruns", mark.args[0] if mark.args else 1))
    return min(max(count, 0), MOST_RERUNS)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 1


def begin_anew(item: Any) -> None:
    """Make a case that ran in this process before forget it: every fixture is torn down, its instance is dropped.

    What goes wrong while tearing down is printed: the case that it belonged to has its result.
    """
    tear_down_all(item.session)
    item.user_properties[:] = []
    item._report_sections[:] = []
    if type(item).__name__ == "Function":
        # Later versions keep the bound method of the instance; a plugin's own kind of function knows what it keeps.
        for name in ("_instance", "_obj"):
            vars(item).pop(name, None)


def tear_down_all(session: Any) -> None:
    """Tear down every fixture that is still set up; what goes wrong is printed, for there is no case to blame."""
    state = session._setupstate
    try:
        try:
            state.teardown_exact(None)
        except TypeError:  # pytest 7.0 takes the item too
            state.teardown_exact(None, None)
    except BaseException as error:
        sys.stderr.write("crossfleet: tearing down between cases: {}: {}\n".format(type(error).__name__, error))
