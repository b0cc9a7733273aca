"""Faults at random while runs go on, and a checker of what became of them."""

import os

# As in the root's conftest.py: processes are started while gRPC is in use.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
