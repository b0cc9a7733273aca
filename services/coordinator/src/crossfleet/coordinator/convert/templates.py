"""What a submitted target asks for: its request, and the template of one that changes while the run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.matching.authoring import settle
from crossfleet.matching.cel import SelectorError
from crossfleet.matching.messages import device_requests, request_from
from crossfleet.matching.model import Preference, Request
from crossfleet.matching.request import MAX_PREFERENCES, MAX_WEIGHT, validate
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.substitution import Values, uses
from crossfleet.matching.template import Alternative, Past, Template, offer

_MOST_NAMED = 64


def asked(
    target: suite_pb2.Target, spec: run_pb2.RunSpec, runner: str, selectors: Selectors
) -> tuple[Request, Template | None]:
    """The request as schedulers see it with all alternatives open, and its template where it has one.

    Raises RequestError with the path of the field below the target.
    """
    plain = request_from(target.request, target.selector, runner)
    written = Template(
        target.selector,
        plain.devices,
        (*plain.preferred, *_for_those_near(target, spec, MAX_PREFERENCES - len(plain.preferred), selectors)),
        tuple(_alternative(one) for one in target.alternatives),
        tuple(target.near),
        _apart(target.name, spec.targets),
    )
    template = settle(written, plain, _known(target, spec), selectors)
    bare = replace(template, alternatives=(), near=(), apart=())
    validate(offer(bare, plain, (), Past()), selectors)
    # Where only one can be offered at a time, the first is what comes nearest to all of them.
    shown = range(len(template.alternatives))[: 1 if template.one_by_one else None]
    whole = offer(template, plain, shown, Past())
    validate(whole, selectors, offered=True)
    return whole, template if template.needed else None


def named(target: suite_pb2.Target, field: str, names: Sequence[str]) -> str:
    """What is wrong with the targets that one is to be `near` to, or `apart` from; empty where nothing is."""
    given = list(getattr(target, field))
    if len(given) > _MOST_NAMED:
        return f"{len(given)} names; at most {_MOST_NAMED} are allowed"
    if target.name in given:
        return f"{target.name} itself: name other targets"
    twice = next((one for position, one in enumerate(given) if one in given[:position]), "")
    if twice:
        return f"{twice} is named twice"
    missing = next((one for one in given if one not in names), "")
    return f"there is no target {missing!r}: the targets are {', '.join(names)}" if missing else ""


def contradiction(target: suite_pb2.Target, targets: Sequence[suite_pb2.Target]) -> str:
    """What is wrong with a target that is to be on the hosts of another one and away from them; empty where nothing is."""
    both = next((one for one in target.near if one in _apart(target.name, targets)), "")
    return f"{both}, and {both} and {target.name} are to be apart: leave one of the two out" if both else ""


def _for_those_near(
    target: suite_pb2.Target, spec: run_pb2.RunSpec, most: int, selectors: Selectors
) -> tuple[Preference, ...]:
    """Wishes for hosts on which those find what they need that are to be near this target. It may have other hosts too."""
    texts = [text for one in spec.targets if target.name in one.near for text in _demands(one)]
    known = [text for text in dict.fromkeys(texts) if _is_plain(text, selectors)]
    return tuple(Preference(text, MAX_WEIGHT) for text in known[: max(most, 0)])


def _demands(target: suite_pb2.Target) -> Iterator[str]:
    """What a target needs of a host, as selectors."""
    if target.selector.strip():
        yield target.selector
    for demand in target.request.devices:
        of_class = [f"device.class == {json.dumps(demand.device_class)}"] if demand.device_class else []
        yield " && ".join([*of_class, *([f"({demand.selector}\n)"] if demand.selector.strip() else [])])


def _is_plain(text: str, selectors: Selectors) -> bool:
    """Whether it says the same whatever becomes of the run. What is wrong with it is told where it stands."""
    try:
        return bool(text) and not uses(text) and bool(selectors.compile(text))
    except SelectorError:
        return False


def _alternative(message: suite_pb2.Alternative) -> Alternative:
    wait = message.wait.seconds + message.wait.nanos / 1e9
    return Alternative(message.selector, wait, device_requests(message.devices))


def _apart(name: str, targets: Sequence[suite_pb2.Target]) -> tuple[str, ...]:
    """Those that it names, and those that name it: who gets slots later is the one that keeps away."""
    own = next(list(one.apart) for one in targets if one.name == name)
    return tuple(dict.fromkeys((*own, *(one.name for one in targets if name in one.apart))))


def _known(target: suite_pb2.Target, spec: run_pb2.RunSpec) -> Values:
    return {
        "run.project": spec.project,
        "run.target": target.name,
        "run.priority": spec.policy.priority,
        "run.labels": dict(spec.labels),
        "run.build": target.build,
    }
