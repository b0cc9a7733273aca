"""Which label or class of devices a selector demands: read off its tree, whatever workers there are."""

from crossfleet.matching.cel import Selector
from crossfleet.matching.clauses import conjuncts
from crossfleet.matching.expression import Kind, Node
from crossfleet.matching.names import paths

_EQUAL = "_==_"


def pinned_label(selector: Selector, label: str) -> str:
    """The value that the label must have wherever the selector holds; empty where it leaves that open."""
    return _pinned(selector, "worker", ("labels", label))


def pinned_class(selector: Selector) -> str:
    """The class that the device must have wherever the selector holds; empty where it leaves that open."""
    return _pinned(selector, "device", ("class",))


def _pinned(selector: Selector, root: str, parts: tuple[str, ...]) -> str:
    if selector.checked is None:
        return ""
    for clause in conjuncts(selector.checked.root):
        if clause.kind is not Kind.CALL or clause.value != _EQUAL:
            continue
        for side, other in (clause.children, clause.children[::-1]):
            if other.kind is Kind.CONSTANT and isinstance(other.value, str) and _is(side, root, parts):
                return other.value
    return ""


def _is(node: Node, root: str, parts: tuple[str, ...]) -> bool:
    return any(
        path.node is node and path.root == root and path.parts == parts and not path.open and not path.bound
        for path in paths(node)
    )
