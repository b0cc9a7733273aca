"""Finds what a clause compares, so that a near miss can be told with the value that it had."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crossfleet.matching import names
from crossfleet.matching.bindings import device_value, worker_value
from crossfleet.matching.cel import Selector
from crossfleet.matching.expression import Kind, Node
from crossfleet.matching.model import Device, WorkerView
from crossfleet.matching.quantity import format_quantity
from crossfleet.matching.version import Version

_SIZE = 2**20
_COMPARING = frozenset(("_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"))


@dataclass(frozen=True)
class Fact:
    """An attribute that a clause looks at, and the value that it had; ``None`` when it is missing.

    ``mend`` says what to compare it with, where that is a text and the value is none.
    """

    path: str
    value: str | None
    overridden: bool = False
    mend: str = ""

    def __str__(self) -> str:
        """``device.memory is 8Gi`` or ``no device.memory``."""
        if self.value is None:
            return f"no {self.path}"
        return f"{self.path} is {self.value}" + (" (overridden)" if self.overridden else "") + self.mend


def facts(clause: Selector, worker: WorkerView, device: Device | None) -> Iterator[Fact]:
    """What the attributes named in a clause were, each once, in the order of the clause."""
    if clause.checked is None:
        return
    seen = set()
    texts = _texts_beside(clause.checked.root)
    for path in names.paths(clause.checked.root):
        if path.bound or path.root == "devices" or path.parts in seen or _tested(path.node):
            continue
        seen.add(path.parts)
        said = path.root == "device" and device is not None and bool(device.overridden.intersection(path.parts))
        value = _value(path, worker, device)
        yield Fact(str(path), _shown(value), said, _mend(value, texts.get(path.node.id)))


def _texts_beside(root: Node) -> dict[int, str]:
    """The texts with which nodes are compared, by the nodes' ids."""
    found = {}
    for call in root.walk():
        if call.kind is Kind.CALL and call.value in _COMPARING:
            for one, other in (call.children, reversed(call.children)):
                if other.kind is Kind.CONSTANT and isinstance(other.value, str):
                    found[one.id] = other.value
    return found


def _mend(value: Any, text: str | None) -> str:
    if text is None or not isinstance(value, int | float | Version) or isinstance(value, bool):
        return ""
    if isinstance(value, Version):
        return f', a version: compare it with version("{text}")'
    return f', a number: compare it with quantity("{text}")'


def _tested(node: Node) -> bool:
    return node.kind is Kind.SELECT and node.test


def _value(path: names.Path, worker: WorkerView, device: Device | None) -> Any:
    if path.root == "device" and device is None:
        return None
    parts = path.parts
    if path.root == "device" and device is not None:
        own = device.attributes.get(parts[-1]) if parts else None
        if own is not None:
            return own  # A version as it was reported, not as the bytes that selectors compare.
        value: Any = device_value(device)
    else:
        value = worker_value(worker)
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value >= _SIZE:
        return format_quantity(value)
    if isinstance(value, dict | list | tuple):
        return f"{len(value)} entries"
    return f'"{value}"' if isinstance(value, str) else str(value)
