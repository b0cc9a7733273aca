from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.settings import EtcdSettings
from tests.real import etcd

Opening = Callable[..., EtcdClient]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, left alone by its tests."""
    with etcd.running(tmp_path_factory.mktemp("one")) as cluster:
        yield cluster


@pytest.fixture
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, to be restarted."""
    with etcd.running(tmp_path_factory.mktemp("breakable")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    with etcd.running(tmp_path_factory.mktemp("three"), nodes=3) as cluster:
        yield cluster


@pytest.fixture
def three(members: etcd.Cluster) -> Iterator[etcd.Cluster]:
    """An etcd of three nodes, to be broken; it is mended after each test."""
    yield members
    members.mend()


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
