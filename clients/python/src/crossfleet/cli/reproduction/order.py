"""An order of cases that led to a failure, with all that a replay needs; kept in a file of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reproduction.sameness import Recorded

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Order:
    """The cases of one slot's process up to the one that failed, which comes last.

    `missing` counts cases that it executed and whose ids are not known. `narrow`: only the files of `cases` are
    collected. `shortest`: nothing can be left out. `run_number` is the slot's among the `run_slots` of the run. `worker`, `host` and `versions` are for people.
    """

    run: str
    target: str
    cases: tuple[str, ...]
    outcome: str
    message: str
    details: str = ""
    signal: int = 0
    missing: int = 0
    arguments: tuple[str, ...] = ()
    as_module: bool = False
    folder: str = ""
    root: str = ""
    commit: str = ""
    python: str = ""
    requirements: str = ""
    python_version: str = ""
    variables: tuple[str, ...] = ()
    case_seconds: float = 0.0
    seeds: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    worker: str = ""
    host: str = ""
    slot: int = 0
    run_number: int = 0
    run_slots: int = 1
    process: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    narrow: bool = False
    shortest: bool = False

    @property
    def case(self) -> str:
        """The case that failed."""
        return self.cases[-1]

    @property
    def before(self) -> tuple[str, ...]:
        """What its process executed before it."""
        return self.cases[:-1]

    @property
    def recorded(self) -> Recorded:
        """How it ended in its run."""
        return Recorded(self.outcome, self.message, self.details, self.signal)

    def with_before(self, before: tuple[str, ...], **more: Any) -> Order:
        """The same with other cases before the last."""
        return replace(self, cases=(*before, self.case), **more)

    def write(self, path: Path) -> None:
        """Keeps it in a file, its folder too. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(json.dumps({"schema": SCHEMA, "order": asdict(self)}, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)


def read_order(path: str) -> Order:
    """The order in a file. Raises UsageError, naming the field that is wrong."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--order {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--order {path}: not a file that `crossfleet reproduce` wrote: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or not isinstance(content.get("order"), dict):
        raise UsageError(f"--order {path}: not an order of schema {SCHEMA}")
    table: dict[str, Any] = content["order"]
    values = {name: _checked(path, name, value) for name, value in table.items()}
    absent = [each for each in ("run", "target", "cases", "outcome", "message") if each not in values]
    if absent or not values["cases"]:
        raise UsageError(f"--order {path}: order.{absent[0] if absent else 'cases'} is missing or empty")
    return Order(**values)


_KINDS = get_type_hints(Order)
_NAMES = frozenset(each.name for each in fields(Order))


def _checked(path: str, name: str, value: Any) -> Any:
    if name not in _NAMES:
        raise UsageError(f"--order {path}: order.{name} is not known: it may come from a later version")
    kind = _KINDS[name]
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind == tuple[str, ...] and texts:
        return tuple(value)
    if kind == Mapping[str, str] and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise UsageError(f"--order {path}: order.{name} is of a wrong kind")
