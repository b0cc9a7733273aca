from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from crossfleet.coordinator.election.etcd import EtcdElection, open_election
from crossfleet.foundation.etcd.settings import EtcdSettings
from tests.real import etcd

Standing = Callable[..., Awaitable[EtcdElection]]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, left alone by its tests."""
    with etcd.running(tmp_path_factory.mktemp("one")) as cluster:
        yield cluster


@pytest.fixture
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, to be broken."""
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


_numbers = itertools.count()


@pytest.fixture
async def standing() -> AsyncIterator[Standing]:
    """`await standing(endpoints)` is one coordinator's view of an election of this test alone."""
    opened: list[EtcdElection] = []
    name = f"test-{next(_numbers)}"

    async def stand(endpoints: str, *, lease: float = 1.0) -> EtcdElection:
        election = await open_election(EtcdSettings(endpoints=endpoints), name, lease)
        opened.append(election)
        return election

    yield stand
    for election in opened:
        await election.close()
