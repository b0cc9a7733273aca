"""`python -m crossfleet.coordinator`."""

from crossfleet.coordinator.main import main
from crossfleet.foundation.serve import end_process

end_process(main())
