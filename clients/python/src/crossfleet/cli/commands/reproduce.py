"""`crossfleet reproduce`: replays the order in which a case failed, here, and shrinks it."""

from __future__ import annotations

import argparse
import functools
import hashlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from crossfleet.cli import exits
from crossfleet.cli.amounts import seconds
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.fleet import folders
from crossfleet.cli.reporting import documents
from crossfleet.cli.reproduction.finding import Wanted, find
from crossfleet.cli.reproduction.order import Order, read_order
from crossfleet.cli.reproduction.replaying import Place, replay
from crossfleet.cli.reproduction.search import Found, Search, conclusion
from crossfleet.cli.reproduction.surroundings import folder_of, interpreter_of
from crossfleet.client.listing import commit_of, git_root

_SHOWN = 20


def parser() -> argparse.ArgumentParser:
    """The parser of `reproduce`."""
    made = command_parser(
        "reproduce",
        "Replays, with plain pytest on this machine, what one process of a run executed up to a failed case: the same\n"
        "cases in the same order with the same seeds. When it fails in the same way, looks for the fewest cases before it\n"
        "with which it still fails. Exit status: 0 it failed as recorded, 1 it did not, 2 wrong usage, 130 interrupted.",
        "  crossfleet reproduce test_a.py::test_bad            of the latest run in which it failed\n"
        "  crossfleet reproduce test_bad --run run-01j... --target gpu --python .venv/bin/python\n"
        "  crossfleet reproduce --order FILE                   once more, as it was found",
    )
    made.add_argument("case", nargs="?", default="", metavar="CASE", help="as a report shows it, or the end of its id")
    made.add_argument("--run", default="", metavar="RUN", help="default: the latest run in which it failed")
    made.add_argument("--target", default="", metavar="NAME", help="needed where it failed on several")
    made.add_argument("--python", default="", metavar="PATH", help="default: the run's, or one with its requirements")
    made.add_argument("--order", default="", metavar="FILE", help="replay an order that was found before")
    made.add_argument("--no-shrink", action="store_true", help="only replay")
    made.add_argument("--attempts", type=_attempts, default=3, metavar="N", help="replays before giving up; default 3")
    made.add_argument("--budget", type=seconds, default=600.0, metavar="TIME", help="of all together; default 10m")
    return made


def _attempts(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of attempts: 1 to 1000")
    return int(text)


def main(arguments: list[str]) -> int:
    """Reproduces a failure; answers the exit status."""
    options = parser().parse_args(arguments)
    order = _wanted(options)
    data = folders.data_folder(options.data)
    python = interpreter_of(order, options.python, data)
    folder = folder_of(order, Path.cwd())
    as_json = options.output == "json"
    note = _noting(sys.stderr if as_json else sys.stdout)
    for line in _introduction(order, folder, python):
        note(line)
    place = Place(folder, python, 2 if as_json else 1)
    search = Search(functools.partial(replay, place=place), budget=options.budget, note=note, progress=_progressing())
    found, took = search.attempt(order, options.attempts)
    if found.reproduced and not options.no_shrink and not order.shortest:
        note(f"\nit fails as it did in the run ({found.showed}); looking for the shortest order that does so")
        found = search.shorten(found, took)
    file = _kept(found, options.order, data) if found.reproduced else ""
    command = shlex.join(["crossfleet", "reproduce", "--order", file]) if file else ""
    if as_json:
        print(documents.write(_document(found, file, command)))
    else:
        _conclude(found, command)
    if found.stopped == "interrupted":
        return exits.INTERRUPTED
    return exits.PASSED if found.reproduced else exits.FAILED


def _wanted(options: argparse.Namespace) -> Order:
    """Raises UsageError."""
    if options.order:
        if options.case or options.run or options.target:
            raise exits.UsageError("--order has its case in the file: name neither CASE nor --run nor --target")
        return read_order(options.order)
    if not options.case:
        raise exits.UsageError("name the case that failed, for instance: crossfleet reproduce test_a.py::test_bad")
    wanted = Wanted(options.case, options.run, options.target)
    return ask(options.data, lambda client: find(client, wanted), history=True)


def _introduction(order: Order, folder: Path, python: str) -> list[str]:
    count = len(order.before)
    where = f"process {order.process} of slot {order.slot} on {order.worker}" + (
        f" ({order.host})" if order.host else ""
    )
    lines = [
        f"{order.case} [{order.target}] {order.outcome.replace('_', ' ')} in {order.run}: {order.message}".rstrip(": "),
        f"{where} had executed {count} case{'s' * (count != 1)} before it; seeds: {_pairs(order)}",
        f"replaying in {folder} with {python}",
    ]
    if order.missing:
        lines.append(f"{order.missing} more that it executed are not known: their verdicts came from elsewhere")
    here = commit_of(git_root(folder) or folder) if order.commit else ""
    if here and here != order.commit:
        lines.append(f"the run was of commit {order.commit[:12]}, checked out here is {here[:12]}")
    if order.variables:
        lines.append(f"the target set {', '.join(order.variables)}: their values are not kept, set them yourself")
    return [*lines, ""]


def _pairs(order: Order) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(order.seeds.items())) or "none recorded"


def _kept(found: Found, given: str, data: str) -> str:
    """The file with the order that was found; the one that was given, where it is the same."""
    if given and found.order.shortest and read_order(given) == found.order:
        return given
    # Each order has a file of its own: a longer one never takes the place of one that was shrunk.
    key = hashlib.sha256("\0".join((found.order.target, *found.order.cases)).encode()).hexdigest()[:8]
    path = Path(data, "orders", f"{found.order.run}-{key}.json")
    found.order.write(path)
    return str(path)


def _conclude(found: Found, command: str) -> None:
    print()
    print(
        f"{found.order.case} {conclusion(found)}" if found.stopped != "it is not collected here" else conclusion(found)
    )
    if found.reproduced and len(found.order.before) > 1:
        shown = found.order.before[:_SHOWN]
        print("\n".join(f"  {case}" for case in shown))
        if len(found.order.before) > _SHOWN:
            print(f"  and {len(found.order.before) - _SHOWN} more")
    if found.stopped in ("interrupted", "out of time") and found.reproduced:
        print(f"{found.stopped} after {found.tries} tries: a shorter order may do (--budget TIME gives it longer)")
    if command:
        print(f"\n  again  {command}")


def _document(found: Found, file: str, command: str) -> dict[str, object]:
    return documents.envelope(
        "reproduction",
        {
            "reproduced": found.reproduced,
            "conclusion": conclusion(found),
            "attempts": found.attempts,
            "tries": found.tries,
            "stopped": found.stopped,
            "showed": found.showed,
            "file": file,
            "command": command,
            "order": asdict(found.order),
        },
    )


def _noting(stream: object) -> Callable[[str], None]:
    return functools.partial(print, file=stream, flush=True)


def _progressing() -> Callable[[str], None]:
    """One line that is written over on a terminal; elsewhere a line each time that it fails with fewer."""
    if sys.stderr.isatty():
        return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    return lambda text: print(text, file=sys.stderr, flush=True) if text.endswith(": fails") else None
