"""Lets a call in or not, before its handler sees anything of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from crossfleet.foundation.auth import Authenticator, acting_as
from crossfleet.foundation.interceptors.layers import Call

# A load balancer asks for health without a token; the answer tells nothing else.
_OPEN_SERVICES = frozenset({"grpc.health.v1.Health"})


class AccessLayer:
    """Asks the authenticator for each call except health; the handler finds the caller in `current_principal()`."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def __call__(self, call: Call) -> AbstractContextManager[None]:
        """Raises Unauthenticated or PermissionDenied on entry."""
        return self._admitted(call)

    @contextmanager
    def _admitted(self, call: Call) -> Iterator[None]:
        if call.service in _OPEN_SERVICES:
            yield
            return
        with acting_as(self._authenticator.authenticate(call.peer, call.metadata)):
            yield
