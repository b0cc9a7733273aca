"""``python -m crossfleet.slurm``."""

from crossfleet.foundation.serve import end_process
from crossfleet.slurm.main import main

end_process(main())
