"""Fixtures that every suite finds in a slot, whatever its environment has."""

from __future__ import annotations

from typing import Any

from .once import OncePerHost


def register(config: Any, once: OncePerHost) -> None:
    """Give a suite ``once_per_host``, and what xdist would give it where that is not installed."""
    import pytest

    class Fixtures:
        @pytest.fixture(scope="session", name="once_per_host")
        def once_per_host(self) -> OncePerHost:
            """Call it as ``once_per_host(key, make)``: made once for all slots of this run on this host."""
            return once

    class WorkerFixtures:
        @pytest.fixture(scope="session")
        def worker_id(self, request: Any) -> Any:
            """This slot among all of its run: gw0, gw1..."""
            return request.config.workerinput["workerid"]

        @pytest.fixture(scope="session")
        def testrun_uid(self, request: Any) -> Any:
            """The same in all slots of a run."""
            return request.config.workerinput["testrunuid"]

    config.pluginmanager.register(Fixtures(), "crossfleet-fixtures")
    if not config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(WorkerFixtures(), "crossfleet-worker-fixtures")
