"""From an OpenAllocation to everything that the shim needs: environment, workspace, variables, folders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crossfleet.api.types.v1.device_pb2 import Device, DevicePortion
from crossfleet.api.worker.v1.worker_service_pb2 import OpenAllocation
from crossfleet.foundation.errors import FieldViolation, InvalidArgument
from crossfleet.worker import processenv
from crossfleet.worker.environment import Environments
from crossfleet.worker.runners.runner import Launch
from crossfleet.worker.translate import downward
from crossfleet.worker.translate.downward import Opening
from crossfleet.worker.workspace import Workspaces


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that every allocation gets: seconds and bytes, zero for none; and where the host's gauges are read."""

    collect_seconds: float
    grace_seconds: float
    output_bytes: int
    host_root: str = "/"


class Preparation:
    """Prepares allocations, one folder for each under `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        worker: str,
        base: Mapping[str, str],
        environments: Environments,
        workspaces: Workspaces,
        limits: Limits,
        embedded: bool = False,
    ) -> None:
        """`base` is the part of the worker's own environment that runners get."""
        self.folder = folder
        self._embedded = embedded
        self._worker = worker
        self._base = base
        self._environments = environments
        self._workspaces = workspaces
        self._limits = limits

    async def prepare(
        self, order: OpenAllocation, launch: Launch, devices: Mapping[str, Device], say: Callable[[str], None]
    ) -> Opening:
        """Build and lay out what the order names; `say` gets lines for the run's log.

        Raises CrossfleetError: what could not be had, and why.
        """
        place = self.place(order.allocation_id)
        tree = await self._workspaces.lay_out(order.workspace, place / "workspace", say)
        directory = below(tree, order.suite.root)
        interpreter = await self._environments.resolve(order.environment, say) if launch.needs_python else None
        artifacts = place / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        environment = processenv.of_allocation(
            self._base,
            order,
            worker=self._worker,
            artifacts=artifacts,
            programs=interpreter.programs if interpreter else None,
        )
        slots = self._slots(order, devices, artifacts)
        # Collection sees what the first slot sees: `skipif` reads the visible devices then.
        environment.update(self._visible(order, 0, devices))
        return Opening(
            allocation=order.allocation_id,
            runner=launch.shim_runner,
            arguments=launch.arguments,
            python=str(interpreter.python) if interpreter else "",
            as_module=order.suite.as_module,
            directory=str(directory),
            environment=environment,
            slot_environments=slots,
            artifacts=str(artifacts),
            memory_bytes=order.memory_limit_bytes,
            case_seconds=order.case_timeout_seconds,
            max_failures=order.max_failures,
            collect_seconds=self._limits.collect_seconds,
            grace_seconds=self._limits.grace_seconds,
            output_bytes=self._limits.output_bytes,
            junit_globs=tuple(order.suite.junit_globs),
            run=order.run_id,
            first_number=order.first_number,
            run_slots=order.run_slots,
            program=launch.program,
            next_seed=order.next_seed,
            gates=downward.gates(order, self._limits.host_root),
        )

    def place(self, allocation: str) -> Path:
        """The folder of an allocation; an id that is no safe file name is hashed."""
        safe = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", allocation)
        return self.folder / (allocation if safe else hashlib.sha256(allocation.encode()).hexdigest())

    def _slots(
        self, order: OpenAllocation, devices: Mapping[str, Device], artifacts: Path
    ) -> dict[int, dict[str, str]]:
        slots = {}
        for position, slot in enumerate(order.slots):
            own = artifacts / str(slot)
            own.mkdir(exist_ok=True)
            slots[slot] = {**processenv.of_slot(slot, own), **self._visible(order, position, devices)}
        return slots

    def _visible(self, order: OpenAllocation, position: int, devices: Mapping[str, Device]) -> dict[str, str]:
        """Variables by which a slot sees its devices alone, but for a run that is to see all that its user's shell sees; and how
        much it may use of those that it shares."""
        granted = _granted(order, position, devices)
        amounts = processenv.amounts(granted, _portions(order, position))
        if self._embedded and order.suite.sees_all_devices:
            return amounts
        return {**processenv.visible(granted), **amounts}


def below(tree: Path, root: str) -> Path:
    """The folder `root` of a workspace. Raises InvalidArgument when it leaves the workspace or is not there."""
    parts = PurePosixPath(root).parts
    if PurePosixPath(root).is_absolute() or ".." in parts:
        raise InvalidArgument(
            "the suite's root is not inside its workspace",
            fields=[FieldViolation("suite.root", f"{root!r} must be relative, without '..'")],
        )
    folder = tree.joinpath(*parts)
    if not folder.is_dir():
        raise InvalidArgument(
            "the suite's root does not exist",
            fields=[FieldViolation("suite.root", f"there is no folder {root!r} in the workspace")],
        )
    return folder


def _portions(order: OpenAllocation, position: int) -> Sequence[DevicePortion]:
    return order.devices[position].portions if position < len(order.devices) else ()


def _granted(order: OpenAllocation, position: int, devices: Mapping[str, Device]) -> list[Device]:
    if position >= len(order.devices):
        return []
    return [devices[name] for name in order.devices[position].device_ids if name in devices]
