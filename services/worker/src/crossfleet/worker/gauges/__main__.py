"""A process that reads its host's gauges: for each line on its standard input a line of JSON, until the input ends.

`python -m crossfleet.worker.gauges ROOT PID`: /proc and /sys are below ROOT, PID and all below it are one's own.
"""

import json
import sys
from pathlib import Path

from crossfleet.worker.gauges import gpus
from crossfleet.worker.gauges.host import read


def main() -> None:
    """Answer."""
    root, own = Path(sys.argv[1]), int(sys.argv[2])
    nvml = gpus.Gpus() if gpus.present(root / "proc") else None
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(read(root, own, nvml)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
