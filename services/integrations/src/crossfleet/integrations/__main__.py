"""`python -m crossfleet.integrations`."""

from crossfleet.foundation.serve import end_process
from crossfleet.integrations.main import main

end_process(main())
