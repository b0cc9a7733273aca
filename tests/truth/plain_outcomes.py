"""A pytest plugin: writes what pytest itself counted, as `[[id, outcome], ...]`, to the file OUTCOMES names.

Loaded into the suite's interpreter by `-p plain_outcomes`: standard library and pytest only.
"""

import json
import os

KINDS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def pytest_sessionfinish(session):
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    found: dict = {}
    for kind in KINDS:  # an error in the teardown of a case that passed makes it an error: the later kind holds
        for report in stats.get(kind, ()):
            if kind == "error" and found.get(report.nodeid) == "failed":
                continue
            found[report.nodeid] = kind
    with open(os.environ["OUTCOMES"], "w") as file:
        json.dump(sorted(found.items()), file)
