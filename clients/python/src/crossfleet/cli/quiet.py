"""Keeps gRPC's own log lines off the terminal, without a trace in the environment that suites get."""

from __future__ import annotations

import os
from collections.abc import Mapping

_NAME = "GRPC_VERBOSITY"
_set_here: list[str] = []


def quiet_grpc() -> None:
    """Lets gRPC log errors alone in this process, unless GRPC_VERBOSITY says otherwise. Call it before gRPC starts."""
    if _NAME not in os.environ:
        os.environ[_NAME] = "ERROR"
        _set_here.append(_NAME)


def callers_environment() -> Mapping[str, str]:
    """The environment that this process was started with."""
    return {key: value for key, value in os.environ.items() if key not in _set_here}
