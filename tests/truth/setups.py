"""A pytest plugin: adds a line with its scope to the file SETUPS for each fixture that is set up, in any process.

Loaded into the suite's interpreter by `-p setups`: standard library and pytest only.
"""

import os


def pytest_fixture_setup(fixturedef, request):
    with open(os.environ["SETUPS"], "a") as file:
        file.write("{}\n".format(getattr(fixturedef.scope, "value", fixturedef.scope)))
