"""`python -m crossfleet.worker`."""

import sys

from crossfleet.worker.main import main

sys.exit(main())
