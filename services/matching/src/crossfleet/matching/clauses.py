"""Takes a selector apart at its outermost ``&&``: by its checked tree, never by its text."""

from collections.abc import Iterator

from crossfleet.matching.expression import Checked, Kind, Node

_AND = "_&&_"


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts that must all hold, from left to right; parentheses round an ``&&`` do not matter."""
    if node.kind is Kind.CALL and node.value == _AND:
        for child in node.children:
            yield from conjuncts(child)
    else:
        yield node


def clause_texts(text: str, checked: Checked) -> list[str]:
    """The text of each conjunct, in their order, cut at the offsets that the compiler gave to each ``&&``."""
    cuts = sorted(checked.positions[node.id] for node in _ands(checked.root))
    starts = [0, *(cut + 2 for cut in cuts)]
    ends = [*cuts, len(text)]
    return [_bare(text[start:end]) for start, end in zip(starts, ends, strict=True)]


def _ands(node: Node) -> Iterator[Node]:
    if node.kind is Kind.CALL and node.value == _AND:
        yield node
        for child in node.children:
            yield from _ands(child)


def _bare(part: str) -> str:
    """Without the parentheses that belong to the ``&&`` round it, with single spaces."""
    opened: list[int] = []
    lonely = set()
    for at in _code(part):
        if part[at] == "(":
            opened.append(at)
        elif part[at] == ")":
            if opened:
                opened.pop()
            else:
                lonely.add(at)
    lonely.update(opened)
    return " ".join("".join(char for at, char in enumerate(part) if at not in lonely).split())


def _code(part: str) -> Iterator[int]:
    """Offsets that are not inside a string literal."""
    quote = ""
    skip = False
    for at, char in enumerate(part):
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            yield at
