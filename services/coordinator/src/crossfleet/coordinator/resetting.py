"""`python -m crossfleet.coordinator.resetting`: what `crossfleet admin election reset` calls. The database is the settings'."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from crossfleet.coordinator.ledger.store import StoreFailed, StoreRefused

_DATABASE, _PASSWORD_FILE = "CROSSFLEET_COORDINATOR_DATABASE", "CROSSFLEET_COORDINATOR_DATABASE_PASSWORD_FILE"
_DONE, _REFUSED, _FAILED = 0, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Shows what is there, and with --yes resets it; answers the exit status: 0 done, 2 refused, 3 the database failed."""
    parser = argparse.ArgumentParser(prog="python -m crossfleet.coordinator.resetting", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="reset, instead of showing what is there")
    parser.add_argument("--force", action="store_true", help="even though a leader lives: it is deposed")
    options = parser.parse_args(arguments)
    try:
        return _reset(yes=options.yes, force=options.force)
    except StoreFailed as error:
        print(f"the database: {error}", file=sys.stderr)
        return _REFUSED if isinstance(error, StoreRefused) else _FAILED


def _reset(*, yes: bool, force: bool) -> int:
    from crossfleet.coordinator.ledger import reset
    from crossfleet.coordinator.ledger.postgres import PostgresAddress

    address = PostgresAddress(os.environ.get(_DATABASE, ""), os.environ.get(_PASSWORD_FILE, ""))
    found = reset.look(address)
    head = found.head
    election = (
        f"cluster {head.election_cluster}, revision {head.election_revision}" if head.election_cluster else "none"
    )
    print(f"database  {address}")
    print(f"ledger    epoch {head.epoch}, commit {head.seq}, led by {head.leader or 'nobody yet'}")
    print(f"election  {election}")
    if found.living:
        print(f"a leader is connected: {found.living}")
    if not yes:
        print("Nothing was changed: --yes lets the winner of any election lead from here on.", file=sys.stderr)
        return _REFUSED
    try:
        after = reset.reset(address, force=force)
    except reset.LeaderLives:
        print("Nothing was changed: stop that coordinator, or depose it with --force.", file=sys.stderr)
        return _REFUSED
    print(
        f"The election is reset, under epoch {after.epoch}: the winner of the next one leads. Start the coordinators."
    )
    return _DONE


if __name__ == "__main__":
    sys.exit(main())
