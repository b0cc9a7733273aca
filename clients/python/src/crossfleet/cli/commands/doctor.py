"""`crossfleet doctor`: what is wrong with this installation, environment and fleet."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from crossfleet.cli import exits
from crossfleet.cli.connecting import command_parser
from crossfleet.cli.diagnosis import fleet, installation, machine
from crossfleet.cli.fleet import folders
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.paint import painter

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def parser() -> argparse.ArgumentParser:
    """The parser of `doctor`."""
    made = command_parser(
        "doctor",
        "Looks at this installation, this machine and the fleet; each line is ok, warn or fail with its mend. "
        "Exit status 1 where something fails.",
        "  crossfleet doctor\n  crossfleet doctor --output json",
    )
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return made


def main(arguments: list[str]) -> int:
    """Prints the findings; answers 1 where one fails."""
    options = parser().parse_args(arguments)
    data = folders.data_folder(options.data)
    findings = [*installation.examine(), *machine.examine(data), *fleet.examine(options.data)]
    if options.output == "json":
        print(documents.write(documents.envelope("findings", [asdict(finding) for finding in findings])))
    else:
        paint = painter(options.color)
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            print(
                f"{paint(f'{finding.status:<4}', _STYLES[finding.status])}  {finding.subject:<{width}}  {finding.text}"
            )
            if finding.mend and finding.status != "ok":
                print(f"{'':<{width + 8}}mend: {finding.mend}")
    return exits.FAILED if any(finding.status == "fail" for finding in findings) else exits.PASSED
