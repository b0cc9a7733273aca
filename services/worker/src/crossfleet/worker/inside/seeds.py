"""Seeds that every process of a run has in common."""

from __future__ import annotations

import os
import sys
from typing import Any


def share(option: Any) -> None:
    """Let pytest-randomly use the run's seed where it would draw one: processes on all hosts then have the same."""
    drawn = getattr(option, "randomly_seed", None)
    by_default = getattr(sys.modules.get("pytest_randomly"), "default_seed", "default")  # versions that draw at import
    seed = os.environ.get("PYTHONHASHSEED", "")
    if drawn is not None and drawn in ("default", by_default) and seed.isdigit():
        option.randomly_seed = int(seed)
