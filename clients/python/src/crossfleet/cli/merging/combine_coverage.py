"""Entry: run by path with the suite's own interpreter, ``python combine_coverage.py``, its order on standard input.

The order is JSON: ``out``, the file to write; ``files``, what is combined and kept; ``roots``, the folders that the
checkout ``here`` had elsewhere. Exit status 0; 1 with a message on standard error. Standard library and coverage only.
"""

import json
import os
import sys


def main() -> int:
    """Combine and save."""
    # Not the folder of this script: what stands beside it must not be imported by the suite's interpreter.
    own = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.realpath(place or ".") != own]
    order = json.load(sys.stdin)
    try:
        import coverage
    except ImportError:
        sys.stderr.write(f"{sys.executable} has no coverage: name the suite's interpreter with --python PATH\n")
        return 1
    try:
        measured = coverage.Coverage(data_file=order["out"])
        paths = dict(measured.get_option("paths") or {})
        elsewhere = [root for root in order["roots"] if root != order["here"]]
        if elsewhere:
            paths["crossfleet"] = [order["here"], *elsewhere]
            measured.set_option("paths", paths)
        measured.combine(order["files"], strict=True, keep=True)
        measured.save()
    except coverage.CoverageException as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
