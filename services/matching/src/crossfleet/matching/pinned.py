"""Which value of a label a selector demands: read off its tree, whatever workers there are."""

from crossfleet.matching.cel import Selector
from crossfleet.matching.clauses import conjuncts
from crossfleet.matching.expression import Kind, Node
from crossfleet.matching.names import paths

_EQUAL = "_==_"


def pinned_label(selector: Selector, label: str) -> str:
    """The value that the label must have wherever the selector holds; empty where it leaves that open."""
    if selector.checked is None:
        return ""
    for clause in conjuncts(selector.checked.root):
        if clause.kind is not Kind.CALL or clause.value != _EQUAL:
            continue
        for side, other in (clause.children, clause.children[::-1]):
            if other.kind is Kind.CONSTANT and isinstance(other.value, str) and _is_label(side, label):
                return other.value
    return ""


def _is_label(node: Node, label: str) -> bool:
    return any(
        path.node is node and path.root == "worker" and path.parts == ("labels", label) and not path.open
        for path in paths(node)
    )
