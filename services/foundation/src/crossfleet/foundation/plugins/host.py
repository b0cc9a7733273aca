"""Holds the plugins of one category: settings, lifecycle, and guarded calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import msgspec

from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.conflicts import StateConflict
from crossfleet.foundation.errors.installation import ConfigurationInvalid, PluginFailed
from crossfleet.foundation.errors.missing import PluginNotFound
from crossfleet.foundation.plugins.calls import GuardedCalls
from crossfleet.foundation.plugins.discovery import Category, Discovered, discover
from crossfleet.foundation.plugins.lifecycle import Lifecycle, PluginState, may_follow


class _Plugin:
    def __init__(self, name: str, found: Discovered, calls: GuardedCalls) -> None:
        self.name = name
        self.found = found
        self.calls = calls
        self.lifecycle = Lifecycle.QUARANTINED if found.conflict else Lifecycle.DISCOVERED
        self.cause = found.conflict
        self.factory: Any = None
        self.instance: Any = None


class PluginHost:
    """The plugins of a category. A plugin that fails is quarantined with its cause and never takes the service down.

    `call_seconds` bounds each call, `most_calls` those that are open at once for one plugin, also those that were
    given up and hang; `failures` in a row open its circuit for `reset_seconds`.
    """

    def __init__(
        self,
        category: Category,
        *,
        found: list[EntryPoint] | None = None,
        call_seconds: float = 10.0,
        most_calls: int = 16,
        failures: int = 5,
        reset_seconds: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._category = category
        self._plugins = {
            name: _Plugin(
                name,
                plugin,
                GuardedCalls(f"{category.value}:{name}", call_seconds, most_calls, failures, reset_seconds, clock),
            )
            for name, plugin in discover(category, found).items()
        }

    def names(self) -> tuple[str, ...]:
        """The names of all installed plugins."""
        return tuple(self._plugins)

    def state(self, name: str) -> PluginState:
        """Where a plugin stands. Raises PluginNotFound."""
        plugin = self._get(name)
        found = plugin.found
        return PluginState(
            name, self._category.value, found.distribution, found.version, plugin.lifecycle, plugin.cause
        )

    def load(self, name: str) -> Any:
        """The factory that a plugin's entry point names, imported now. Raises PluginNotFound, PluginFailed."""
        plugin = self._get(name)
        if plugin.found.conflict:
            raise self._failed(plugin, plugin.found.conflict)
        if plugin.factory is None:
            try:
                plugin.factory = plugin.found.entry_point.load()
            except Exception as error:
                raise self._quarantined(plugin, "cannot be imported", error) from error
        return plugin.factory

    def configure(self, name: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Makes the plugin with its settings, also anew after quarantine or stop; returns what the factory made.

        Raises PluginNotFound, ConfigurationInvalid (the plugin is as before), PluginFailed, StateConflict.
        """
        plugin = self._get(name)
        self._check(plugin, Lifecycle.CONFIGURED)
        factory = self.load(name)
        typed = _typed(name, factory, settings or {})
        try:
            plugin.instance = factory(typed)
        except Exception as error:
            raise self._quarantined(plugin, "cannot be made", error) from error
        plugin.calls.reset()
        self._move(plugin, Lifecycle.CONFIGURED)
        return plugin.instance

    async def start(self, name: str) -> None:
        """Runs its `start()`. Raises PluginFailed, StateConflict."""
        await self._step(name, "start", Lifecycle.RUNNING)

    async def drain(self, name: str) -> None:
        """Takes no new calls and runs its `drain()`."""
        plugin = self._get(name)
        self._check(plugin, Lifecycle.DRAINING)
        plugin.lifecycle = Lifecycle.DRAINING
        await self._step(name, "drain", None)

    async def stop(self, name: str) -> None:
        """Runs its `stop()`; the plugin can be configured again after that."""
        await self._step(name, "stop", Lifecycle.STOPPED)

    async def call(self, name: str, method: str, *arguments: Any, timeout: float | None = None, **named: Any) -> Any:
        """Calls a method of a running plugin: coroutines on the loop, others in a thread, at most `timeout` seconds.

        Raises PluginFailed (with the plugin's error as cause), PluginQuarantined, TooManyOpen, StateConflict.
        A CrossfleetError of the plugin passes as it is.
        """
        plugin = self._get(name)
        if plugin.lifecycle not in (Lifecycle.RUNNING, Lifecycle.QUARANTINED) or plugin.instance is None:
            raise StateConflict(f"the plugin {name} is {plugin.lifecycle}, not running", state=plugin.lifecycle)
        try:
            result = await plugin.calls.call(plugin.instance, method, arguments, named, timeout)
        finally:
            if plugin.calls.open_because:
                self._move(plugin, Lifecycle.QUARANTINED, plugin.calls.open_because)
        if plugin.lifecycle is Lifecycle.QUARANTINED:  # the probe succeeded
            self._move(plugin, Lifecycle.RUNNING)
        return result

    async def _step(self, name: str, method: str, following: Lifecycle | None) -> None:
        plugin = self._get(name)
        if following is not None:
            self._check(plugin, following)
        if hasattr(plugin.instance, method):
            try:
                async with asyncio.timeout(plugin.calls.seconds):
                    await getattr(plugin.instance, method)()
            except Exception as error:
                raise self._quarantined(plugin, f"failed to {method}", error) from error
        if following is not None:
            self._move(plugin, following)

    def _get(self, name: str) -> _Plugin:
        try:
            return self._plugins[name]
        except KeyError:
            installed = ", ".join(self._plugins) or "none"
            raise PluginNotFound(
                f"no plugin {name} among {self._category.value} (installed: {installed})",
                plugin=name,
                category=self._category.value,
            ) from None

    def _check(self, plugin: _Plugin, following: Lifecycle) -> None:
        if not may_follow(plugin.lifecycle, following):
            raise StateConflict(
                f"the plugin {plugin.name} is {plugin.lifecycle} and cannot become {following}", state=plugin.lifecycle
            )

    def _move(self, plugin: _Plugin, following: Lifecycle, cause: str = "") -> None:
        plugin.lifecycle, plugin.cause = following, cause

    def _quarantined(self, plugin: _Plugin, what: str, error: Exception) -> PluginFailed:
        self._move(plugin, Lifecycle.QUARANTINED, f"{what}: {type(error).__name__}: {error}")
        return self._failed(plugin, plugin.cause)

    def _failed(self, plugin: _Plugin, cause: str) -> PluginFailed:
        return PluginFailed(f"the plugin {plugin.name} {cause}", plugin=plugin.name, category=self._category.value)


def _typed(name: str, factory: Any, settings: Mapping[str, Any]) -> Any:
    kind = getattr(factory, "Settings", None)
    if kind is None:
        return dict(settings)
    try:
        return msgspec.convert(dict(settings), kind)
    except msgspec.ValidationError as error:
        text = str(error)
        path = text.rpartition("`$.")[2].rstrip("`") if "`$." in text else ""
        raise ConfigurationInvalid(
            f"wrong settings for the plugin {name}",
            fields=[FieldViolation(f"{name}.{path}".rstrip("."), text)],
            source=f"plugin {name}",
        ) from error
