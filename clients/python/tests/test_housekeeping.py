"""Where artifacts are written, and what is cleaned."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact
from crossfleet.cli.commands.artifacts import landing
from crossfleet.cli.exits import UsageError
from crossfleet.cli.housekeeping.caches import Entry, choose, entries


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_an_artifact_is_never_written_outside(name: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        landing(Path("into"), Artifact(target="t", name=name))
    assert landing(Path("into"), Artifact(name="a/b")) == Path("into/run/a/b")


@pytest.mark.parametrize("target", ["/etc", "..", "a/../.."])
def test_an_artifact_of_a_target_that_leads_elsewhere_is_not_written(target: str) -> None:
    with pytest.raises(UsageError, match="outside of into"):
        landing(Path("into"), Artifact(target=target, name="x"))


sizes = st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1000)), max_size=30)


@given(sizes, st.none() | st.floats(0, 1000), st.none() | st.integers(0, 2000))
def test_cleaning_takes_the_longest_unused_until_little_is_left(
    found: list[tuple[int, float]], older: float | None, larger: int | None
) -> None:
    all_entries = [Entry("log", str(index), size, used) for index, (size, used) in enumerate(found)]
    gone = choose(all_entries, 1000.0, older, larger)
    kept = [entry for entry in all_entries if entry not in gone]
    if older is not None:
        assert all(1000.0 - entry.used_at <= older for entry in kept)
    if larger is not None:
        assert sum(entry.size_bytes for entry in kept) <= larger
    assert all(a.used_at <= b.used_at for a in gone for b in kept)
    if older is None and larger is None:
        assert not kept


def test_what_can_be_cleaned_leaves_results_alone(tmp_path: Path) -> None:
    for name in ("ledger.sqlite", "logs/local.log", "logs/runs/run-1/x", "cache/environments/e1/bin", "token"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {(entry.kind, Path(entry.path).name) for entry in entries(str(tmp_path))}
    assert found == {("log", "local.log"), ("run log", "run-1"), ("environment", "e1")}
