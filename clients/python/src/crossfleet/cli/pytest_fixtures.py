"""A pytest plugin: the fixture `once_per_host` where pytest runs by itself. A fleet brings its own to each slot."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

OncePerHost = Callable[..., Any]


@pytest.fixture(scope="session")
def once_per_host() -> Iterator[OncePerHost]:
    """Call it as `once_per_host(key, make)`: what `make` returns or yields, made once and ended with the session."""
    made: dict[str, Any] = {}
    with ExitStack() as ends:

        def once(key: str, make: Callable[[], Any], seconds: float = 0.0) -> Any:
            if key not in made:
                value = ends.enter_context(contextmanager(make)()) if inspect.isgeneratorfunction(make) else make()
                made[key] = json.loads(json.dumps(value))  # as it would come from another process
            return made[key]

        yield once
