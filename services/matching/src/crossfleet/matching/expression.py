"""A selector's checked expression as a tree (cel-spec, cel/expr/syntax.proto and checked.proto)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from crossfleet.matching import wire

Constant = None | bool | int | float | str | bytes

_CHECKED_EXPR, _SOURCE_INFO = 4, 5
_ANY_VALUE = 2


class Kind(StrEnum):
    """What a node of the tree is."""

    CONSTANT = "constant"
    NAME = "name"
    SELECT = "select"
    CALL = "call"
    LIST = "list"
    MAP = "map"
    LOOP = "loop"


@dataclass(frozen=True)
class Node:
    """One node. ``value`` is the constant, or the name, field or function; a loop's names its variable.

    ``test`` marks ``has(a.b)``. ``raw`` is the node as it was serialized.
    """

    id: int
    kind: Kind
    value: Constant
    children: tuple["Node", ...]
    raw: bytes
    test: bool = False

    def walk(self) -> Iterator["Node"]:
        """This node and everything below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Checked:
    """A compiled selector taken apart: its tree, and the offset in the text (code points) of each node."""

    root: Node
    positions: dict[int, int]
    rest: bytes
    type_url: bytes

    def serialized(self) -> bytes:
        """Put it together again. With another root it is a part alone: types and references go by id."""
        whole = self.rest + wire.field(_CHECKED_EXPR, self.root.raw)
        return wire.field(1, self.type_url) + wire.field(_ANY_VALUE, whole)


def parse(serialized: bytes) -> Checked:
    """Take a serialized google.protobuf.Any of a cel.expr.CheckedExpr apart."""
    checked = wire.messages(serialized, _ANY_VALUE)[0]
    others = [(at, part) for at, part in wire.fields(checked) if at != _CHECKED_EXPR and isinstance(part, bytes)]
    rest = b"".join(wire.field(at, part) for at, part in others)
    positions = {}
    for info in wire.messages(checked, _SOURCE_INFO):
        for entry in wire.messages(info, 4):
            pair = wire.integers(entry)
            positions[pair.get(1, 0)] = pair.get(2, 0)
    root = _node(wire.messages(checked, _CHECKED_EXPR)[0])
    return Checked(root, positions, rest, wire.messages(serialized, 1)[0])


def _node(raw: bytes) -> Node:
    number = wire.integers(raw).get(2, 0)
    for at, part in wire.fields(raw):
        if isinstance(part, bytes) and at in _READERS:
            kind, value, children, test = _READERS[at](part)
            return Node(number, kind, value, tuple(children), raw, test)
    return Node(number, Kind.CONSTANT, None, (), raw)


_Parts = tuple[Kind, Constant, list[Node], bool]


def _text(data: bytes, number: int) -> str:
    found = wire.messages(data, number)
    return found[-1].decode() if found else ""


def _nodes(data: bytes, *numbers: int) -> list[Node]:
    return [_node(part) for number in numbers for part in wire.messages(data, number)]


def _constant(data: bytes) -> _Parts:
    value: Constant = None
    for at, part in wire.fields(data):
        if isinstance(part, int):
            value = bool(part) if at == 2 else part - (1 << 64) if at == 3 and part >> 63 else part
            value = None if at == 1 else value
        elif at == 5:
            value = struct.unpack("<d", part)[0]
        else:
            value = part.decode() if at == 6 else part
    return Kind.CONSTANT, value, [], False


def _name(data: bytes) -> _Parts:
    return Kind.NAME, _text(data, 1), [], False


def _select(data: bytes) -> _Parts:
    return Kind.SELECT, _text(data, 2), _nodes(data, 1), bool(wire.integers(data).get(3))


def _call(data: bytes) -> _Parts:
    return Kind.CALL, _text(data, 2), _nodes(data, 1, 3), False


def _list(data: bytes) -> _Parts:
    return Kind.LIST, None, _nodes(data, 1), False


def _map(data: bytes) -> _Parts:
    return Kind.MAP, None, [node for entry in wire.messages(data, 2) for node in _nodes(entry, 3, 4)], False


def _loop(data: bytes) -> _Parts:
    # The range is the first child: what the variable runs over.
    return Kind.LOOP, _text(data, 1), _nodes(data, 2, 4, 5, 6, 7), False


_READERS = {3: _constant, 4: _name, 5: _select, 6: _call, 7: _list, 8: _map, 9: _loop}
