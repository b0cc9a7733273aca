from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes runs when it is asked for (`make truth`, `make faults`), a short form of it always."""
    asked = config.option.markexpr or ""
    unasked = [name for name in ("truth", "soak") if name not in asked]
    long = [item for item in items if any(map(item.get_closest_marker, unasked))]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
