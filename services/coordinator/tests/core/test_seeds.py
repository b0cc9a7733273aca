"""Hash seeds of runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.seeds import Seeds, following


@given(st.lists(st.tuples(st.text(), st.sampled_from(["/a", "/b", "/c"])), max_size=30))
def test_each_run_has_the_seed_that_the_run_before_it_in_its_folder_has_told(runs: list[tuple[str, str]]) -> None:
    seeds = Seeds()
    last: dict[str, int] = {}
    for run_id, folder in runs:
        seed = seeds.draw(run_id, folder)
        if folder in last:
            assert seed == following(last[folder])
        last[folder] = seed


def test_runs_that_bring_their_files_have_nothing_in_common() -> None:
    seeds = Seeds()
    drawn = [seeds.draw(f"run-{number}", "") for number in range(100)]
    assert len(set(drawn)) == 100
    assert not set(map(following, drawn)) & set(drawn)


def test_seeds_of_one_folder_do_not_come_again() -> None:
    seeds = Seeds()
    drawn = [seeds.draw(f"run-{number}", "/a") for number in range(10_000)]
    assert len(set(drawn)) == 10_000
    assert all(0 < seed < 2**32 for seed in drawn)


def test_only_the_last_thousand_folders_are_remembered() -> None:
    seeds = Seeds()
    first = seeds.draw("one", "/first")
    for number in range(1_000):
        seeds.draw(f"run-{number}", f"/{number}")
    assert seeds.draw("two", "/first") != following(first)
