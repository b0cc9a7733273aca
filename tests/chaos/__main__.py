"""`python -m tests.chaos --minutes N | --kills N [--seed S] [--kinds KIND,...] [--cases N]`."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import random
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path

from tests.chaos.faults import KINDS
from tests.chaos.report import Report
from tests.chaos.running import Plan, chaos
from tests.faults.leftovers import kill_all, processes_of

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FOLDER = 50


def main() -> int:
    """Exit status 0 when nothing was lost, doubled or changed, and nobody was left over."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, help="for so long")
    parser.add_argument("--kills", type=int, help="until so many processes were killed; 6 where nothing is given")
    parser.add_argument("--seed", type=int, help="of the order of faults; by default another one each time")
    parser.add_argument("--kinds", default="", help="only these faults, commas between them")
    parser.add_argument("--cases", type=int, default=3000, help="of the suite, on each of two targets")
    parser.add_argument("--case-ms", type=float, default=10, help="how long a case takes on average")
    parser.add_argument("--overlapping", action="store_true", help="do not wait for the end of a fault elsewhere")
    parser.add_argument("--keep", metavar="FOLDER", help="leave logs and data in a folder below it; a short path")
    given = parser.parse_args()
    # Set before it is asked whether etcd is there.
    os.environ["PATH"] = os.pathsep.join([str(ROOT / ".tools/bin"), str(ROOT / ".venv/bin"), os.environ["PATH"]])
    try:
        plan = _plan(given)
    except ValueError as error:
        parser.error(str(error))
    # Whoever kills children leaves transports behind.
    warnings.filterwarnings("ignore", category=ResourceWarning)
    faulthandler.register(signal.SIGUSR1)
    print(f"seed {plan.seed}", flush=True)
    if given.keep:
        Path(given.keep).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=given.keep)).resolve()
        print(f"logs and data: {folder}", flush=True)
        return _carried_out(folder, plan)
    with tempfile.TemporaryDirectory(prefix="cf-chaos-", ignore_cleanup_errors=True) as name:
        return _carried_out(Path(name), plan)


def _plan(given: argparse.Namespace) -> Plan:
    """What was asked for. Raises ValueError that names the flag."""
    kinds = [kind.strip() for kind in given.kinds.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"--kinds: there is no {unknown[0]!r}; there are: {', '.join(KINDS)}")
    if not given.minutes and kinds and not any(KINDS[kind].kills for kind in kinds):
        raise ValueError("--kinds: none of them kills, so --minutes must say when it ends")
    if given.cases < 2 or given.case_ms <= 0:
        raise ValueError("--cases: two at least; --case-ms: above 0")
    if len(given.keep or "") > LONGEST_FOLDER:
        raise ValueError(f"--keep: at most {LONGEST_FOLDER} characters, as sockets lie below it")
    if not shutil.which("etcd"):
        raise ValueError("etcd is not here: tools/install_etcd brings it")
    return Plan(
        seed=random.randrange(1_000_000) if given.seed is None else given.seed,
        kills=given.kills if given.kills or given.minutes else 6,
        seconds=given.minutes * 60 if given.minutes else None,
        kinds=kinds,
        cases=given.cases,
        case_seconds=given.case_ms / 1000,
        overlapping=given.overlapping,
    )


def _carried_out(folder: Path, plan: Plan) -> int:
    """Answers the exit status. What an interrupted one has seen is shown too."""
    report = Report()
    try:
        asyncio.run(_interruptible(folder, plan, report))
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("interrupted; until then:", *report.lines(), sep="\n")
        return 128 + signal.SIGINT
    finally:
        kill_all(processes_of(folder))
    print(*report.lines(), sep="\n")
    return 0 if report.passed else 1


async def _interruptible(folder: Path, plan: Plan, report: Report) -> None:
    """SIGTERM ends it as an interrupt does: with the cluster."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await chaos(folder, plan, report, lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
