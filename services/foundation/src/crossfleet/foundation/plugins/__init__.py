"""The plugin host of every service: what ships with crossfleet comes through the same door as what third parties write.

A plugin is an entry point of one of the categories. It names a factory: a class or function that takes one argument,
its settings. A factory may have an attribute `Settings`, a msgspec struct whose fields are annotated with
`crossfleet.foundation.config.setting`; without one it takes a plain dict. What it makes may have the coroutines
`start()`, `drain()` and `stop()`.
"""

from __future__ import annotations

from crossfleet.foundation.plugins.discovery import Category, Discovered, discover
from crossfleet.foundation.plugins.host import PluginHost
from crossfleet.foundation.plugins.lifecycle import Lifecycle, PluginState

__all__ = ["Category", "Discovered", "Lifecycle", "PluginHost", "PluginState", "discover"]
