"""Says clause by clause why a request fits no worker of a fleet, and what came nearest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.classes import misspelt_classes
from crossfleet.matching.comparisons import facts
from crossfleet.matching.fit import Eligible, eligible, place
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Device, Request, WorkerState, WorkerView
from crossfleet.matching.portions import selector_of
from crossfleet.matching.selectors import Selectors

_MAX_MISSES = 3
_Candidate = tuple[tuple[int, int], WorkerView, Device | None, list[Selector]]
_RANK = {code: rank for rank, code in enumerate(Code)}


@dataclass(frozen=True)
class ClauseCount:
    """How many of the devices (or workers, for a clause that speaks of none) pass one clause alone.

    ``nearest``: what fails it and else the fewest clauses, with the values that make it fail; empty where it was not asked for.
    """

    text: str
    passed: int
    total: int
    of_devices: bool
    missing: tuple[str, ...] = ()
    nearest: str = ""

    def __str__(self) -> str:
        """``device.class == "gpu" holds on 0 of 3 devices``."""
        what = "device" if self.of_devices else "worker"
        lacking = f" (missing: {', '.join(self.missing)})" if self.missing else ""
        return f"{self.text} holds on {self.passed} of {self.total} {what}{'' if self.total == 1 else 's'}{lacking}"


@dataclass(frozen=True)
class Explanation:
    """Whether a request can ever fit this fleet, the reason, and the counts behind it.

    ``workers``: the names of the workers that satisfy it when idle, whatever their state.
    """

    wait: Wait
    code: Code
    text: str
    workers: tuple[str, ...] = ()
    clauses: tuple[ClauseCount, ...] = ()
    misses: tuple[str, ...] = ()


def explain(
    request: Request, workers: Sequence[WorkerView], selectors: Selectors, alike: Mapping[str, int] | None = None
) -> Explanation:
    """Explain a request against a fleet: ``never`` with the clause that fails, or ``later``.

    ``alike``: how many workers each of them stands for, by name; one where nothing is said.
    """
    many = Counter({worker.name: 1 for worker in workers} if alike is None else alike)
    if not workers:
        return Explanation(Wait.LATER, Code.STATE, "the fleet has no workers yet")
    refusals: list[tuple[Misfit, int]] = []
    able = []
    for worker in workers:
        found = _able(request, worker, selectors)
        if isinstance(found, Misfit):
            refusals.append((found, many[worker.name]))
        else:
            able.append(worker)
    later = next((refusal for refusal, _ in refusals if refusal.wait is Wait.LATER), None)
    if not able and later is not None:
        return Explanation(Wait.LATER, later.code, later.text)
    if not able:
        return _never(request, workers, refusals, selectors, many)
    names = tuple(worker.name for worker in able)
    away: Counter[WorkerState] = Counter()
    for worker in able:
        away[worker.state] += many[worker.name]
    if not away[WorkerState.READY]:
        states = ", ".join(f"{count} {state}" for state, count in sorted(away.items()) if count)
        return Explanation(Wait.LATER, Code.STATE, f"the only workers that satisfy it take no work ({states})", names)
    return Explanation(Wait.LATER, Code.BUSY, f"{away.total()} of {many.total()} workers satisfy it when free", names)


@dataclass(frozen=True)
class Clauses:
    """Every clause of a request, and what comes nearest to satisfying them all where nothing does."""

    clauses: tuple[ClauseCount, ...]
    misses: tuple[str, ...]


def explain_clauses(request: Request, workers: Sequence[WorkerView], selectors: Selectors) -> Clauses:
    """How each clause of a request fares in a fleet, also where some workers satisfy all of them."""
    parts = _selected(request, selectors, Code.DEVICES)
    many = Counter({worker.name: 1 for worker in workers})
    ranked = _ranked(parts, workers, selectors)
    counts = []
    for part in parts:
        counted = _count(part, workers, selectors, many)
        told = (_told(worker, device, [part]) for _, worker, device, failed in ranked if part in failed)
        counts.append(replace(counted, nearest=next(filter(None, told), "")))
    return Clauses(tuple(counts), tuple(_misses(ranked)))


def _able(request: Request, worker: WorkerView, selectors: Selectors) -> Eligible | Misfit:
    found = eligible(request, worker, selectors)
    if isinstance(found, Misfit):
        return found
    placed = place(request, worker, Free.whole(worker), found, max(request.slots_min, 1))
    return placed if isinstance(placed, Misfit) else found


def _never(
    request: Request,
    workers: Sequence[WorkerView],
    refusals: list[tuple[Misfit, int]],
    selectors: Selectors,
    many: Counter[str],
) -> Explanation:
    # What got furthest is nearest to fitting, so that is what a person would change.
    last = max((refusal for refusal, _ in refusals), key=lambda refusal: _RANK[refusal.code])
    if last.code not in (Code.SELECTOR, Code.DEVICES):
        others: Counter[Code] = Counter()
        for refusal, count in refusals:
            if refusal.code is not last.code:
                others[refusal.code] += count
        rest = "".join(f"; {count} fail on {code}" for code, count in sorted(others.items()))
        return Explanation(Wait.NEVER, last.code, f"no worker of {many.total()} can take it: {last.text}{rest}")
    parts = _selected(request, selectors, last.code)
    clauses = tuple(_count(clause, workers, selectors, many) for clause in parts)
    misses = tuple(_misses(_ranked(parts, workers, selectors)))
    named = [str(clause) for clause in clauses if clause.passed == 0] or [str(clause) for clause in clauses]
    text = f"no worker of {many.total()} can take it: {'; '.join(named) or last.text}"
    if named and all(clause.passed for clause in clauses):
        text += f"; never all together as asked ({last.text})"
    if misses:
        text += f"; nearest: {misses[0]}"
    known = {device.device_class for worker in workers for device in worker.devices}
    slips = misspelt_classes(request, known, selectors)
    text += "".join(f"; no device is of class {name!r}: {hint}" for name, hint in slips.items())
    return Explanation(Wait.NEVER, last.code, text, (), clauses, misses)


def _selected(request: Request, selectors: Selectors, code: Code) -> list[Selector]:
    texts = [request.selector]
    if code is Code.DEVICES:
        for demand in request.devices:
            if demand.device_class:
                texts.append(f'device.class == "{demand.device_class}"')
            texts += [demand.selector, selector_of(demand.capacities)]
    found: list[Selector] = []
    for text in texts:
        try:
            found += selectors.compile(text).clauses
        except SelectorError:
            continue
    return list({clause.text: clause for clause in found}.values())


def _subjects(clause: Selector, workers: Sequence[WorkerView]) -> Iterator[tuple[WorkerView, Device | None]]:
    for worker in workers:
        if not clause.uses_device:
            yield worker, None
        for device in worker.devices if clause.uses_device else ():
            yield worker, device


def _count(
    clause: Selector, workers: Sequence[WorkerView], selectors: Selectors, many: Mapping[str, int]
) -> ClauseCount:
    passed = total = 0
    missing = set()
    for worker, device in _subjects(clause, workers):
        answer = selectors.answer(clause, worker, device)
        total += many[worker.name]
        passed += answer.holds * many[worker.name]
        if answer.missing:
            missing.add(answer.missing)
    return ClauseCount(clause.text, passed, total, clause.uses_device, tuple(sorted(missing)))


def _ranked(parts: list[Selector], workers: Sequence[WorkerView], selectors: Selectors) -> list[_Candidate]:
    """The devices (or workers), those that fail the fewest clauses first."""
    on_devices = any(clause.uses_device for clause in parts)
    ranked: list[_Candidate] = []
    for worker in workers:
        for device in worker.devices if on_devices else (None,):
            answers = [(part, selectors.answer(part, worker, device)) for part in parts]
            failed = [part for part, answer in answers if not answer.holds]
            # What has the attribute with another value is nearer than what lacks it.
            distance = (len(failed), sum(1 for _, answer in answers if answer.missing))
            ranked.append((distance, worker, device, failed))
    ranked.sort(key=lambda entry: (entry[0], entry[1].name, entry[2].id if entry[2] else ""))
    return ranked


def _misses(ranked: list[_Candidate]) -> Iterator[str]:
    """Those that come nearest, with the values that made them fail."""
    told: set[str] = set()
    if not ranked or ranked[0][0][0] == 0:
        return  # Some satisfy every clause: they are too few, and nothing is to be told of the others.
    for _, worker, device, failed in ranked:
        values = _values(worker, device, failed)
        if not values or values in told or len(told) == _MAX_MISSES:
            continue
        told.add(values)
        yield _told(worker, device, failed)


def _told(worker: WorkerView, device: Device | None, failed: list[Selector]) -> str:
    """What fails, with the values; empty where none can be told."""
    values = _values(worker, device, failed)
    return f"{device.id + ' of ' if device else ''}{worker.name}: {values}" if values else ""


def _values(worker: WorkerView, device: Device | None, failed: list[Selector]) -> str:
    return ", ".join(str(fact) for part in failed for fact in facts(part, worker, device))
