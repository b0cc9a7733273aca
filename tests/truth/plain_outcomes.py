"""A pytest plugin: writes what pytest itself counted, as `[[id, outcome, sections], ...]`, to the file OUTCOMES names.

The second case of one id is told as `id#2`. Sections are those of the last report of a case, `[[title, text], ...]`.
Loaded into the suite's interpreter by `-p plain_outcomes`: standard library and pytest only.
"""

import json
import os

KINDS = ("skipped", "xfailed", "xpassed", "passed", "failed", "error")


def pytest_configure(config):
    config.pluginmanager.register(Recorder(config))


class Recorder:
    """Names what is reported, for the session in whose configuration it is."""

    def __init__(self, config):
        self._config = config
        self._started = {}
        self._names = {}
        self._sections = {}
        self._kept = []

    def pytest_runtest_logstart(self, nodeid):
        self._started[nodeid] = self._started.get(nodeid, 0) + 1

    def pytest_runtest_logreport(self, report):
        self._kept.append(report)  # so that no other object gets its address
        count = self._started.get(report.nodeid, 1)
        name = self._names[id(report)] = report.nodeid if count == 1 else f"{report.nodeid}#{count}"
        if type(report).__name__.lower() != "subtestreport":
            self._sections[name] = [list(section) for section in report.sections if section[1]]

    def pytest_sessionfinish(self, session):
        stats = self._config.pluginmanager.getplugin("terminalreporter").stats
        found: dict = {}
        for kind in KINDS:  # an error in the teardown of a case that passed makes it an error: the later kind holds
            for report in stats.get(kind, ()):
                name = self._names.get(id(report), report.nodeid)
                if kind == "error" and found.get(name) == "failed":
                    continue
                found[name] = kind
        with open(os.environ["OUTCOMES"], "w") as file:
            json.dump([[name, kind, self._sections.get(name, [])] for name, kind in sorted(found.items())], file)
