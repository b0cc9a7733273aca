from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from crossfleet.coordinator.election.etcd import EtcdElection, open_election
from crossfleet.foundation.etcd.settings import EtcdSettings
from tests.real.etcd_clusters import breakable, members, one, three

__all__ = ["breakable", "members", "one", "three"]

Standing = Callable[..., Awaitable[EtcdElection]]


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
