"""`python -m tests.simulation --seeds 0:200 [--shrink] | --seed N [--faults 1,4] [--trace]`."""

from __future__ import annotations

import argparse
import functools
import sys
import time
import warnings

from tests.simulation import mutants, swarm
from tests.simulation.seeds import command, simulate
from tests.simulation.shrink import shrink
from tests.simulation.world import Result


def main() -> int:
    """Exit status 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="FIRST:END")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--faults", help="numbers of the faults to keep, or none")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--processes", type=int, default=0, help="as many as there are cores by default")
    parser.add_argument("--mutant", default="", choices=["", *mutants.MUTANTS])
    arguments = parser.parse_args()
    # Whoever dies leaves coroutines that were never begun.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    with mutants.planted(arguments.mutant):
        if arguments.seed is not None:
            only = _numbers(arguments.faults)
            result = simulate(arguments.seed, only=only, trace=arguments.trace)
            print("\n".join(result.trace))
            _tell(result)
            return bool(result.violation)
        return _many(arguments)


def _many(arguments: argparse.Namespace) -> int:
    first, _, end = arguments.seeds.partition(":")
    seeds = range(int(first), int(end))
    began, failed = time.perf_counter(), 0
    for seed, violation, faults in swarm.failures(seeds, arguments.processes):
        failed += 1
        print(f"seed {seed}: {violation}\n  {command(seed, mutant=arguments.mutant)}", flush=True)
        if arguments.shrink:
            kept = shrink(functools.partial(_fails, seed), faults)
            print(f"  shrunk: {command(seed, kept, arguments.mutant)}", flush=True)
        if not arguments.keep_going:
            return 1
    took = time.perf_counter() - began
    print(f"{len(seeds)} seeds, {failed} failed, {took:.0f} s, {took / max(len(seeds), 1):.3f} s a seed")
    return bool(failed)


def _fails(seed: int, only: list[int]) -> bool:
    return bool(simulate(seed, only=only).violation)


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    return [] if text == "none" else [int(number) for number in text.split(",")]


def _tell(result: Result) -> None:
    for number, fault in enumerate(result.faults):
        print(f"fault {number}: {fault}")
    print(f"{result.seconds:.1f} simulated seconds, {result.steps} steps, trace {result.digest[:16]}")
    print(dict(sorted(result.seen.items())))
    print(f"seed {result.seed}: {result.violation or 'all is well'}")


if __name__ == "__main__":
    sys.exit(main())
