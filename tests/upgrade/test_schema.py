"""Migrations that an older coordinator does not notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect

from crossfleet.coordinator.ledger import schema, tables
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.sql import SqlStore
from tests.upgrade import earlier

pytestmark = pytest.mark.needs_git

# What an earlier leader does while a later version brings the schema up to date: it commits before and after.
LEADER = """
import sys
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.sql import SqlStore
from services.coordinator.tests.ledger.scenario import start, work_off
ledger = Ledger(SqlStore.sqlite(sys.argv[1]))
ledger.open("earlier", "cluster", 1)
start(ledger, "before", now=1.0)
print("led", flush=True)
sys.stdin.readline()
work_off(ledger, now=2.0)
start(ledger, "after", now=3.0)
print("committed", ledger.seq, flush=True)
sys.stdin.readline()
try:
    start(ledger, "late", now=4.0)
except Exception as error:
    print(type(error).__name__, flush=True)
"""


def columns(engine: Engine) -> dict[tuple[str, str], dict[str, Any]]:
    found = inspect(engine)
    return {(table, one["name"]): dict(one) for table in found.get_table_names() for one in found.get_columns(table)}


@pytest.mark.parametrize(("before", "after"), list(zip(schema.REVISIONS, schema.REVISIONS[1:], strict=False)))
def test_a_migration_only_adds_what_older_code_need_not_know(tmp_path: Path, before: str, after: str) -> None:
    engine = sqlite_engine(str(tmp_path / "ledger.sqlite"))
    config = Config()
    config.set_main_option("script_location", "crossfleet.coordinator.ledger:migrations")

    def upgraded(revision: str) -> dict[tuple[str, str], dict[str, Any]]:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        return columns(engine)

    old, new = upgraded(before), upgraded(after)
    engine.dispose()

    kept = {key: (str(one["type"]), one["nullable"], one["primary_key"]) for key, one in old.items()}
    assert {key: (str(new[key]["type"]), new[key]["nullable"], new[key]["primary_key"]) for key in old} == kept
    known = {table for table, _ in old}
    for (table, name), one in new.items():
        if table in known and (table, name) not in old:
            assert one["nullable"] or one["default"] is not None, f"{table}.{name} would refuse rows of older code"


def test_an_earlier_leader_goes_on_while_the_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", LEADER, str(path)],
        cwd=earlier.folder(),
        env=earlier.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as leader:
        assert leader.stdin is not None
        assert leader.stdout is not None
        assert leader.stdout.readline() == "led\n"
        store = SqlStore.sqlite(path)  # of this version: upgrades, and reads what is there
        leader.stdin.write("go on\n")
        assert leader.stdout.readline().startswith("committed")
        successor = Ledger(store)
        successor.open("this", "cluster", 2)
        leader.stdin.write("try\n")
        assert leader.stdout.readline() == "Deposed\n"
    store.close()

    assert set(successor.state.runs) == {"after"}
    assert successor.state.past_runs == {"before"}
    assert schema.REVISIONS[-1] == tables.REVISION
