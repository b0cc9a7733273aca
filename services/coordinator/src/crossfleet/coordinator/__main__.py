"""`python -m crossfleet.coordinator`."""

from crossfleet.coordinator.main import main

main()
