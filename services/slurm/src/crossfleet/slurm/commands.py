"""Slurm's commands as processes: their time is limited, their environment is chosen, their words are kept."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from crossfleet.slurm.core.listing import pilots
from crossfleet.slurm.core.pool import Order, Pilot
from crossfleet.slurm.jobs import Jobs

# sbatch hands its environment to the job, where others may read it: only what a login has, and where Slurm is.
_PASSED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "SHELL", "SLURM_CONF", "TZ", "USER")
_MOST_CHARACTERS = 300
_PREFIX = re.compile(r"^(sbatch|squeue|scancel): (error: )?", re.MULTILINE)


class CommandFailed(Exception):
    """A command of Slurm's failed; the text is its own words, as one line."""


class Slurm(Protocol):
    """What is asked of a cluster. Each raises CommandFailed."""

    async def list(self) -> list[Pilot]:
        """Our pilots."""

    async def submit(self, order: Order) -> str:
        """Submit a pilot; answers its job id."""

    async def cancel(self, jobs: Iterable[str]) -> None:
        """Cancel pilots that are still queued."""


class SlurmCommands:
    """A cluster by sbatch, squeue and scancel."""

    def __init__(self, jobs: Jobs, seconds: float, environment: Mapping[str, str]) -> None:
        """`seconds` limits each command; of `environment` only what a job may see is used."""
        self._jobs = jobs
        self._seconds = seconds
        self._environment = {name: environment[name] for name in _PASSED if name in environment}
        # An estimate that can be read without knowing the cluster's time zone.
        self._environment["SLURM_TIME_FORMAT"] = "%s"

    async def list(self) -> list[Pilot]:
        """By squeue."""
        return pilots(await self._run(self._jobs.listing(os.getuid())))

    async def submit(self, order: Order) -> str:
        """By sbatch. Where it failed a job may be there all the same: `list` shows it."""
        said = (await self._run(self._jobs.submission(order))).strip()
        job = said.partition(";")[0]  # --parsable: the id, and the cluster where there are several
        if not job.isdigit():
            raise CommandFailed(f"sbatch answered {said[:_MOST_CHARACTERS]!r}, which is no job id")
        return job

    async def cancel(self, jobs: Iterable[str]) -> None:
        """By scancel."""
        await self._run(self._jobs.cancellation(jobs))

    async def _run(self, command: Sequence[str]) -> str:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=self._environment
            )
        except OSError as error:
            raise CommandFailed(f"{command[0]} cannot be run: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._seconds):
                out, errors = await process.communicate()
        except TimeoutError:
            raise CommandFailed(f"{command[0]} did not answer within {self._seconds:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise CommandFailed(_one_line(errors) or f"{command[0]} ended with {process.returncode}")
        return out.decode(errors="replace")


def _one_line(errors: bytes) -> str:
    text = _PREFIX.sub("", errors.decode(errors="replace").strip())
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())[:_MOST_CHARACTERS]
