"""Cgroups are used where they were handed over to us, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crossfleet.worker.shim.limits import Cgroup, Cgroups, delegated


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of files as a kernel with cgroup v2 shows it, with a unit whose subtree offers memory."""
    unit = tmp_path / "system.slice" / "crossfleet.service"
    (unit / "agent").mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (unit / "cgroup.subtree_control").write_text("cpu memory\n")
    (tmp_path / "membership").write_text("1:cpu:/other\n0::/system.slice/crossfleet.service/agent\n")
    return tmp_path


def test_a_subtree_that_systemd_keeps_for_itself_is_not_used(tree: Path) -> None:
    assert delegated(tree, tree / "membership") is None


def test_a_subtree_that_was_delegated_is_used(tree: Path) -> None:
    unit = tree / "system.slice" / "crossfleet.service"
    try:
        os.setxattr(unit, "user.delegate", b"1")
    except OSError:
        pytest.skip("this file system keeps no extended attributes")
    assert delegated(tree, tree / "membership") is not None
    (unit / "cgroup.subtree_control").write_text("cpu\n")
    assert delegated(tree, tree / "membership") is None


def test_without_cgroup_v2_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("4:memory:/x\n0::/\n")
    assert delegated(tmp_path, tmp_path / "membership") is None
    assert delegated(tmp_path, tmp_path / "nothing") is None


def test_a_group_that_the_kernel_refuses_leaves_nothing_behind(tree: Path) -> None:
    # A plain folder does not get the kernel's files, as a group without the memory controller does not.
    assert Cgroups(tree).confine("slot", os.getpid(), 1 << 30) is None
    assert not (tree / "slot").exists()


def test_a_kill_for_want_of_memory_is_read_from_the_events(tmp_path: Path) -> None:
    group = Cgroup(tmp_path)
    assert not group.ran_out()
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not group.ran_out()
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.ran_out()
