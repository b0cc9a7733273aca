"""The schema, the same for SQLite and PostgreSQL. Times are unix seconds, `counts` lists numbers by outcome."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    text,
)

REVISION = "0023"
"""The migration that leads to this schema."""

metadata = MetaData()

# One row. Every transaction moves it first: that fences deposed leaders, orders commits and settles unknown ones.
ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("leader", Text, nullable=False),
    Column("election_cluster", Text, nullable=False),
    Column("election_revision", BigInteger, nullable=False),
    Column("backend_pid", BigInteger, nullable=False),
    Column("next_attempt", BigInteger, nullable=False),
    Column("next_task", BigInteger, nullable=False),
    Column("next_allocation", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
)

# The facts of one commit about one run (or, with an empty id, about the fleet), packed.
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("events_by_run", "run_id", "seq"),
)

# `live`: not finished, or still holding slots; such runs are loaded by a leader.
runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("runner", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("spec", LargeBinary, nullable=False),
    Column("cursor_seq", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("verdict", SmallInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double, nullable=False),
    Column("live", Boolean, nullable=False),
    Index("runs_by_time", "created_at", "run_id"),
    Index("runs_live", "live"),
)

task_groups = Table(
    "task_groups",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("deselected", Integer, nullable=False),
    Column("counts", Text, nullable=False),
    Column("waiting_code", Text, nullable=False),
    Column("waiting_text", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("ending", SmallInteger, nullable=False, server_default=text("0")),
    Column("cause_details", Text, nullable=False, server_default=text("''")),
    Column("skipped", Boolean, nullable=False, server_default=false()),
    Column("alternatives", Text, nullable=False, server_default=text("''")),
    Column("limits", LargeBinary, nullable=False, server_default=text("''")),
    Column("unchanged_since", Text, nullable=False, server_default=text("''")),
    Column("comparison", Text, nullable=False, server_default=text("''")),
    Index("task_groups_by_run", "run_id", "position"),
)

collections = Table(
    "collections",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("cases", LargeBinary, nullable=False),
)

added_cases = Table(
    "added_cases",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("case_index", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Text, nullable=False),
)

# `batch` is the commit that holds the full result in `results`, 0 for none. `process` of the attempt's slot executed it as its case number `position`.
verdicts = Table(
    "verdicts",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("case_index", Integer, primary_key=True, autoincrement=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("message", Text, nullable=False),
    Column("attempt_id", BigInteger, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("process", Integer, nullable=False, server_default=text("0")),
    Column("position", Integer, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

# Failures after which a case was run again; `batch`, `process` and `position` as in `verdicts`.
earlier_results = Table(
    "earlier_results",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("case_index", Integer, primary_key=True, autoincrement=False),
    Column("attempt_id", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("message", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("process", Integer, nullable=False, server_default=text("0")),
    Column("position", Integer, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

results = Table(
    "results",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("payloads", LargeBinary, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", BigInteger, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("allocation_id", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("assigned_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("cause", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("peak_memory", BigInteger, nullable=False),
    Column("alternative", Integer, nullable=False, server_default=text("0")),
    Index("attempts_by_run", "run_id", "attempt_id"),
)

# `models` is a JSON object, the models of a slot's devices by its number; empty where they are not known.
allocations = Table(
    "allocations",
    metadata,
    Column("allocation_id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("slots", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double, nullable=False),
    Column("cause", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("runner", LargeBinary, nullable=False, server_default=text("''")),
    Column("cost_per_hour", Double, nullable=False, server_default=text("0")),
    Column("given_back", Text, nullable=False, server_default=text("'[]'")),
    Column("spent", Double, nullable=False, server_default=text("0")),
    Column("models", Text, nullable=False, server_default=text("''")),
    Index("allocations_by_run", "run_id"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("artifacts_by_digest", "digest"),
)

# What workers keep until it can be stored; what has become an artifact meanwhile waits no longer.
waiting_artifacts = Table(
    "waiting_artifacts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("worker_id", Text, nullable=False),
    Column("since", Double, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("incarnation", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("cause", Text, nullable=False),
    Column("runners", Text, nullable=False),
    Column("description", LargeBinary, nullable=False),
    Column("joined_at", Double, nullable=False),
    Column("health", Text, nullable=False, server_default=text("''")),
    Column("overrides", Text, nullable=False, server_default=text("''")),
    Column("gone_at", Double, nullable=False, server_default=text("0")),
    Column("has_left", Boolean, nullable=False, server_default=false()),
)

# Mean and variance of the logarithm of a case's seconds, and the weight of what is known.
durations = Table(
    "durations",
    metadata,
    Column("suite_key", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("mean", Double, nullable=False),
    Column("variance", Double, nullable=False),
    Column("weight", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

semaphores = Table(
    "semaphores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("capacity", Integer, nullable=False),
)

# Null is no limit; `devices` is a JSON object, the most of each class.
quotas = Table(
    "quotas",
    metadata,
    Column("project", Text, primary_key=True),
    Column("slots", Integer, nullable=True),
    Column("runs", Integer, nullable=True),
    Column("devices", Text, nullable=False),
)

# A grace of null: what executes goes on to its end; `projects` is a JSON list.
priority_classes = Table(
    "priority_classes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("priority", Integer, nullable=False),
    Column("preempts", Boolean, nullable=False),
    Column("preemptible", Boolean, nullable=False),
    Column("grace", Double, nullable=True),
    Column("projects", Text, nullable=False),
)

# With what its needs had produced a target has passed; `inputs` is a digest of that.
proofs = Table(
    "proofs",
    metadata,
    Column("project", Text, primary_key=True),
    Column("suite", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("inputs", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index("proofs_by_run", "run_id"),
)

# `worker_ids` lists those that are kept now.
reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("selector", Text, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("worker_ids", Text, nullable=False),
)

# `waiting` lists nominal times that are to become runs.
schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("schedule_id", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("missed", SmallInteger, nullable=False),
    Column("overlap", SmallInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("next_at", Double, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("waiting", Text, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("last_run", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("spec", LargeBinary, nullable=False),
)

# One row, from when the fleet first removes from a store that others may use too.
fleet = Table(
    "fleet",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("fleet_id", Text, nullable=False),
)

# The same table as alembic's own: a file that is created whole is stamped without importing alembic.
alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
