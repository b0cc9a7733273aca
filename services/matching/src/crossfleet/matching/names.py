"""Which names a selector may use, what it uses, and what was probably meant by one that is unknown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from crossfleet.matching.expression import Kind, Node
from crossfleet.matching.model import IDENTITY

ROOTS = ("worker", "device", "devices")
FUNCTIONS = ("quantity", "version", "has", "size", "matches", "startsWith", "endsWith", "contains", "exists", "all")
WORKER_FIELDS = ("name", "labels", "cpu_cores", "memory", "slots", "taints", "runners", "host", "version")
DEVICE_FIELDS = ("class", "attributes", "capacities", "conditions")

# Names that the detectors of this distribution and common plugins report. Others are learned from the fleet.
DEVICE_ATTRIBUTES = frozenset(
    {
        "architecture",
        "bus",
        "channel",
        "compute_capability",
        "compute_units",
        "cores",
        "cuda",
        "driver",
        "driver_name",
        "ecc",
        "efficiency_cores",
        "features",
        "firmware",
        "frequency",
        "headless",
        "huge_pages",
        "hybrid",
        "hypervisor",
        "index",
        "integrated",
        "interconnect",
        "kernel",
        "l2_cache",
        "l3_cache",
        "libc",
        "libc_version",
        "logical_cores",
        "memory",
        "memory_bandwidth",
        "microcode",
        "mig",
        "model",
        "name",
        "numa_cores",
        "numa_memory",
        "numa_node",
        "numa_nodes",
        "opencl_platform",
        "opencl_version",
        "partition",
        "pci",
        "performance_cores",
        "physical_cores",
        "platform",
        "product",
        "rocm",
        "runtime",
        "serial",
        "sessions",
        "sockets",
        "tensor_cores",
        "threads",
        "transparent_huge_pages",
        "uuid",
        "vendor",
        "version",
        "vulkan_driver",
        "vulkan_version",
    }
)


@dataclass(frozen=True)
class Path:
    """A use of a variable: ``worker.labels.gpu`` is root ``worker`` and parts ``("labels", "gpu")``.

    ``node`` is the node that ends it. ``open`` says that it goes on with an index that is only known when
    evaluated. ``bound``: it starts at a loop's variable over ``devices``.
    """

    node: Node
    root: str
    parts: tuple[str, ...]
    open: bool = False
    bound: bool = False

    def __str__(self) -> str:
        """Write it as a selector would."""
        return ".".join((self.root, *self.parts))


def paths(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Path]:
    """The longest paths below a node. A loop's variable over ``devices`` counts as ``device``, bound."""
    found = _path(node, bound)
    if found is not None:
        yield found
        if found.open:
            for below in _indexes(node):
                yield from paths(below, bound)
        return
    if node.kind is Kind.LOOP and any(path.root == "devices" for path in paths(node.children[0], bound)):
        bound |= {str(node.value)}
    for child in node.children:
        yield from paths(child, bound)


def tells_twins_apart(path: Path) -> bool:
    """Whether a path may read what signatures leave out: an identity, or a whole of which it is a part."""
    parts = path.parts[1:] if path.root != "worker" and path.parts[:1] == ("attributes",) else path.parts
    if not parts:
        # ``devices`` alone is what a loop runs over; what it reads of each shows at the loop's variable.
        return path.open or path.root != "devices"
    return parts[0] in (("name", "host") if path.root == "worker" else IDENTITY)


def _path(node: Node, bound: frozenset[str]) -> Path | None:
    if node.kind is Kind.NAME:
        name = str(node.value)
        if name in bound:
            return Path(node, "device", (), bound=True)
        return Path(node, name, ()) if name in ROOTS else None
    if node.kind is Kind.SELECT or (node.kind is Kind.CALL and node.value == "_[_]"):
        base = _path(node.children[0], bound)
        if base is None or base.open:
            return base
        if node.kind is Kind.SELECT:
            return replace(base, node=node, parts=(*base.parts, str(node.value)))
        index = node.children[1]
        if index.kind is Kind.CONSTANT and isinstance(index.value, str):
            return replace(base, node=node, parts=(*base.parts, index.value))
        return replace(base, node=node, open=True)
    return None


def _indexes(node: Node) -> Iterator[Node]:
    while node.kind in (Kind.SELECT, Kind.CALL):
        yield from node.children[1:]
        node = node.children[0]


def unknown(path: Path, learned: Iterable[str]) -> str | None:
    """What is wrong with a path's first part, or None. Attributes that nobody has announced are allowed.

    Detectors are open to extension, so an unknown attribute is refused only when it looks like a slip; it can
    always be written ``device.attributes["name"]``.
    """
    if not path.parts or path.root == "devices":
        return None
    name = path.parts[0]
    if path.root == "worker":
        fields = (*WORKER_FIELDS, "cpu")
        if name in fields:
            return None
        has = f"it has {', '.join(WORKER_FIELDS)}; a label is worker.labels.{name}"
        return f"worker has no {name!r}: {suggestion(name, fields) or has}"
    close = slip(name, learned)
    return f"unknown attribute {name!r} of device: {close}" if close else None


def slip(name: str, learned: Iterable[str]) -> str | None:
    """What was probably meant by the name of an attribute or capacity; None where it is known, or like none that is."""
    known = {*DEVICE_FIELDS, *DEVICE_ATTRIBUTES, *learned}
    return None if name in known else suggestion(name, known)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """``did you mean 'memory'?``, or None when nothing is near."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"did you mean {close[0]!r}?" if close else None
