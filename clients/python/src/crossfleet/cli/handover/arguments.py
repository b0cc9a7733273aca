"""The arguments of a pytest that hands over, as its fleet gets them."""

from __future__ import annotations

from collections.abc import Sequence

EDITORS = ("vscode_pytest", "_jb_", "teamcity", "pycharm")
"""Plugins of editors report to the editor from the session that it started, and there alone."""


def for_fleet(words: Sequence[str]) -> tuple[str, ...]:
    """Without --fleet, its slots, and the plugins of editors."""
    left: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        value = [queue.pop(0)] if word in ("-p", "--fleet-slots") and queue else []
        plugin = "".join([word, *value]).removeprefix("-p") if word.startswith("-p") else ""
        if word not in ("--fleet", "--fleet-slots") and not word.startswith("--fleet-slots="):
            left += [] if plugin.startswith(EDITORS) else [word, *value]
    return tuple(left)
