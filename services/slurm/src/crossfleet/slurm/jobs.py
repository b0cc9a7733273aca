"""A pilot as sbatch takes it: lists of words, never a line for a shell."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossfleet.slurm.core.listing import FORMAT, comment
from crossfleet.slurm.core.pool import Order, Pool
from crossfleet.slurm.core.shaping import cpus

SCRIPT = Path(__file__).with_name("pilot.sh")
HERE = (sys.executable, "-P", "-m", "crossfleet.worker")
"""The worker of this installation, for clusters on whose nodes it has the same path."""
_MIB = 1024 * 1024
# For the agent, its shim and the process that imports the suite, beside what slots were promised.
_WORKER_BYTES = 512 * _MIB


@dataclass(frozen=True, slots=True)
class Jobs:
    """Writes commands. Paths and addresses are as the nodes see them; seconds where it says so."""

    name: str
    pools: Mapping[str, Pool]
    coordinator: str
    worker: tuple[str, ...] = HERE
    token_file: str = ""
    authority: str = ""
    insecure: bool = False
    idle_seconds: float = 60.0
    leave_seconds: int = 120
    logs: str = "/"
    cache: str = ""

    def listing(self, user: int) -> list[str]:
        """Lists our jobs, those of the last minutes that have ended too."""
        return ["squeue", "--noheader", f"--user={user}", f"--name={self.name}", "--states=all", f"--format={FORMAT}"]

    def submission(self, order: Order) -> list[str]:
        """Submits a pilot, and prints its id."""
        return ["sbatch", *self._options(order), str(SCRIPT), *self._worker(order)]

    def cancellation(self, jobs: Iterable[str]) -> list[str]:
        """Cancels jobs, but for those that have begun meanwhile: they leave by themselves."""
        return ["scancel", "--state=PENDING", *jobs]

    def _options(self, order: Order) -> list[str]:
        shape, pool = order.shape, self.pools[order.shape.pool]
        said = {
            "--job-name": self.name,
            "--comment": comment(order),
            "--nodes": "1",
            "--ntasks": "1",
            "--cpus-per-task": str(cpus(shape, order.slots)),
            "--chdir": "/",
            "--output": f"{self.logs}/%x-%j.log",
            "--signal": f"B:USR1@{self.leave_seconds}",
            "--partition": pool.partition,
            "--constraint": pool.constraint,
            "--time": str(pool.minutes) if pool.minutes else "",
            "--gres": ",".join(f"{pool.gres[kind]}:{count * order.slots}" for kind, count in shape.devices),
            "--mem": f"{-(-_memory(order) // _MIB) + _WORKER_BYTES // _MIB}M" if shape.memory_bytes else "",
        }
        flags = ["--parsable", "--no-requeue", *(["--exclusive"] if shape.exclusive else [])]
        return [*flags, *(f"{option}={value}" for option, value in said.items() if value), *pool.options]

    def _worker(self, order: Order) -> list[str]:
        pool = self.pools[order.shape.pool]
        labels = {**pool.labels, "pool": pool.name}
        said = {
            "--coordinator": self.coordinator,
            "--token-file": self.token_file,
            "--coordinator-authority": self.authority,
            "--slots": str(order.slots),
            "--cpu-cores": str(cpus(order.shape, order.slots)),
            "--memory": str(_memory(order) or ""),
            "--cache": self.cache,
            "--idle-exit-seconds": f"{self.idle_seconds:g}",
            "--drain-seconds": f"{self.leave_seconds * 3 / 4:g}",
        }
        words = [word for option, value in said.items() if value for word in (option, value)]
        words += [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        words += [word for taint in pool.taints for word in ("--taint", taint)]
        return [*self.worker, *words, *(["--coordinator-insecure"] if self.insecure else [])]


def _memory(order: Order) -> int:
    return order.shape.memory_bytes * order.slots
