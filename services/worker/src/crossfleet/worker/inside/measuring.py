"""pytest-cov over slots: each writes its data, the zygote combines them and leaves one file among the run's artifacts.

Several zygotes may measure one folder at a time (targets, workers), and on other hosts at other paths. So nothing is
written to the folder itself: whoever waits for the run joins the files of all sessions and makes the reports that
pytest-cov was asked for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import Any, Dict, Optional

FOLDER = "coverage"
_ARTIFACTS = "CROSSFLEET_ARTIFACTS"
_FILE = "COVERAGE_FILE"


def redirect(early_config: Any, allocation: str) -> None:
    """Before pytest-cov starts to measure: keep its data to this session. Does nothing where it is not asked for."""
    known = early_config.known_args_namespace
    artifacts = os.environ.get(_ARTIFACTS)
    if not artifacts or not getattr(known, "cov_source", None) or getattr(known, "no_cov", False):
        return
    folder = os.path.join(os.path.dirname(artifacts), FOLDER, re.sub(r"[^\w.-]", "_", allocation))
    os.makedirs(folder, exist_ok=True)
    os.environ[_FILE] = os.path.join(folder, ".coverage")  # programs that tests start are measured too


class Measuring:
    """What pytest-cov was asked for in this session; it makes no report of a part."""

    def __init__(self, config: Any) -> None:
        self._plugin: Any = config.pluginmanager.getplugin("_cov")
        controller = getattr(self._plugin, "cov_controller", None)
        self._wanted: Optional[Dict[str, Any]] = None
        if controller is None or FOLDER not in os.environ.get(_FILE, "").split(os.sep):
            return
        options = self._plugin.options
        self._wanted = {
            "folder": controller.topdir,
            "source": options.cov_source,
            "branch": options.cov_branch,
            "config": options.cov_config,
            "append": bool(options.cov_append),
            "reports": options.cov_report,
            "fail_under": options.cov_fail_under,
            "precision": getattr(options, "cov_precision", None),
            "not_on_failure": bool(getattr(options, "no_cov_on_fail", False)),
            "description": controller.get_node_desc(sys.platform, sys.version_info),
        }
        options.cov_report = controller.cov_report = {}
        options.cov_fail_under = None

    def keep(self) -> None:
        """At the end of the session: put the combined data where the worker finds it, with what was asked for."""
        if self._wanted is None:
            return
        data = os.environ[_FILE]
        if os.path.exists(data):
            folder = os.path.join(os.environ[_ARTIFACTS], FOLDER)
            os.makedirs(folder, exist_ok=True)
            kept = os.path.join(folder, os.path.basename(os.path.dirname(data)))
            shutil.copyfile(data, kept + ".data")
            with open(kept + ".json", "w", encoding="utf-8") as file:
                json.dump(self._wanted, file)


def go_on(config: Any) -> None:
    """In a slot: measure on. Versions before 7 would begin and end a measurement of their own around each case."""
    plugin = config.pluginmanager.getplugin("_cov")
    if plugin is not None:
        plugin.pid = os.getpid()


def save(config: Any) -> None:
    """Write what was measured in this process, when coverage is measuring; the zygote combines the files at its end."""
    plugin = config.pluginmanager.getplugin("_cov")
    measured = getattr(getattr(plugin, "cov_controller", None), "cov", None)
    if measured is None:
        module = sys.modules.get("coverage")
        current = getattr(getattr(module, "Coverage", None), "current", None)
        measured = current() if current else None
    if measured is not None:
        # A slot need not meet everything that the session measures.
        measured._warn_no_data = measured._warn_unimported_source = False
        measured.stop()
        measured.save()
