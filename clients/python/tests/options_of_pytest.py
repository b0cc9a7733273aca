"""Prints the options of this interpreter's pytest and its plugins as JSON: names, and how many values each takes.

Runs in any environment: standard library and pytest only.
"""

from __future__ import annotations

import json
from typing import Any

import pytest


class Lister:
    """Ends pytest as soon as it has its options."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> int:
        """Print them."""
        own = config._parser
        parser = own.optparser if hasattr(own, "optparser") else own._getparser()
        print(json.dumps([described(action) for action in parser._actions if action.option_strings]))
        return 0


def described(action: Any) -> dict[str, Any]:
    """One option; -1 values: one or none."""
    return {"names": action.option_strings, "values": {"?": -1, None: 1}.get(action.nargs, action.nargs)}


if __name__ == "__main__":
    pytest.main(["-p", "no:cacheprovider", "--rootdir", "/", "-c", "/dev/null"], plugins=[Lister()])
