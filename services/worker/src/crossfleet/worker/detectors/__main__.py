"""`python -m crossfleet.worker.detectors MODULE:CLASS`: prints what one detector finds, as JSON."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import EntryPoint


def main(arguments: list[str]) -> int:
    """Print the devices; 0 also where there are none. What the detector raises ends the process."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m crossfleet.worker.detectors MODULE:CLASS\n")
        return 2
    # A library that prints must not spoil the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    detector = EntryPoint("detector", arguments[0], "crossfleet.detectors").load()()
    json.dump(list(detector.detect()), answer)
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
