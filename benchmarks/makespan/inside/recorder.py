"""A pytest plugin that writes what each case takes by itself, and which fixtures it shares with others at what cost.

Loaded into the suite's interpreter by `-p recorder`; RECORDING names the file. Standard library and pytest only.
"""

import json
import os
import time
from typing import Any

import pytest

CASES: dict[str, dict[str, Any]] = {}
FIXTURES: dict[str, list[float]] = {}
PARAMETERS: dict[tuple[str, str], int] = {}
_current: list[dict[str, Any]] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    CASES[item.nodeid] = {"id": item.nodeid, "seconds": 0.0, "shared": 0.0, "uses": []}
    _current[:] = [CASES[item.nodeid]]
    yield
    _current.clear()


def pytest_runtest_logreport(report):
    CASES[report.nodeid]["seconds"] += report.duration


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    begun = time.perf_counter()
    yield
    seconds = time.perf_counter() - begun
    if fixturedef.scope != "function" and _current:
        FIXTURES.setdefault(_key(fixturedef), []).append(seconds)
        _current[0]["shared"] += seconds


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item, nextitem):
    request = getattr(item, "_request", None)
    if request is not None and _current:
        shared = (one for one in request._fixture_defs.values() if one.scope != "function")  # noqa: SLF001
        _current[0]["uses"] = sorted({_key(one) for one in shared})
    yield


def pytest_sessionfinish(session):
    fixtures = [[*json.loads(key), sum(all_) / len(all_)] for key, all_ in FIXTURES.items()]
    place = {key: number for number, key in enumerate(FIXTURES)}
    cases = [
        {**case, "uses": [place[key] for key in case["uses"] if key in place]}
        for case in (CASES[item.nodeid] for item in session.items if item.nodeid in CASES)
    ]
    with open(os.environ["RECORDING"], "w") as file:
        json.dump({"fixtures": fixtures, "cases": cases}, file)


def _key(fixturedef):
    name = f"{fixturedef.baseid}::{fixturedef.argname}"
    cached = fixturedef.cached_result
    parameter = ""
    if cached is not None and cached[1] is not None:
        parameter = str(PARAMETERS.setdefault((name, repr(cached[1])), len(PARAMETERS)))
    return json.dumps([name, fixturedef.scope, parameter])
