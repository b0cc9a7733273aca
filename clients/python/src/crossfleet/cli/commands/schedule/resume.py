"""`crossfleet schedule resume`: lets a paused schedule go on."""

from __future__ import annotations

import argparse

from crossfleet.cli.commands.schedule.changing import change, parser_of
from crossfleet.cli.reporting.schedules import coming


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule resume`."""
    return parser_of("resume", "Lets a paused schedule go on, from its next time on.")


def main(arguments: list[str]) -> int:
    """Resumes a schedule; answers the exit status."""
    options = parser().parse_args(arguments)
    return change(options, lambda client, name: client.schedules.resume(name), lambda found: f"next {coming(found)}")
