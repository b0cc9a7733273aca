"""What a run may have been meant to do otherwise, told when it is over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from crossfleet.api.types.v1 import device_pb2, result_pb2, run_pb2, suite_pb2
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

_ENDED = frozenset((result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FAILED))
_SECONDS = 2.0
_SPEAKS_OF_ONE = re.compile(r"gpu|cuda|rocm|\bhip\b|\bxpu\b|nvidia|accelerator", re.IGNORECASE)
_NO_WORK = frozenset(("lost", "unhealthy", "hidden", "quarantined"))


async def hint_of(client: Client, run: run_pb2.Run, cases: Sequence[result_pb2.CaseRecord]) -> str:
    """A line; empty where there is nothing to say."""
    return nothing_collected(run, cases) or await gpus_unasked(client, run, cases)


def nothing_collected(run: run_pb2.Run, cases: Sequence[result_pb2.CaseRecord]) -> str:
    """That a command left no JUnit files which could be read, although some were to be."""
    globs = run.spec.suite.junit_globs
    ended = all(case.outcome in _ENDED for case in cases)
    if not globs or not ended or len(cases) != len(run.targets):
        return ""
    return f"--collect-junit {' '.join(globs)}: the command wrote no such file with cases, so it is the only one itself"


async def gpus_unasked(client: Client, run: run_pb2.Run, cases: Sequence[result_pb2.CaseRecord]) -> str:
    """That the fleet has GPUs which the run did not ask for, where cases were skipped that speak of some.

    Empty where the fleet does not say so in a moment.
    """
    count = skipped_for_want(run, cases)
    if not count:
        return ""
    try:
        async with asyncio.timeout(_SECONDS):
            workers = [one.worker async for one in client.fleet.workers() if not one.has_left]
    except (CrossfleetError, TimeoutError):
        return ""
    gpus = sum(map(_gpus, workers))
    if not gpus:
        return ""
    told = f"{count} skipped case{' speaks' if count == 1 else 's speak'} of GPUs, and the fleet has {gpus}"
    return f"{told}: a slot sees those alone that its run asks for (--devices gpu)"


def skipped_for_want(run: run_pb2.Run, cases: Sequence[result_pb2.CaseRecord]) -> int:
    """Skipped cases whose reason speaks of GPUs, on targets that had none to see."""
    if run.spec.suite.sees_all_devices:
        return 0
    without = {one.name for one in run.spec.targets if not _asks(one)}
    return sum(
        case.outcome == result_pb2.OUTCOME_SKIPPED
        and case.target in without
        and bool(_SPEAKS_OF_ONE.search(case.message))
        for case in cases
    )


def _asks(target: suite_pb2.Target) -> bool:
    """Whether it asks for devices, of whichever class."""
    ways = [(target.selector, target.request.devices), *((one.selector, one.devices) for one in target.alternatives)]
    return any(devices or "device" in selector for selector, devices in ways)


def _gpus(worker: device_pb2.Worker) -> int:
    if worker.state == device_pb2.WORKER_STATE_LOST:
        return 0
    return sum(one.device_class == "gpu" and _NO_WORK.isdisjoint(one.conditions) for one in worker.devices)
