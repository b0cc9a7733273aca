"""Remembers compiled selectors and their answers: once per selector and distinct signature."""

from collections.abc import Iterable

from crossfleet.matching.cel import MOST_OFFERED, Answer, Selector, SelectorError, compile_selector
from crossfleet.matching.model import Device, WorkerView
from crossfleet.matching.names import slip

_MAX_SELECTORS = 4096
_MAX_ANSWERS = 200_000


class Selectors:
    """A bounded memory of selectors. Answers depend only on selector and signatures, so it is still pure."""

    def __init__(self) -> None:
        """Start with nothing learned."""
        self._compiled: dict[str, Selector | SelectorError] = {}
        self._answers: dict[tuple[object, ...], Answer] = {}
        self._learned: set[str] = set()

    @property
    def learned(self) -> int:
        """How many attribute names the fleet has added so far; grows when a refused selector may be right now."""
        return len(self._learned)

    def learn(self, workers: Iterable[WorkerView]) -> None:
        """Take over the attribute names of a fleet's devices, so that selectors may use them."""
        before = len(self._learned)
        for worker in workers:
            for device in worker.devices:
                self._learned.update(device.attributes, device.capacities)
        if len(self._learned) > before:
            # What was refused as a slip may be a name now.
            self._compiled = {text: one for text, one in self._compiled.items() if isinstance(one, Selector)}

    def slip(self, name: str) -> str | None:
        """What was probably meant by a name of an attribute or capacity; None where it is known, or like none that is."""
        return slip(name, self._learned)

    def compile(self, text: str) -> Selector:
        """Compile a selector, or give the one compiled before. Raises SelectorError."""
        found = self._compiled.get(text)
        if found is None:
            try:
                found = compile_selector(text, self._learned, MOST_OFFERED)
            except SelectorError as error:
                found = error
            if len(self._compiled) >= _MAX_SELECTORS:
                self._compiled.clear()
            self._compiled[text] = found
        if isinstance(found, SelectorError):
            raise SelectorError(found.selector, found.message, found.line, found.column)
        return found

    def answer(self, selector: Selector, worker: WorkerView, device: Device | None = None) -> Answer:
        """Whether a selector holds; evaluated once for all workers and devices that it cannot tell apart."""
        if selector.program is None:
            return selector.evaluate(worker, device)
        seen = device if selector.uses_device else None
        key = (
            selector.text,
            worker.signature if selector.uses_worker else "",
            seen.signature if seen is not None else "",
            (worker.identity, seen.identity if seen is not None else "") if selector.uses_identity else "",
        )
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= _MAX_ANSWERS:
                self._answers.clear()
            found = self._answers[key] = selector.evaluate(worker, device)
        return found
