"""What runs are made of: cases with durations and fates, and how each worker collects them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from random import Random

from crossfleet.api.types.v1.run_pb2 import RunSpec
from crossfleet.coordinator.core.commands import Need, PolicySpec, SubmitRun, TargetSpec
from crossfleet.coordinator.core.outcomes import RerunPlacement
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.submitting import case_digest
from crossfleet.matching.model import DeviceRequest, Preference, Request
from crossfleet.matching.template import Alternative, Past, Template, offer

PROJECT = "sim"
SEMAPHORE = "seats"
SEATS = 3
MEMORY = 4
LEFT = 'worker.labels["side"] == "left"'
_STRAGGLING = 0.25


@dataclass(slots=True)
class SimSuite:
    """Case ids with seconds and outcome each. `odd` are workers that collect other cases, in another order."""

    name: str
    runner: str
    cases: list[str]
    seconds: dict[str, float]
    outcomes: dict[str, str]
    flaky: frozenset[str] = frozenset()
    """Cases that fail, crash or pass by chance."""
    trouble: float = 0.0
    """How often an attempt ends for a cause of the infrastructure."""
    odd: dict[str, list[str]] = field(default_factory=dict)
    history: dict[str, float] = field(default_factory=dict)
    """What cases took in earlier runs, as far as anybody remembers; 0.0 where nobody does."""
    straggling: dict[str, float] = field(default_factory=dict)
    """Cases that take so many seconds more often than not."""

    def collection(self, worker: str) -> list[str]:
        """The ids as this worker numbers them."""
        return self.odd.get(worker, self.cases)

    def digest(self, worker: str) -> str:
        """Of that collection."""
        return case_digest(tuple(self.collection(worker)))


def make_suite(random: Random, number: int, workers: list[str], *, trouble: bool) -> SimSuite:
    """A suite of 8 to 50 cases."""
    cases = [f"t{number}/f{random.randrange(6)}.py::c{index}" for index in range(random.randint(8, 50))]
    cases.sort(key=lambda case: case.partition("::")[0])
    noop = random.random() < 0.2
    seconds = {case: min(random.expovariate(8.0) + 0.005, 3.0) for case in cases}
    kinds = ["passed"] * 20 + ["failed", "skipped", "crashed"]
    suite = SimSuite(
        f"suite{number}",
        "noop" if noop else "pytest",
        cases,
        seconds,
        {case: "passed" if noop else random.choice(kinds) for case in cases},
        trouble=0.05 if trouble else 0.0,
    )
    if not noop and random.random() < 0.3:
        other = [case for case in cases if random.random() < 0.95] or cases
        random.shuffle(other)
        suite.odd[random.choice(workers)] = other
    return suite


def make_stragglers(random: Random, suites: list[SimSuite]) -> bool:
    """In a quarter of the worlds some cases of each suite last much longer now and then, as if something hung. Says whether."""
    straggling = random.random() < _STRAGGLING
    for suite in suites if straggling else ():
        cases = random.sample(suite.cases, random.randint(1, 2))
        suite.straggling = {case: random.uniform(4.0, 8.0) for case in cases}
    return straggling


def with_speculation(random: Random, submission: SubmitRun) -> SubmitRun:
    """Most runs may execute some of their cases a second time."""
    return replace(submission, policy=replace(submission.policy, speculate=random.choice([0, 5, 100, 100])))


def with_classes(random: Random, submission: SubmitRun) -> SubmitRun:
    """Urgent runs take slots from the others; some have deadlines."""
    standing = PriorityClass("urgent", submission.priority, preempts=True)
    if not submission.priority:
        standing = PriorityClass("batch", 0, preemptible=True, grace=random.choice([None, 0.0, 0.3, 2.0]))
    due = random.choice([0.0, 0.0, 60.0, 100_000.0])
    return replace(submission, policy=replace(submission.policy, priority_class=standing, deadline_in=due))


def make_history(random: Random, suite: SimSuite) -> None:
    """Half of the suites, and all with stragglers, have run before: what is known of their cases is roughly right, and now and
    then quite wrong."""
    if random.random() < 0.5 and not suite.straggling:
        return
    for case in suite.cases:
        wrong = random.choice([0.0, 0.05, 20.0]) if random.random() < 0.1 else 1.0
        suite.history[case] = suite.seconds[case] * wrong * random.lognormvariate(0.0, 0.3)


def make_rerun_policy(random: Random, suite: SimSuite) -> PolicySpec:
    """Half of the runs run cases again; some of their suites' cases are flaky then."""
    if random.random() < 0.5:
        return PolicySpec()
    suite.flaky = frozenset(case for case in suite.cases if suite.runner == "pytest" and random.random() < 0.2)
    twin = Random()
    twin.setstate(random.getstate())  # What is drawn of it leaves all else of a seed as it was.
    return PolicySpec(
        max_reruns=random.choice([1, 2, 5]),
        rerun_placement=random.choice(list(RerunPlacement)),
        rerun_delay=random.choice([0.0, 0.0, 0.3, 2.0]),
        rerun_wait=twin.choice([0.0, 0.0, 0.5, 3.0]),
        other_model=twin.random() < 0.3,
    )


def with_dependencies(random: Random, submission: SubmitRun) -> SubmitRun:
    """Some targets need earlier ones of the run, some ask for a semaphore."""
    targets: list[TargetSpec] = []
    for target in submission.targets:
        earlier = [one.name for one in targets if random.random() < 0.4]
        needs = tuple(Need(name, passed=random.random() < 0.5) for name in earlier)
        each = random.choice([0, 0, 0, 1, 1, 2])
        request = replace(target.request, semaphores=((SEMAPHORE, each),)) if each else target.request
        targets.append(replace(target, request=request, needs=needs))
    return replace(submission, targets=tuple(targets))


def with_comparisons(random: Random, submission: SubmitRun, suite: SimSuite) -> SubmitRun:
    """Most targets run only when others have left something else; in most suites the cases pass."""
    if random.random() < 0.8:
        suite.outcomes = dict.fromkeys(suite.cases, "passed")
    targets: list[TargetSpec] = []
    for target in submission.targets:
        needs = [replace(need, changed=need.passed and random.random() < 0.8) for need in target.needs]
        if targets and not needs and random.random() < 0.8:
            needs = [Need(random.choice(targets).name, changed=True)]
        targets.append(replace(target, needs=tuple(needs)))
    policy = replace(submission.policy, unchanged_too=random.random() < 0.1)
    return replace(submission, targets=tuple(targets), policy=policy)


def with_places(random: Random, submission: SubmitRun) -> SubmitRun:
    """Some targets have alternatives, or keep to the hosts of others, or away from them, or from where they failed.

    Only the first is near to any: it can be wherever another one is.
    """
    targets: list[TargetSpec] = []
    names = [one.name for one in submission.targets]
    near_to = [one.name for one in submission.targets[1:] if not one.needs and random.random() < 0.3][:1]
    pairs = [pair for pair in combinations(names, 2) if random.random() < 0.3 and not (near_to and names[0] in pair)]
    for target in submission.targets:
        near = [] if targets else near_to
        apart = [one for pair in pairs if target.name in pair for one in pair if one != target.name]
        away = random.choice(["", "", "", "!(worker.host in history.failed_hosts)"])
        template = Template(
            target.selector,
            target.request.devices,
            (Preference(away),) if away else (),
            random.choice(
                [(), (), (Alternative(LEFT, random.choice([0.0, 0.5, 3.0])), Alternative("worker.slots > 0"))]
            ),
            tuple(near),
            tuple(apart),
        )
        if template.needed:
            request = replace(target.request, selector=target.selector)
            request = offer(template, request, range(len(template.alternatives)), Past())
            target = replace(target, selector=request.selector, request=request, template=template)
        targets.append(target)
    return replace(submission, targets=tuple(targets))


def with_whole_hosts(random: Random, submission: SubmitRun) -> SubmitRun:
    """Now and then a target wants its host alone: that of all workers here, which share one."""
    targets = (
        replace(one, request=replace(one.request, exclusive=random.random() < 0.1)) for one in submission.targets
    )
    return replace(submission, targets=tuple(targets))


def with_portions(random: Random, submission: SubmitRun) -> SubmitRun:
    """What wants a device mostly wants a part of its memory, and so do others now and then."""

    def part(one: DeviceRequest) -> DeviceRequest:
        amount = random.choice([0, 1, 1, 2, 3])
        return replace(one, capacities=(("memory", amount),)) if amount else one

    def parts(request: Request) -> Request:
        more = () if request.devices or random.random() < 0.4 else (DeviceRequest("gpu"),)
        return replace(request, devices=tuple(map(part, (*request.devices, *more))))

    targets = (replace(one, request=parts(one.request)) for one in submission.targets)
    return replace(submission, targets=tuple(targets))


def make_submission(random: Random, number: int, suite: SimSuite, reruns: PolicySpec) -> SubmitRun:
    """A run of that suite on one to three targets."""
    names = ["any", "left", "gpu"][: random.randint(1, 3)]
    spec = RunSpec(project=PROJECT)
    spec.suite.name, spec.suite.runner = suite.name, suite.runner
    spec.suite.arguments.append(suite.name)
    given = suite.runner == "noop"
    if given:
        spec.suite.cases.extend(suite.cases)
    targets = []
    for name in names:
        request = Request(slots_max=random.choice([0, 0, 1, 3]))
        selector = ""
        if name == "left":
            selector = LEFT
        if name == "gpu":
            request = Request(devices=(DeviceRequest("gpu", "", 1),))
        spec.targets.add(name=name, selector=selector)
        targets.append(TargetSpec(name, selector, request))
    policy = replace(
        reruns,
        max_failures=random.choice([0, 0, 0, 3]),
        max_cases_per_task=random.choice([0, 0, 1, 5]),
        max_attempts=random.choice([2, 3, 5]),
        unsatisfiable_wait=600.0,
    )
    return SubmitRun(
        request_id=f"request-{number}",
        fingerprint=f"print-{number}",
        run_id="",
        project=PROJECT,
        suite=suite.name,
        runner=suite.runner,
        priority=random.choice([0, 0, 5]),
        targets=tuple(targets),
        policy=policy,
        seed=7,
        spec=spec.SerializeToString(),
        cases=tuple(suite.cases) if given else (),
        estimates=tuple(map(suite.history.__getitem__, suite.cases)) if given and suite.history else (),
    )
