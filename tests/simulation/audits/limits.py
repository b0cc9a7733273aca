"""Nobody gets more than semaphores, quotas and reservations leave."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.quota import Quota, QuotaSet
from crossfleet.coordinator.core.reservation import Reservation, ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.semaphore import SemaphoreSet
from tests.simulation.audits.books import Audit, Books
from tests.simulation.suites import PROJECT


class Limits(Audit):
    """What an operator has limited: all that is simulated is of one project."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self.quota = Quota(PROJECT)
        self._capacities: dict[str, int] = {}
        self._reserved: dict[str, Reservation] = {}
        self._begun_runs: set[str] = set()

    def _AllocationOpened(self, event: e.AllocationOpened) -> None:
        self._check_semaphores(event)
        self._check_quota(event)
        others = [one.project for one in self._reserved.values() if event.worker_id in one.worker_ids]
        if any(project != PROJECT for project in others):
            self._wrong(f"{event.allocation_id} is on {event.worker_id}, which is reserved for {others}")

    def _check_semaphores(self, event: e.AllocationOpened) -> None:
        """There is enough of what a group holds."""
        groups = self._books.groups
        for name in groups[event.group_id].semaphores:
            held = sum(
                groups[one.group_id].semaphores.get(name, 0) * len(one.slots)
                for one in self._books.allocations.values()
            )
            if held > self._capacities.get(name, 0):
                self._wrong(f"{held} of {name} are held, there are {self._capacities.get(name, 0)}")

    def _check_quota(self, event: e.AllocationOpened) -> None:
        """A project gets nothing beyond its quota, whatever it held when that was lowered."""
        quota, held = self.quota, list(self._books.allocations.values())
        slots = sum(len(one.slots) for one in held)
        gpus = sum(len(ids) for one in held for ids in one.device_ids)
        if event.run_id not in self._begun_runs:
            self._begun_runs.add(event.run_id)
            begun = sum(self._books.runs[run_id] is None for run_id in self._begun_runs)
            if quota.runs is not None and begun > quota.runs:
                self._wrong(f"{begun} runs have begun, the quota is {quota.runs}")
        if quota.slots is not None and slots > quota.slots:
            self._wrong(f"{slots} slots are held, the quota is {quota.slots}")
        if any(event.device_ids) and gpus > dict(quota.devices).get("gpu", gpus):
            self._wrong(f"{gpus} devices are held, the quota is {quota.devices}")

    def _QuotaSet(self, event: QuotaSet) -> None:
        self.quota = event.quota

    def _SemaphoreSet(self, event: SemaphoreSet) -> None:
        self._capacities[event.name] = event.capacity

    def _ReservationChanged(self, event: ReservationChanged) -> None:
        self._reserved[event.reservation.reservation_id] = event.reservation

    def _ReservationEnded(self, event: ReservationEnded) -> None:
        del self._reserved[event.reservation_id]
