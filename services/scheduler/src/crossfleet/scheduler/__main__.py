"""``python -m crossfleet.scheduler``."""

from crossfleet.scheduler.main import main

main()
