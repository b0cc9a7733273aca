"""`crossfleet admin election reset`: for a database whose election's cluster was replaced, or restored from a backup."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from crossfleet.cli.exits import UsageError
from crossfleet.cli.parsing import Parser

_DATABASE, _PASSWORD_FILE = "CROSSFLEET_COORDINATOR_DATABASE", "CROSSFLEET_COORDINATOR_DATABASE_PASSWORD_FILE"
_DESCRIPTION = """
Lets the winner of any election lead on this database again. A ledger remembers the etcd cluster and the revision by which its
last leader was elected, and refuses a winner of another cluster or of an earlier revision (ELECTION_RESET_NEEDED): after a
new cluster was set up, or an old one was restored from a backup, say here that this is meant. No run, result or event changes.
Without --yes it only shows what is there. It works on the database directly; stop the coordinators first.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `admin election`."""
    made = Parser(
        "admin election",
        description=_DESCRIPTION,
        epilog="examples:\n  crossfleet admin election reset --database postgresql+psycopg://fleet@db/fleet --yes",
    )
    made.add_argument("action", choices=("reset",))
    made.add_argument("--database", default="", metavar="URL", help=f"as the coordinators'; default {_DATABASE}")
    made.add_argument("--database-password-file", default="", metavar="FILE", help=f"default {_PASSWORD_FILE}")
    made.add_argument("--yes", action="store_true", help="do it")
    made.add_argument(
        "--force", action="store_true", help="also while a leader is connected; it can commit nothing more"
    )
    return made


def main(arguments: list[str]) -> int:
    """Resets the election; answers the exit status."""
    options = parser().parse_args(arguments)
    # By the environment, not by arguments: everybody on this machine can read those, and the URL may hold a password.
    given = {_DATABASE: options.database, _PASSWORD_FILE: options.database_password_file}
    variables = os.environ | {name: value for name, value in given.items() if value}
    if not variables.get(_DATABASE):
        raise UsageError(f"which database? --database URL, or {_DATABASE}. A ledger in a data folder has no election")
    flags = [word for word, wanted in (("--yes", options.yes), ("--force", options.force)) if wanted]
    command = [sys.executable, "-P", "-m", "crossfleet.coordinator.resetting", *flags]
    return subprocess.run(command, env=variables, check=False).returncode
