"""Checks a template as its author wrote it, and puts in what is known for good when it is submitted."""

from collections.abc import Sequence
from dataclasses import replace

from crossfleet.matching.cel import MAX_LENGTH, Selector, SelectorError
from crossfleet.matching.model import DeviceRequest, Request
from crossfleet.matching.request import MAX_DEVICES, RequestError, check_capacities
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.substitution import Values, original_place, substitute
from crossfleet.matching.template import Alternative, Past, Template

MAX_ALTERNATIVES = 8
LONGEST_WAIT = 7 * 86_400.0

_TO_COME = Past().values


def settle(written: Template, request: Request, known: Values, selectors: Selectors) -> Template:
    """The same with literals for what is `known`, and with what follows from how its alternatives differ.

    Raises RequestError with the path of the field below the target: ``alternatives[1].selector``.
    """

    def whole(text: str, field: str) -> str:
        check_written(text, known, field, selectors)
        return substitute(text, known)

    def demands(devices: Sequence[DeviceRequest], path: str) -> tuple[DeviceRequest, ...]:
        return tuple(
            replace(one, selector=whole(one.selector, f"{path}[{index}].selector")) for index, one in enumerate(devices)
        )

    settled = replace(
        written,
        selector=whole(written.selector, "selector"),
        devices=demands(written.devices, "request.devices"),
        preferred=tuple(
            replace(one, selector=whole(one.selector, f"request.preferred[{index}].selector"))
            for index, one in enumerate(written.preferred)
        ),
        alternatives=tuple(
            replace(
                one,
                selector=whole(one.selector, f"alternatives[{index}].selector"),
                devices=demands(one.devices, f"alternatives[{index}].devices"),
            )
            for index, one in enumerate(written.alternatives)
        ),
    )
    _check_alternatives(settled.alternatives, selectors)
    one_by_one = _one_by_one(settled, request, selectors)
    for index, alternative in enumerate(settled.alternatives[:-1]):
        if one_by_one and not alternative.wait:
            raise RequestError(f"alternatives[{index}].wait", "the next one takes its place: say after which time")
    return replace(settled, one_by_one=one_by_one)


def check_written(text: str, known: Values, field: str, selectors: Selectors) -> Selector:
    """Compile a selector with these values, and nothing yet of what is to come. Raises RequestError that points into the text."""
    values = {**_TO_COME, **known}
    try:
        if len(text) > MAX_LENGTH:
            raise SelectorError(text[:40] + "…", f"{len(text)} characters long; at most {MAX_LENGTH} are allowed")
        tried = substitute(text, values)
        try:
            return selectors.compile(tried)
        except SelectorError as error:
            if tried == text:
                raise
            place = original_place(text, values, error.line, error.column)
            raise SelectorError(text, error.message, *place) from None
    except SelectorError as error:
        raise RequestError(field, str(error)) from error


def _check_alternatives(alternatives: Sequence[Alternative], selectors: Selectors) -> None:
    if len(alternatives) > MAX_ALTERNATIVES:
        raise RequestError("alternatives", f"{len(alternatives)} entries; at most {MAX_ALTERNATIVES} are allowed")
    last = len(alternatives) - 1
    for index, one in enumerate(alternatives):
        path = f"alternatives[{index}]"
        if not 0 <= one.wait <= LONGEST_WAIT:
            raise RequestError(f"{path}.wait", "0 to 7 days")
        if index == last and one.wait:
            raise RequestError(
                f"{path}.wait", "nothing follows the last one: leave its wait out, or add an alternative"
            )
        if index < last and not one.selector.strip() and not one.devices:
            raise RequestError(f"{path}.selector", "is empty, so that what follows it is never needed")
        if one in alternatives[:index] or any(
            (one.selector, one.devices) == (other.selector, other.devices) for other in alternatives[:index]
        ):
            raise RequestError(path, "is the same as an earlier one: leave it out")
        for number, demand in enumerate(one.devices):
            if not 1 <= demand.count <= MAX_DEVICES:
                raise RequestError(f"{path}.devices[{number}].count", f"{demand.count} is not from 1 to {MAX_DEVICES}")
        check_capacities(one.devices, f"{path}.devices", selectors)


def _one_by_one(template: Template, request: Request, selectors: Selectors) -> bool:
    """Whether one request cannot offer several alternatives: what is needed at once must be of one kind, and whether a slot
    gets a device must not depend on where it is."""
    if any(one.devices for one in template.alternatives) or sum(one.count for one in template.devices) > 1:
        return True
    if request.gang > 1 or request.slots_min > 1:
        return True
    speak = {check_written(one.selector, {}, "", selectors).uses_device for one in template.alternatives}
    common = bool(template.devices) or check_written(template.selector, {}, "", selectors).uses_device
    return len(speak) > 1 and not common
