"""Run by path with the suite's interpreter (3.8 and up, with pytest-cov): joins data files, reports as pytest-cov does.

What is wanted comes as JSON on standard input. Exit status 1: less is covered than required; 9: there is no pytest-cov.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig

_LACKING = 9


def main() -> int:
    """Combine, report, judge."""
    wanted = json.load(sys.stdin)
    try:
        from coverage import Coverage
        from coverage.exceptions import CoverageException
        from pytest_cov.engine import Central
    except ImportError:
        return _LACKING
    measured = Coverage(source=wanted["source"], branch=wanted["branch"], config_file=wanted["config"])
    if wanted["append"]:
        measured.load()
    else:
        measured.erase()
    paths = dict(measured.get_option("paths") or {})
    paths["crossfleet-workspace"] = wanted["roots"]
    paths["crossfleet-packages"] = [sysconfig.get_paths()["purelib"], "*/site-packages"]
    measured.set_option("paths", paths)
    try:
        measured.combine(wanted["data"], keep=True)
        measured.save()
        if not wanted["reports"] and not wanted["fail_under"]:
            return 0
        controller = Central.__new__(Central)  # its arguments have changed, what it reads has not
        names = ("source", "config", "append", "branch", "precision")
        vars(controller).update({"cov_" + name: wanted[name] for name in names})
        controller.cov_report = wanted["reports"]
        controller.cov = measured
        controller.topdir = os.getcwd()
        controller.node_descs = set(wanted["descriptions"])
        controller.failed_workers = []
        total = controller.summary(sys.stdout)
    except CoverageException as error:
        sys.stderr.write(f"coverage: {error}\n")
        return 1 if wanted["fail_under"] else 0
    return _judge(float(total or 0), wanted["fail_under"], wanted["precision"])


def _judge(total: float, required: float | None, precision: int | None) -> int:
    if not required:
        return 0
    from coverage.results import should_fail_under

    missed = should_fail_under(total, required, precision or 0)
    word = "not reached" if missed else "reached"
    prefix = "FAIL " if missed else ""
    print(f"{prefix}Required test coverage of {required}% {word}. Total coverage: {total:.2f}%")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
