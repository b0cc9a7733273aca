from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole suites run when they are asked for (`make truth`), a part of them always."""
    if "truth" in (config.option.markexpr or ""):
        return
    long = [item for item in items if item.get_closest_marker("truth")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
