"""A request as its author wrote it, and what of it is offered at a time: alternatives in order, places near and apart."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.fit import eligible
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.model import DeviceRequest, Preference, Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.substitution import Values, substitute, uses

# More than all wishes of one request together: an earlier alternative goes before whatever else is preferred.
_EARLIER = 20_000
# Signs that bind less than `&&`.
_LOOSE = ("||", "?")


@dataclass(frozen=True)
class Alternative:
    """One of several ways to satisfy a request. After `wait` seconds the next one is open too; the last has nothing after it.

    `devices`, where there are some, take the place of the request's.
    """

    selector: str = ""
    wait: float = 0.0
    devices: tuple[DeviceRequest, ...] = ()


@dataclass(frozen=True)
class Template:
    """What of a target's request changes with time and place. Selectors may speak of `history` and `run.hosts`.

    `near` and `apart` are targets of the same run, on whose hosts, or on others, its slots are to be. `one_by_one`: an
    alternative takes the place of the one before it, instead of being open beside it.
    """

    selector: str = ""
    devices: tuple[DeviceRequest, ...] = ()
    preferred: tuple[Preference, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    near: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    one_by_one: bool = False

    @property
    def needed(self) -> bool:
        """Whether anything of it ever changes."""
        return bool(self.alternatives or self.near or self.apart) or any(uses(text) for text in texts(self))

    @property
    def open_first(self) -> int:
        """How many alternatives are open from the beginning: the first, and those that follow without a wait."""
        waits = [one.wait for one in self.alternatives[:-1]]
        return next((number for number, wait in enumerate(waits, 1) if wait), len(waits) + 1)

    @property
    def speaks_of_hosts(self) -> bool:
        """Whether a selector asks where other targets of the run are."""
        return any(use.name == "run.hosts" for text in texts(self) for use in uses(text))

    @property
    def speaks_of_itself(self) -> bool:
        """Whether a selector asks how the target itself fared."""
        return any(use.name.startswith("history.") for text in texts(self) for use in uses(text))


@dataclass(frozen=True)
class Past:
    """What a run's own past says. `hosts` by target: where it has slots, or had them where it has none; `held` where it has some.

    The others are of the one target: where it had slots, on which hosts and models of devices infrastructure failed it,
    and how often.
    """

    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    held: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own_hosts: Sequence[str] = ()
    failed_hosts: Sequence[str] = ()
    failed_models: Sequence[str] = ()
    failures: int = 0

    @property
    def values(self) -> Values:
        """By the names that selectors use."""
        return {
            "run.hosts": self.hosts,
            "history.hosts": self.own_hosts,
            "history.failed_hosts": self.failed_hosts,
            "history.failed_models": self.failed_models,
            "history.failures": self.failures,
        }


def texts(template: Template) -> list[str]:
    """All selectors of a template."""
    lists = (template.devices, *(one.devices for one in template.alternatives))
    found = [template.selector, *(one.selector for one in template.alternatives)]
    return [*found, *(each.selector for each in template.preferred), *(one.selector for some in lists for one in some)]


def opened(template: Template, count: int, skipped: Container[int] = ()) -> tuple[int, ...]:
    """Which alternatives are open once `count` have come in, by index; none where there are none to choose from.

    Those that are `skipped` are not, unless all that have come in are.
    """
    all_come = tuple(range(min(count, len(template.alternatives))))
    come = tuple(index for index in all_come if index not in skipped) or all_come
    return come[-1:] if template.one_by_one else come


def offer(template: Template, request: Request, open_now: Sequence[int], past: Past) -> Request:
    """The request as schedulers are to see it: with literals for what the past says, and these alternatives open."""
    values = past.values

    def bound(demands: tuple[DeviceRequest, ...]) -> tuple[DeviceRequest, ...]:
        return tuple(replace(one, selector=_bound(one.selector, values)) for one in demands)

    own = [_bound(template.alternatives[index].selector, values) for index in open_now]
    devices = template.alternatives[open_now[0]].devices if len(open_now) == 1 else ()
    wishes = (replace(one, selector=_bound(one.selector, values)) for one in template.preferred)
    return replace(
        request,
        selector=conjunction([_bound(template.selector, values), _any(own), *_places(template, past)]),
        devices=bound(devices or template.devices),
        preferred=(*_earlier_first(own), *wishes),
    )


def satisfied(request: Request, worker: WorkerView, devices: Sequence[str], selectors: Selectors) -> bool:
    """Whether a worker satisfies a request, were it idle, with these devices."""
    found = eligible(request, worker, selectors)
    return not isinstance(found, Misfit) and {one for some in found.candidates for one in some}.issuperset(devices)


def _bound(text: str, values: Values) -> str:
    """With the values that there are. What can never compile satisfies nobody, as before."""
    try:
        return substitute(text, values)
    except SelectorError:
        return text


def _places(template: Template, past: Past) -> list[str]:
    """Conditions on hosts. Near one that never had slots is anywhere."""
    near = [past.hosts.get(name, ()) for name in template.near]
    apart = list(dict.fromkeys(host for name in template.apart for host in past.held.get(name, ())))
    found = [substitute("worker.host in history.hosts", {"history.hosts": hosts}) for hosts in near if hosts]
    return [*found, *([substitute("!(worker.host in history.hosts)", {"history.hosts": apart})] if apart else [])]


def _earlier_first(own: Sequence[str]) -> list[Preference]:
    """A worker of an earlier alternative goes first: it satisfies all of these that one of a later does, and more."""
    firsts = (own[: length + 1] for length in range(len(own) - 1))
    return [Preference(_any(first), _EARLIER) for first in firsts if all(first)]


def conjunction(parts: Sequence[str]) -> str:
    """The parts that say something, all of which must hold."""
    given = [part for part in parts if part.strip()]
    return given[0] if len(given) == 1 else " && ".join(map(_apart, given))


def _any(parts: Sequence[str]) -> str:
    """Parts of which one must hold; one that is empty always does."""
    if not all(part.strip() for part in parts):
        return ""
    return parts[0] if len(parts) == 1 else " || ".join(map(_apart, parts))


def _apart(part: str) -> str:
    """So that it stays one beside others: in parentheses where it may need them, and no comment reaches what follows."""
    if "//" in part:
        return f"({part}\n)"
    return f"({part})" if any(sign in part for sign in _LOOSE) else part
