"""The plugin host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.plugins import Category, Lifecycle, PluginHost, discover
from services.foundation.tests import sample_plugins

_MODULE = "services.foundation.tests.sample_plugins"


def _points(**values: str) -> list[EntryPoint]:
    return [EntryPoint(name, value, Category.CONNECTORS) for name, value in values.items()]


def _host(**named: Any) -> PluginHost:
    points = _points(
        good=f"{_MODULE}:Good", unmakeable=f"{_MODULE}:unmakeable", plain=f"{_MODULE}:plain", missing="no.such.module:X"
    )
    return PluginHost(Category.CONNECTORS, found=points, **named)


async def _running(**named: Any) -> tuple[PluginHost, sample_plugins.Good]:
    host = _host(**named)
    plugin = host.configure("good", {"size": 5})
    await host.start("good")
    return host, plugin


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    sample_plugins.release.clear()
    yield
    sample_plugins.release.set()


def test_discovery_imports_nothing() -> None:
    points = _points(unseen="antigravity:fly")
    assert list(discover(Category.CONNECTORS, points)) == ["unseen"]
    assert "antigravity" not in sys.modules


def test_the_categories_are_the_entry_point_groups() -> None:
    assert {category.value for category in Category} == {
        f"crossfleet.{name}"
        for name in (
            [
                "runners",
                "detectors",
                "schedulers",
                "result_handlers",
                "formatters",
                "connectors",
                "authenticators",
                "artifact_stores",
            ]
        )
    }
    for category in Category:
        assert all(plugin.entry_point.group == category for plugin in discover(category).values())


async def test_a_plugin_goes_through_its_life() -> None:
    host = _host()
    assert host.state("good").lifecycle is Lifecycle.DISCOVERED
    plugin = host.configure("good", {"size": 5})
    assert host.state("good").lifecycle is Lifecycle.CONFIGURED
    await host.start("good")
    assert await host.call("good", "double", 4) == 20
    await host.drain("good")
    with pytest.raises(errors.StateConflict, match="draining"):
        await host.call("good", "double", 4)
    await host.stop("good")
    assert plugin.steps == ["start", "drain", "stop"]
    assert host.state("good").lifecycle is Lifecycle.STOPPED


async def test_steps_out_of_order_are_refused() -> None:
    host = _host()
    with pytest.raises(errors.StateConflict, match="discovered"):
        await host.start("good")
    with pytest.raises(errors.StateConflict, match="not running"):
        await host.call("good", "double", 4)
    host.configure("good")
    with pytest.raises(errors.StateConflict):
        await host.drain("good")


@pytest.mark.parametrize(
    ("settings", "path"), [({"size": 0}, "good.size"), ({"size": "many"}, "good.size"), ({"sise": 1}, "good")]
)
def test_wrong_settings_are_named_and_change_nothing(settings: dict[str, Any], path: str) -> None:
    host = _host()
    with pytest.raises(errors.ConfigurationInvalid) as caught:
        host.configure("good", settings)
    assert [field.path for field in caught.value.fields] == [path]
    assert host.state("good").lifecycle is Lifecycle.DISCOVERED


@pytest.mark.parametrize(("name", "cause"), [("missing", "cannot be imported"), ("unmakeable", "no licence")])
def test_a_plugin_that_cannot_be_made_is_quarantined_with_its_cause(name: str, cause: str) -> None:
    host = _host()
    with pytest.raises(errors.PluginFailed, match=cause):
        host.configure(name)
    assert host.state(name).lifecycle is Lifecycle.QUARANTINED
    assert cause in host.state(name).cause
    assert host.configure("plain", {"a": 1}) == {"a": 1}


def test_an_unknown_plugin_is_not_found_and_those_that_exist_are_named() -> None:
    with pytest.raises(errors.PluginNotFound, match="good"):
        _host().load("god")


def test_two_distributions_with_one_name_are_a_conflict() -> None:
    points = [*_points(good=f"{_MODULE}:Good"), *_points(good=f"{_MODULE}:plain")]
    host = PluginHost(Category.CONNECTORS, found=points)
    assert host.state("good").lifecycle is Lifecycle.QUARANTINED
    with pytest.raises(errors.PluginFailed, match="uninstall one"):
        host.configure("good")


async def test_a_blocking_method_runs_in_a_thread_of_its_own() -> None:
    host, _ = await _running()
    assert await host.call("good", "thread_name") == "plugin-call"


async def test_a_call_that_hangs_is_given_up_and_still_counted() -> None:
    host, _ = await _running(most_calls=1)
    with pytest.raises(errors.PluginFailed, match=r"hang did not answer within 0\.02 s"):
        await host.call("good", "hang", timeout=0.02)
    with pytest.raises(errors.TooManyOpen):
        await host.call("good", "double", 1)


async def test_a_plugin_that_keeps_failing_is_quarantined_and_comes_back_by_a_probe() -> None:
    clock = ManualClock()
    host, plugin = await _running(failures=3, reset_seconds=10, clock=clock)
    plugin.broken = True
    for _ in range(3):
        with pytest.raises(errors.PluginFailed, match="out of order"):
            await host.call("good", "double", 1)
    assert host.state("good").lifecycle is Lifecycle.QUARANTINED
    assert "out of order" in host.state("good").cause
    with pytest.raises(errors.PluginQuarantined) as caught:
        await host.call("good", "double", 1)
    assert caught.value.retry_after == 10
    plugin.broken = False
    clock.advance(10)
    assert await host.call("good", "double", 1) == 5
    assert host.state("good").lifecycle is Lifecycle.RUNNING


async def test_a_considered_refusal_passes_and_is_no_failure() -> None:
    host, _ = await _running(failures=2)
    for _ in range(4):
        with pytest.raises(errors.ArtifactNotFound):
            await host.call("good", "refuse")
    assert host.state("good").lifecycle is Lifecycle.RUNNING
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            await host.call("good", "unreachable")
    assert host.state("good").lifecycle is Lifecycle.QUARANTINED
