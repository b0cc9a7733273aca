"""A plugin of pytest: `pytest --fleet` hands its session over to a fleet.

Every pytest beside which crossfleet is installed imports this module: it imports nothing else before `--fleet` is given.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

_ONLY_TOLD = (
    "collectonly",
    "setuponly",
    "setupplan",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "help",
    "version",
    "cacheshow",
)
"""Options with which pytest runs nothing: it answers them here."""


def pytest_addoption(parser: Any) -> None:
    """Adds --fleet and --fleet-slots."""
    group = parser.getgroup("crossfleet")
    try:
        group.addoption(
            "--fleet", action="store_true", default=False, help="run on a fleet: all cores here, or CROSSFLEET_ADDRESS"
        )
        group.addoption(
            "--fleet-slots",
            type=int,
            default=0,
            metavar="N",
            help="slots of a fleet on this machine; default: the cores",
        )
    except ValueError:  # a process of a fleet, which knows them by itself
        pass


class _Hooks:
    def pytest_crossfleet_checkpoint(self, item: Any, seconds: float) -> None:
        """On a fleet: `item` makes room for more urgent work, and is ended in so many seconds unless it ends before."""


def pytest_addhooks(pluginmanager: Any) -> None:
    """Lets suites have the hook that a fleet calls, also where nobody calls it."""
    try:
        pluginmanager.add_hookspecs(_Hooks)
    except ValueError:  # a process of a fleet, which knows it by itself
        pass


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: Any) -> Any:
    """Hands over where --fleet is given, unless this is a process of a fleet or pytest would run nothing."""
    option = config.option
    if not option.fleet or "CROSSFLEET_RUN" in os.environ or any(getattr(option, name, False) for name in _ONLY_TOLD):
        return None
    from crossfleet.cli.handover.session import hand_over

    return hand_over(config)
