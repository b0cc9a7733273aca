"""A worker on this machine that says it is on another one: `python -m tests.faults.other_host`, with a worker's flags."""

import platform

from crossfleet.foundation.serve import end_process
from crossfleet.worker.main import main

if __name__ == "__main__":
    platform.node = lambda: "other-host"
    end_process(main())
