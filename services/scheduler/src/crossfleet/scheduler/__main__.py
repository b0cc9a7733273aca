"""``python -m crossfleet.scheduler``."""

from crossfleet.foundation.serve import end_process
from crossfleet.scheduler.main import main

end_process(main())
