"""One channel to a fleet, with the rule for what is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from crossfleet.client.endpoint import Endpoint
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.retry import RetryBudget, RetryPolicy, retrying

Answer = TypeVar("Answer")


class Connection:
    """A channel and its budget of retries. `timeout` is the longest that one try may take, in seconds."""

    def __init__(self, channel: grpc.aio.Channel, *, timeout: float = 30.0, policy: RetryPolicy | None = None) -> None:
        self.channel = channel
        self.timeout = timeout
        self._policy = policy or RetryPolicy(attempts=6, first_delay=0.05, max_delay=2.0, deadline=60.0)
        self._budget = RetryBudget()

    @staticmethod
    def open(endpoint: Endpoint, *, timeout: float = 30.0) -> Connection:
        """A channel to `endpoint`; nothing is sent yet."""
        channel = open_channel(
            endpoint.address,
            token_file=endpoint.token_file,
            tls_authority=endpoint.tls_authority,
            tls_certificate=endpoint.tls_certificate,
            tls_key=endpoint.tls_key,
            insecure=endpoint.insecure,
        )
        return Connection(channel, timeout=timeout)

    async def call(self, attempt: Callable[[float], Awaitable[Answer]]) -> Answer:
        """The answer of `attempt(timeout)`, tried again while the fleet is away, within the budget.

        Raises the CrossfleetError that the fleet answered. Only idempotent calls may come here.
        """
        return await retrying(lambda: attempt(self.timeout), policy=self._policy, budget=self._budget)
