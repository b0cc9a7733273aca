from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.settings import EtcdSettings
from tests.real.etcd_clusters import breakable, members, one, three

__all__ = ["breakable", "members", "one", "three"]

Opening = Callable[..., EtcdClient]


@pytest.fixture
async def opening() -> AsyncIterator[Opening]:
    """`opening(endpoints, user=...)` is a client that begins with the first endpoint and is closed after the test."""
    opened: list[EtcdClient] = []

    def opened_client(endpoints: str, **settings: str) -> EtcdClient:
        client = EtcdClient(
            EtcdSettings(endpoints=endpoints, **settings), attempt_seconds=0.5, call_seconds=2.0, draw=lambda: 0.0
        )
        opened.append(client)
        return client

    yield opened_client
    for client in opened:
        await client.close()
