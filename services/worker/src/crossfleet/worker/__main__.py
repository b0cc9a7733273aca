"""`python -m crossfleet.worker`, and `crossfleet-worker`."""

from __future__ import annotations

from typing import NoReturn

from crossfleet.foundation.quiet import quiet_grpc


def run() -> NoReturn:
    """Runs the service and ends the process with its exit status."""
    quiet_grpc()
    from crossfleet.foundation.serve import end_process
    from crossfleet.worker.main import main  # imports gRPC

    end_process(main())


if __name__ == "__main__":
    run()
