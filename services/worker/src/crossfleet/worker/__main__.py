"""`python -m crossfleet.worker`."""

from crossfleet.foundation.serve import end_process
from crossfleet.worker.main import main

end_process(main())
