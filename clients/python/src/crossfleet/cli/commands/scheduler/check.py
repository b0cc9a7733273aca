"""`crossfleet scheduler check`: plays the coordinator against any server of SchedulerService."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from crossfleet.cli import exits
from crossfleet.cli.parsing import Parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.paint import Paint, painter
from crossfleet.cli.reporting.schedulers import NO_SCHEDULER
from crossfleet.cli.reporting.table import table
from crossfleet.client.conformance.check import Check
from crossfleet.client.conformance.kit import Finding, Report, Verdict, chosen, examine
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.errors import Unavailable, Unimplemented

_DESCRIPTION = """
Plays the coordinator against a scheduler: sends it fleets and queues, answers its plans, and judges each of them. Where a check
does not hold it says what is wrong, what follows from that, and what was sent and came before. Checks at the level `must` make
the exit status 1; those at `should` are warnings. Nothing is placed, and no fleet is needed. Do not check one that serves a fleet:
a coordinator may lose its stream.
"""
_STYLES = {Verdict.PASSED: "green", Verdict.WARNED: "yellow", Verdict.FAILED: "red", Verdict.SKIPPED: "dim"}


def parser() -> argparse.ArgumentParser:
    """The parser of `scheduler check`."""
    made = Parser(
        "scheduler check",
        description=_DESCRIPTION,
        epilog="examples:\n"
        "  crossfleet scheduler check localhost:7401\n"
        "  crossfleet scheduler check localhost:7401 --only capacity --only stream.gap\n"
        "  crossfleet scheduler check --list",
    )
    made.add_argument("address", nargs="?", default="", metavar="ADDRESS", help="HOST:PORT or unix:/PATH")
    made.add_argument("--token-file", default="", metavar="FILE", help="the token that the scheduler asks for")
    made.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a check or a family of checks; repeatable"
    )
    made.add_argument(
        "--limit", type=_seconds, default=5.0, metavar="SECONDS", help="wait so long for an expected plan; default 5"
    )
    made.add_argument("--list", action="store_true", help="list the checks and play none")
    made.add_argument("--verbose", action="store_true", help="name each check, also those that hold")
    made.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return made


def main(arguments: list[str]) -> int:
    """Plays the checks; answers 1 where one fails."""
    options = parser().parse_args(arguments)
    checks, as_json = chosen(options.only), options.output == "json"
    if options.list:
        _print_list(checks, as_json=as_json)
        return exits.PASSED
    if not options.address:
        raise exits.UsageError("which scheduler? Give its ADDRESS: HOST:PORT or unix:/PATH")
    paint = painter(options.color)
    told = _teller(paint, verbose=options.verbose) if not as_json else lambda finding: None

    async def examined() -> Report:
        async with open_channel(options.address, token_file=options.token_file) as channel:
            return await examine(channel, checks, limit=options.limit, on_finding=told)

    try:
        report = asyncio.run(examined())
    except (Unavailable, Unimplemented) as error:
        why = NO_SCHEDULER if isinstance(error, Unimplemented) else str(error)
        print(f"crossfleet scheduler check: no scheduler answers at {options.address}: {why}", file=sys.stderr)
        return exits.FLEET
    if as_json:
        print(documents.write(_document(report)))
    else:
        _print_summary(report, options.address, paint)
    return exits.FAILED if report.count(Verdict.FAILED) else exits.PASSED


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.2 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds from 0.2 to 600")
    return seconds


def _teller(paint: Paint, *, verbose: bool) -> Callable[[Finding], None]:
    def tell(finding: Finding) -> None:
        check, verdict = finding.check, finding.verdict
        if verdict in (Verdict.PASSED, Verdict.SKIPPED) and not verbose:
            return
        print(f"{paint(f'{verdict:<7}', _STYLES[verdict])}  {check.name}: {check.sentence}", flush=True)
        for text in finding.wrongs:
            print(f"         {text}")
        if verdict in (Verdict.WARNED, Verdict.FAILED):
            print(f"         why it matters: {check.why}")
            for line in finding.lines:
                print(paint(f"           {line}", "dim"))
            print(flush=True)

    return tell


def _print_summary(report: Report, address: str, paint: Paint) -> None:
    families = dict.fromkeys(one.check.family for one in report.findings)
    rows = []
    for family in families:
        own = Report(report.described, tuple(one for one in report.findings if one.check.family == family))
        rows.append((family, *(str(own.count(verdict) or "") for verdict in Verdict)))
    rows.append(("all", *(str(report.count(verdict)) for verdict in Verdict)))
    print(table(("family", *Verdict), rows, right=frozenset((1, 2, 3, 4)), paint=paint))
    described = report.described
    takes = "snapshots only" if described.snapshots_only else "deltas"
    takes += " with fits" if described.wants_fits else ""
    able = f"; {', '.join(described.abilities)}" if described.abilities else ""
    verdict = Verdict.FAILED if report.count(Verdict.FAILED) else Verdict.PASSED
    print(f"\n{described.name} {described.version} at {address} ({takes}{able}): {paint(verdict, _STYLES[verdict])}")


def _print_list(checks: tuple[Check, ...], *, as_json: bool) -> None:
    rows = [(one.name, str(one.level), one.sentence, ", ".join(sorted(one.needs))) for one in checks]
    if as_json:
        heads = ("name", "level", "sentence", "needs")
        print(documents.write(documents.envelope("checks", [dict(zip(heads, row, strict=True)) for row in rows])))
    else:
        print(table(("check", "level", "what a scheduler does that passes", "needs"), rows))


def _document(report: Report) -> dict[str, object]:
    findings = [
        {
            "name": one.check.name,
            "level": one.check.level,
            "sentence": one.check.sentence,
            "why": one.check.why,
            "verdict": one.verdict,
            "wrong": one.wrongs,
            "lines": one.lines,
            "seconds": round(one.seconds, 3),
        }
        for one in report.findings
    ]
    counts = {verdict.value: report.count(verdict) for verdict in Verdict}
    return documents.envelope("checks", findings) | {
        "scheduler": documents.plain(report.described),
        "counts": counts,
    }
