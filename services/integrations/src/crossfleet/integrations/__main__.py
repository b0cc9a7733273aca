"""`python -m crossfleet.integrations`."""

import sys

from crossfleet.integrations.main import main

sys.exit(main())
