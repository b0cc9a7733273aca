"""``python -m crossfleet.worker.shim``."""

import sys

from crossfleet.worker.shim.main import main

sys.exit(main(sys.argv[1:]))
