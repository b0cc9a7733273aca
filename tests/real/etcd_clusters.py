"""Clusters of etcd as fixtures: a conftest imports those that its tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import etcd


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, left alone by its tests."""
    with etcd.running(tmp_path_factory.mktemp("one")) as cluster:
        yield cluster


@pytest.fixture
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd.Cluster]:
    """An etcd of one node, to be broken or restarted."""
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
