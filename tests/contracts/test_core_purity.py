"""Which modules the pure and the bare parts of the house may import, as lists of what is allowed.

import-linter knows what is forbidden; a list of what is allowed also refuses what nobody thought of.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# fmt: off
PURE = frozenset([
    "__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "contextlib", "copy",
    "dataclasses", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "graphlib", "hashlib", "heapq",
    "itertools", "json", "math", "numbers", "operator", "re", "reprlib", "statistics", "string", "struct", "textwrap",
    "types", "typing", "zlib",
])
# fmt: on
"""Standard modules without clock, chance, process, file or network."""

BARE = frozenset(sys.stdlib_module_names)

RULES: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "services/matching/src/crossfleet/matching": (
        PURE | {"cel_expr_python"},
        ("crossfleet.api.types", "crossfleet.api.scheduler"),
    ),
    "services/worker/src/crossfleet/worker/shim": (BARE, ()),
    "services/worker/src/crossfleet/worker/inside": (BARE | {"pytest", "_pytest", "numpy", "pytest_benchmark"}, ()),
}
"""For each folder: the top-level packages that it may import, and modules of ours beside its own."""

for core in ROOT.glob("*/*/src/crossfleet/*/core"):
    RULES[core.relative_to(ROOT).as_posix()] = (PURE, ("crossfleet.matching",))
# Structs of msgspec touch nothing: a run may have a million cases, which are made and read several times as fast as of dataclasses.
RULES["services/coordinator/src/crossfleet/coordinator/core"] = (PURE | {"msgspec"}, ("crossfleet.matching",))


def imports(file: Path, package: str) -> Iterator[tuple[int, str]]:
    """Every absolute name that a file imports, also inside functions, with its line."""
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            yield node.lineno, base + (node.module or "")


@pytest.mark.parametrize("folder", RULES)
def test_a_pure_folder_imports_only_what_its_list_allows(folder: str) -> None:
    source, _, package = folder.partition("/src/")
    allowed, ours = RULES[folder]
    ours = (*ours, package.replace("/", "."))
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"{folder} holds no modules: correct the list here"
    root = ROOT / source / "src"
    refused = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files
        for line, name in imports(file, ".".join(file.parent.relative_to(root).parts))
        if name.split(".")[0] not in allowed and not any(name == own or name.startswith(own + ".") for own in ours)
    ]
    assert refused == []
