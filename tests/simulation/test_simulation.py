"""The simulation on many seeds, that it repeats itself, and that it finds bugs which are planted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation import swarm
from tests.simulation.mutants import MUTANTS, planted
from tests.simulation.seeds import command, corpus, simulate
from tests.simulation.shrink import shrink

# Whoever dies leaves coroutines that were never begun.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

_SEEDS, _BLOCK = 300, 100
_MUTANT_SEEDS = 1000


def _failures(seeds: list[int]) -> list[str]:
    return [f"{command(seed)}\n  {violation}" for seed, violation, _ in swarm.failures(seeds)]


def test_seeds_that_found_a_bug_once_find_none_now():
    assert _failures(corpus()) == []


@pytest.mark.parametrize("first", range(0, _SEEDS, _BLOCK))
def test_no_seed_breaks_an_invariant_and_every_run_ends(first):
    assert _failures(list(range(first, first + _BLOCK))) == []


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(mutant):
    # A seed that is known to find it saves the others, while it does.
    known = [MUTANTS[mutant].seed]
    with planted(mutant):
        found = next((seed for seed in [*known, *range(_MUTANT_SEEDS)] if simulate(seed).violation), None)
    assert found is not None, f"{mutant} is not found within {_MUTANT_SEEDS} seeds"


def test_a_seed_repeats_itself_to_the_last_line_of_its_trace():
    first, second = simulate(7, trace=True), simulate(7, trace=True)
    assert first.trace == second.trace
    assert first.digest == second.digest == simulate(7).digest


def test_the_trace_does_not_depend_on_the_hash_seed():
    script = "from tests.simulation.seeds import simulate; print([simulate(seed).digest for seed in (3, 12)])"
    told = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, timeout=50
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert "[" in told.pop()


def test_every_kind_of_fact_is_seen_within_the_first_seeds():
    seen: set[str] = set()
    for seed in range(20):
        seen |= simulate(seed).seen.keys()
    wanted = {
        "AttemptsRevoked",
        "WorkerStateChanged",
        "WorkerGone",
        "RunStopping",
        "SlotsReleased",
        "AllocationClosed",
        "AttemptEnded",
        "CasesRerun",
        "CasesDue",
        "SlotsGivenBack",
    }
    assert wanted <= seen


def test_without_faults_no_worker_is_ever_suspected():
    result = simulate(0, only=[])
    assert not result.violation
    assert not {"WorkerStateChanged", "WorkerGone"} & result.seen.keys()


def test_a_shrinker_keeps_only_the_faults_that_matter():
    assert shrink(lambda only: {3, 8} <= set(only), 11) == [3, 8]
