"""The live state of a fleet: unfinished runs, their groups, allocations and attempts, and the workers.

Only `evolve` changes these records; everything else reads them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import PolicySpec, TargetSpec
from crossfleet.coordinator.core.events import FinishedCase
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.levelling import Load
from crossfleet.coordinator.core.outcomes import Ending, GroupState, Outcome, RunState, RunVerdict, WorkerState
from crossfleet.coordinator.core.override import Override
from crossfleet.coordinator.core.pace import Pace
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.product import Product
from crossfleet.coordinator.core.proof import Proofs
from crossfleet.coordinator.core.queue import CaseQueue
from crossfleet.coordinator.core.quota import NO_LIMIT, Quota, Takes, Tally
from crossfleet.coordinator.core.reservation import Reservation
from crossfleet.coordinator.core.schedule import Schedule
from crossfleet.coordinator.core.search import Search
from crossfleet.coordinator.core.semaphore import Semaphore
from crossfleet.coordinator.core.shown import Shown
from crossfleet.coordinator.core.slot_numbers import SlotNumbers
from crossfleet.coordinator.core.warmth import Warmth
from crossfleet.coordinator.core.whereabouts import Whereabouts
from crossfleet.matching.deadlines import counts_from
from crossfleet.matching.model import Portions, Request, WorkerView
from crossfleet.matching.portions import together
from crossfleet.matching.selectors import Selectors

OUTCOMES = len(Outcome)

# Attempts whose late results are answered as stale; older ones are only ignored.
_REMEMBERED_REVOKED = 20_000


@dataclass(slots=True)
class Slot:
    """One slot of an allocation. `attempts` in the order of execution, at most two.

    `last_case` is the last that it was given, -1 before any. Slots of one host have one `pace` where durations are known, unless
    each has devices of its own: what else differs between them is luck. Where they are not known, a slot that is slow has long
    cases, and should get fewer.
    `heard_at`, in unix seconds: when it was given something while it had nothing, or last showed a result.
    """

    number: int
    pace: Pace = field(default_factory=Pace)
    attempts: list[int] = field(default_factory=list)
    wanting: bool = False
    last_case: int = -1
    heard_at: float = 0.0


@dataclass(slots=True)
class Allocation:
    """Slots of one worker held for a group, from AllocationOpened to AllocationClosed.

    `mapping[local]` is the canonical index of the worker's own case number `local` (-1: unknown to the group), empty
    when both number alike; `local_of` is its inverse. `first_number` is the number of its first slot in the run.
    `proved`: a case has shown something there; `broken`: an attempt has ended there for a cause of the infrastructure.
    `slots` are those that work for the group, and `device_ids[i]` belongs to the i-th of them. `leaving` are given back singly,
    with their devices: nobody else may get them yet. `gone` were. `takes` says by class how many devices each slot takes: what
    counts toward quotas. `served`: for how many seconds in sum those that are gone were held. `portions` has by slot what is
    taken of devices that others may use too; all others are taken whole. `models` are those of a slot's
    devices, by its number.
    """

    allocation_id: str
    run_id: str
    group_id: str
    worker_id: str
    request: Request
    slots: dict[int, Slot]
    device_ids: tuple[tuple[str, ...], ...]
    cpu_cores: float
    opened_at: float
    ready: bool = False
    closing: bool = False
    cause: str = ""
    live: int = 0
    mapping: tuple[int, ...] = ()
    local_of: dict[int, int] | None = None
    first_number: int = 0
    canary: bool = False
    proved: bool = False
    broken: bool = False
    leaving: dict[int, tuple[str, ...]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    takes: Takes = ()
    served: float = 0.0
    portions: dict[int, Portions] = field(default_factory=dict)
    models: dict[int, frozenset[str]] = field(default_factory=dict)

    @property
    def held(self) -> tuple[int, ...]:
        """The slots that it keeps from others, whether it uses them or not."""
        return (*self.slots, *self.leaving)

    @property
    def held_devices(self) -> tuple[str, ...]:
        """The devices that it keeps from others, each once."""
        return tuple(dict.fromkeys(one for ids in (*self.device_ids, *self.leaving.values()) for one in ids))

    @property
    def held_portions(self) -> Portions:
        """What of that it does not keep whole."""
        return together(one for slot in self.portions.values() for one in slot) if self.portions else ()

    @property
    def next_number(self) -> int:
        """The first number behind those of its slots in the run. What was given back keeps its number until the end."""
        return self.first_number + len(self.slots) + len(self.leaving) + len(self.gone)


@dataclass(slots=True)
class Attempt:
    """A live attempt. `pending` are its cases without a verdict, `seconds` what these are estimated to take.

    `copy`: it executes one case a second time, which is also in another attempt.
    """

    attempt_id: int
    task_id: int
    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    slot: int
    cases: tuple[int, ...]
    pending: set[int]
    assigned_at: float
    settled: int = 0
    seconds: float = 0.0
    copy: bool = False


@dataclass(slots=True)
class Reckoned:
    """What the dispatcher found when it last looked at all slots of a group: a memory, not a fact.

    Their number, the sum of their speeds, and their `loads` from then on; how many were `given` something since the end was
    reckoned. `end` is when all would be done (0: not reckoned), `level` if all could be divided, `soonest` when the `longest`
    that must stay whole could be. It holds from `since` to `until`. Times are in unix seconds.
    """

    slots: int = 0
    speed: float = 0.0
    loads: dict[tuple[str, int], Load] = field(default_factory=dict)
    given: int = 0
    end: float = 0.0
    level: float = 0.0
    longest: float = 0.0
    soonest: float = 0.0
    since: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class Group:
    """The tasks of one run with one target. Each case without a verdict is in the queue, rests, or is in one live attempt.

    `tries` counts what infrastructure has cost a case, `struck` names the workers on which it was executing when they were
    lost. `held_back`: what keeps it from schedulers (`needs`, `semaphore`, `quota`), or empty; `said` is then why it waited before,
    code and text. `allowance`: the most slots that its project's quota leaves to it, behind others. `under_fallback`: another scheduler stands in for its own. `marks` says how
    often a case may be run again, `earlier` has the failures of cases that are to be, `resting` the unix seconds at which they
    are pending again. `failed_models` are those of the devices on which such cases failed, `sought` says which pending ones wait
    for a place elsewhere. `measures`: some of its cases are exclusive. `whereabouts` is kept where somebody's request depends on it;
    `target` is then what is asked for as it stands now. `renumbered` are those of its allocations whose workers number their
    cases in another way.
    `limits` are time limits of cases, learnt from earlier runs; 0.0: none. `unmeasured` are cases whose estimate is a guess,
    `shown` what cases have shown beside their estimates.
    `copies` has the live copy of a case, `copied` all that ever had one.
    `product` is kept where others compare it. `inputs` is a digest of what it compares itself, empty where that cannot be, None while
    it is not known; `comparison` says why it runs all the same. It was skipped since it passed with the same in `unchanged_since`.
    """

    group_id: str
    run_id: str
    target: TargetSpec
    position: int
    state: GroupState = GroupState.WAITING
    digest: str = ""
    collected: bool = False
    given: bool = False
    deselected: int = 0
    cases: tuple[CollectedCase, ...] = ()
    added: dict[str, int] = field(default_factory=dict)
    outcomes: bytearray = field(default_factory=bytearray)
    seconds: array[float] = field(default_factory=lambda: array("d"))
    tries: dict[int, int] = field(default_factory=dict)
    struck: dict[int, tuple[str, ...]] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    earlier: dict[int, list[FinishedCase]] = field(default_factory=dict)
    resting: dict[int, float] = field(default_factory=dict)
    failed_models: dict[int, frozenset[str]] = field(default_factory=dict)
    sought: Search = field(default_factory=Search)
    counts: list[int] = field(default_factory=lambda: [0] * OUTCOMES)
    queue: CaseQueue = field(default_factory=CaseQueue)
    estimates_known: bool = False
    unmeasured: frozenset[int] = frozenset()
    shown: Shown = field(default_factory=Shown)
    limits: tuple[float, ...] = ()
    copies: dict[int, int] = field(default_factory=dict)
    copied: set[int] = field(default_factory=set)
    measures: bool = False
    attempts: set[int] = field(default_factory=set)
    allocations: set[str] = field(default_factory=set)
    renumbered: set[str] = field(default_factory=set)
    ever_allocated: bool = False
    failures: int = 0
    avoid: set[str] = field(default_factory=set)
    waiting_code: str = ""
    waiting_text: str = ""
    never: bool = False
    never_since: float = 0.0
    cause: str = ""
    cause_details: str = ""
    ending: Ending = Ending.UNSPECIFIED
    infrastructure: bool = False
    held_back: str = ""
    said: tuple[str, str] = field(default=("", ""), repr=False)
    skipped: bool = False
    product: Product | None = None
    inputs: str | None = None
    comparison: str = ""
    unchanged_since: str = ""
    reckoned: Reckoned = field(default_factory=Reckoned, repr=False, compare=False)
    under_fallback: bool = False
    whereabouts: Whereabouts | None = None
    allowance: int = field(default=NO_LIMIT, repr=False, compare=False)

    def hold_back(self, by: str, text: str) -> None:
        """It is not offered to schedulers, or with an empty `by` is again.

        One that is offered again at once is no news to its scheduler, which does not repeat why it waits.
        """
        if by and not self.held_back:
            self.said = self.waiting_code, self.waiting_text
        self.waiting_code, self.waiting_text = (by, text) if by else self.said
        self.held_back = by
        self.never = False
        self.never_since = 0.0

    def suite(self, run: Run) -> tuple[str, str, str]:
        """What it tests: project, suite and runner kind; that of its run, unless its target has one of its own."""
        return run.project, self.target.suite or run.suite, self.target.request.runner or run.runner

    @property
    def over(self) -> bool:
        """Whether it has reached its end."""
        return self.state >= GroupState.FINISHED

    @property
    def open_cases(self) -> int:
        """Cases without a verdict."""
        return self.counts[Outcome.PENDING]

    @property
    def any_measured(self) -> bool:
        """Whether an estimate is more than a guess."""
        return self.estimates_known or bool(self.unmeasured)

    def measured(self, index: int) -> bool:
        """Whether the estimate of a case is more than a guess."""
        return self.any_measured and index not in self.unmeasured

    def limit(self, index: int) -> float:
        """The learnt time limit of a case in seconds; 0.0: it has none."""
        return self.limits[index] if index < len(self.limits) else 0.0

    def case_id(self, index: int) -> str:
        """Id of a case, collected or added. Raises IndexError."""
        if index < len(self.cases):
            return self.cases[index].case_id
        return list(self.added)[index - len(self.cases)]


@dataclass(slots=True)
class Run:
    """A run that is not over, or whose allocations are still being given back. `measures`: so does a group of it.

    `shifting`: some of its groups ask for what depends on where others are, or on time.
    `numbers` are those of the slots that are held for it.
    """

    run_id: str
    request_id: str
    fingerprint: str
    project: str
    suite: str
    runner: str
    priority: int
    policy: PolicySpec
    seed: int
    spec: bytes
    traceparent: str
    created_at: float
    groups: tuple[str, ...]
    state: RunState = RunState.QUEUED
    verdict: RunVerdict = RunVerdict.NONE
    cause: str = ""
    cancelled: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    failures: int = 0
    measures: bool = False
    shifting: bool = False
    allocations: set[str] = field(default_factory=set)
    numbers: SlotNumbers = field(default_factory=SlotNumbers)

    @property
    def deadline(self) -> float:
        """When it should have ended, in unix seconds; infinite where nobody said."""
        return self.policy.due(self.created_at)

    @property
    def turn(self) -> tuple[int, float]:
        """What decides whose turn it is within a project, the smallest first: priority, then age or deadline."""
        return -self.priority, counts_from(self.created_at, self.deadline)

    @property
    def forgettable(self) -> bool:
        """Finished, and nothing of the fleet is held for it any more."""
        return self.state is RunState.FINISHED and not self.allocations


@dataclass(slots=True)
class Worker:
    """A worker that joined once. `session_id` is empty while it has no session since the coordinator started.

    `drained`: a person has ordered that. `leaving`: it says so of itself, which ends with its incarnation. `gone_at`: when it
    was lost, in unix seconds, 0.0 while it is not; `has_left`: in good order.
    `health` has what is known of the host (under the empty name) and of its devices, `overrides` what people say of these.
    `reported` is what the worker says of itself, `view` what follows from all three.
    `gives_back_slots`: single ones of an allocation.
    """

    worker_id: str
    incarnation: str
    session_id: str
    view: WorkerView
    runners: tuple[str, ...]
    description: bytes
    state: WorkerState
    drained: bool = False
    cause: str = ""
    joined_at: float = 0.0
    allocations: set[str] = field(default_factory=set)
    checks_health: bool = False
    health: dict[str, Health] = field(default_factory=dict)
    leaving: bool = False
    overrides: dict[str, Override] = field(default_factory=dict)
    reported: WorkerView = field(default_factory=lambda: WorkerView(""))
    gives_back_slots: bool = False
    gone_at: float = 0.0
    has_left: bool = False

    @property
    def ending(self) -> bool:
        """Whether it gets nothing new, by anybody's wish."""
        return self.drained or self.leaving

    @property
    def quarantined(self) -> bool:
        """Whether the host is out."""
        host = self.health.get("")
        return host is not None and host.out

    @property
    def standing(self) -> WorkerState:
        """The state in which it is while it is heard."""
        if self.ending:
            return WorkerState.DRAINING
        return WorkerState.QUARANTINED if self.quarantined else WorkerState.READY


@dataclass(slots=True)
class State:
    """Everything that is decided on. Counters are the next free numbers; `requests` maps request id to (run, fingerprint).

    `sharing` has the groups that are not over and ask for semaphores, in the order of submission. `hosts` has the workers
    that said to be on a host, by its name; some of them may be elsewhere by now. `quotas` and
    `tallies` are by project; the latter of each that has something. `preempted` has the unix seconds until which allocations that
    were taken back may go on.
    """

    next_attempt: int = 1
    next_task: int = 1
    next_allocation: int = 1
    runs: dict[str, Run] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    hosts: dict[str, dict[str, None]] = field(default_factory=dict, repr=False, compare=False)
    requests: dict[str, tuple[str, str]] = field(default_factory=dict)
    past_runs: set[str] = field(default_factory=set)
    revoked: dict[int, str] = field(default_factory=dict)
    semaphores: dict[str, Semaphore] = field(default_factory=dict)
    sharing: dict[str, None] = field(default_factory=dict)
    priority_classes: dict[str, PriorityClass] = field(default_factory=dict)
    preempted: dict[str, float] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)
    proofs: Proofs = field(default_factory=Proofs)
    tallies: dict[str, Tally] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    schedule_specs: dict[str, bytes] = field(default_factory=dict)
    selectors: Selectors = field(default_factory=Selectors, repr=False, compare=False)
    """Compiled selectors: a memory, not a fact."""
    warmth: Warmth = field(default_factory=Warmth, repr=False, compare=False)

    def take_in(self, worker: Worker) -> None:
        """Know a worker, in the place of what was known of it."""
        self.workers[worker.worker_id] = worker
        if worker.view.host:
            self.hosts.setdefault(worker.view.host, {})[worker.worker_id] = None

    def drop(self, worker_id: str) -> None:
        """Know a worker no longer."""
        host = self.workers.pop(worker_id).view.host
        names = self.hosts.get(host, {})
        names.pop(worker_id, None)
        if not names:
            self.hosts.pop(host, None)

    def neighbours(self, worker: Worker) -> list[Worker]:
        """The other workers of its host, whatever their state; none where it does not say on which it is."""
        host, found = worker.view.host, list[Worker]()
        names = self.hosts.get(host, {})
        if len(names) > 1:
            for name in list(names):
                other = self.workers.get(name)
                if other is None or other.view.host != host:
                    del names[name]
                elif name != worker.worker_id:
                    found.append(other)
        return found

    def remember_revoked(self, attempt_id: int, worker_id: str) -> None:
        """Note that results of an attempt no longer count; the oldest notes are dropped."""
        self.revoked[attempt_id] = worker_id
        if len(self.revoked) > _REMEMBERED_REVOKED:
            del self.revoked[next(iter(self.revoked))]

    def forget(self, run_id: str) -> None:
        """Drop a forgettable run; SQL still has it."""
        run = self.runs.pop(run_id)
        for group_id in run.groups:
            del self.groups[group_id]
        self.past_runs.add(run_id)
