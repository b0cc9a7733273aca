"""Failures as a CI service shows them at their lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.cli.reporting.captured import written
from crossfleet.cli.reporting.case_lines import word_of
from crossfleet.cli.reporting.ci.service import Problem, Service
from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.locations import location_of
from crossfleet.cli.running.results import RunResults


def annotate_failures(results: RunResults, service: Service) -> Iterator[str]:
    """As many as the service shows, and how many are left."""
    bad = results.failures()
    for case in bad[: service.most_annotations]:
        place = location_of(case, results.detail(case), results.run.spec.suite.root)
        name = written(case.case_id + target_mark(results, case.target))
        word = word_of(case.outcome)
        yield service.annotation(
            Problem(written(place.file), place.line, word, name, written(case.message or word.lower()))
        )
    left = len(bad) - service.most_annotations
    if service.most_annotations and left > 0:
        yield service.notice(f"{left} more failures are in the log and in the summary of run {results.run.run_id}")
