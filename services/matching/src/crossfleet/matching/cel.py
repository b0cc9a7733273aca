"""Selectors: compiled once, checked by name, and true only when they say exactly true."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from crossfleet.matching import clauses, expression, mends, names
from crossfleet.matching.bindings import device_value, worker_value
from crossfleet.matching.expression import Checked, Kind, Node
from crossfleet.matching.model import Device, WorkerView
from crossfleet.matching.quantity import parse_quantity
from crossfleet.matching.version import encode

if TYPE_CHECKING:
    from cel_expr_python import cel

MAX_LENGTH = 4096
"""Of what a person writes."""
MOST_OFFERED = 65_536
"""Of what is put together out of several, and of names of hosts."""
_TRIVIAL = ("", "true")
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_MISSING_KEY = re.compile(r'Key not found in map : "(.*)"')


class SelectorError(ValueError):
    """A selector that does not compile. ``line`` and ``column`` count from 1."""

    def __init__(self, selector: str, message: str, line: int = 1, column: int = 1) -> None:
        """Keep the parts, for clients that point at the place themselves."""
        super().__init__(f"selector {selector!r}, line {line}, column {column}: {message}")
        self.selector = selector
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Answer:
    """Whether a selector holds; if it could not be told, why not. Only a clean true holds."""

    holds: bool
    missing: str = ""
    problem: str = ""


_YES = Answer(True)
_NO = Answer(False)


@dataclass(frozen=True)
class Selector:
    """A compiled selector. ``uses_device``: it needs a device to hold; else the worker alone decides.

    ``uses_identity``: it may tell apart what has one signature.
    """

    text: str
    uses_device: bool = False
    uses_worker: bool = False
    uses_identity: bool = False
    program: Any = None
    checked: Checked | None = None

    def evaluate(self, worker: WorkerView, device: Device | None = None) -> Answer:
        """Evaluate it; never raises. A missing attribute is no match and is named."""
        return _YES if self.program is None else _evaluate(self.program, worker, device)

    @cached_property
    def clauses(self) -> tuple[Selector, ...]:
        """Its parts that must all hold, as selectors; none for a selector that takes everything."""
        if self.checked is None:
            return ()
        texts = clauses.clause_texts(self.text, self.checked)
        parts = [replace(self.checked, root=node) for node in clauses.conjuncts(self.checked.root)]
        return tuple(_selector(text, part) for text, part in zip(texts, parts, strict=True))


def _selector(text: str, checked: Checked) -> Selector:
    found = list(names.paths(checked.root))
    return Selector(
        text=text,
        uses_device=any(path.root == "device" and not path.bound for path in found),
        uses_worker=any(path.root != "device" for path in found),
        uses_identity=any(names.tells_twins_apart(path) for path in found),
        program=_environment().deserialize(checked.serialized()),
        checked=checked,
    )


def compile_selector(text: str, learned: Iterable[str] = (), longest: int = MAX_LENGTH) -> Selector:
    """Compile and check a selector. ``learned``: attribute names seen in the fleet, beside the well-known ones.

    Raises SelectorError. CEL's library (45 ms to load and set up) is only loaded for a selector that needs it.
    """
    stripped = text.strip()
    if stripped in _TRIVIAL:
        return Selector(stripped)
    if len(text) > longest:
        raise SelectorError(text[:40] + "…", f"{len(text)} characters long; at most {longest} are allowed")
    if not _is_unicode(text):
        raise SelectorError(ascii(text), "is not valid Unicode text")
    try:
        program = _environment().compile(text)
    except RuntimeError as error:
        raise _compile_error(text, str(error)) from None
    if program.return_type().name() not in ("BOOL", "DYN"):
        kind = program.return_type().name()
        raise SelectorError(text, f"must be true or false, but is of type {kind}: compare it with something")
    checked = expression.parse(program.serialize())
    _check_constants(text, checked)
    for path in names.paths(checked.root):
        wrong = names.unknown(path, learned)
        if wrong:
            raise SelectorError(text, wrong, *_place(text, _first_part(checked, path)))
    return _selector(text, checked)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # A lone surrogate, from bytes that were no text.
        return False
    return True


def _root(node: Node) -> Node:
    while node.kind is not Kind.NAME:
        node = node.children[0]
    return node


@cache
def _environment() -> cel.Env:
    from cel_expr_python import cel  # 52 MB on disk: not loaded for a fleet whose targets take any worker

    kind = cel.Type
    record = kind.Map(kind.STRING, kind.DYN)
    overload = cel.Overload
    quantity = [overload("quantity_string", return_type=kind.INT, parameters=[kind.STRING], impl=parse_quantity)]
    version = [
        overload("version_string", return_type=kind.BYTES, parameters=[kind.STRING], impl=encode),
        overload("version_bytes", return_type=kind.BYTES, parameters=[kind.BYTES], impl=bytes),
    ]
    return cel.NewEnv(
        variables={"worker": record, "device": record, "devices": kind.List(record)},
        functions=[cel.FunctionDecl("quantity", quantity), cel.FunctionDecl("version", version)],
    )


def _evaluate(program: Any, worker: WorkerView, device: Device | None) -> Answer:
    data = {
        "worker": worker_value(worker),
        "device": {} if device is None else device_value(device),
        "devices": [device_value(other) for other in worker.devices],
    }
    try:
        result = program.eval(data=data)
    except RuntimeError as error:  # what CEL refuses to go on with, such as too many iterations
        return Answer(False, problem=f"cannot be evaluated: {str(error).removeprefix('INTERNAL: ').partition(' [')[0]}")
    kind, value = result.type().name(), result.value()
    if kind == "BOOL":
        return _YES if value is True else _NO
    if kind != "ERROR":
        return Answer(False, problem=f"gives a {kind}, not true or false")
    missing = _MISSING_KEY.search(str(value))
    return Answer(False, missing=missing[1]) if missing else Answer(False, problem=_plain_problem(str(value)))


def _plain_problem(error: str) -> str:
    text = error.partition(": ")[2] or error
    return text.replace("bytes", "version").replace("int64", "int")


def _compile_error(text: str, error: str) -> SelectorError:
    found = _ERROR.search(error)
    if "recursion" in error:
        return SelectorError(text, "nested too deeply: at most 32 levels are allowed")
    if found is None:
        return SelectorError(text, error.splitlines()[0] if error else "does not compile")
    line, column, message = int(found[1]), int(found[2]), found[3]
    undeclared = _UNDECLARED.search(message)
    written = text.split("\n")[line - 1]  # a text may also end with the end of a line, behind which it is wrong
    if undeclared is None:
        mend = mends.of_syntax(written, column)
        told = message.partition(" expecting {")[0]
        return SelectorError(text, f"{told}: {mend}" if mend else told, line, column)
    name = undeclared[1].partition(".")[0]
    if name in names.FUNCTIONS:
        return SelectorError(text, f"{name}() does not take these arguments", line, column)
    # The compiler points behind a dotted name; people look for its beginning.
    before = [at.start() for at in re.finditer(rf"\b{re.escape(name)}\b", written)]
    column = max((at + 1 for at in before if at < column), default=column)
    fields = (*names.DEVICE_FIELDS, *names.DEVICE_ATTRIBUTES)
    close = names.suggestion(name, (*names.ROOTS, *names.FUNCTIONS)) or mends.of_name(written, column, name, fields)
    return SelectorError(text, f"unknown name {name!r}: {close}", line, column)


def _check_constants(text: str, checked: Checked) -> None:
    """Refuse ``quantity("16Gx")`` when it is written, not when a device is there to be compared."""
    parsers = {"quantity": parse_quantity, "version": encode}
    for node in checked.root.walk():
        if node.kind is not Kind.CALL or node.value not in parsers:
            continue
        argument = node.children[0]
        if argument.kind is Kind.CONSTANT and isinstance(argument.value, str):
            try:
                parsers[str(node.value)](argument.value)
            except ValueError as error:
                raise SelectorError(text, str(error), *_place(text, checked.positions.get(argument.id, 0))) from None


def _first_part(checked: Checked, path: names.Path) -> int:
    return checked.positions.get(_root(path.node).id, 0) + len(str(_root(path.node).value)) + 1


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
