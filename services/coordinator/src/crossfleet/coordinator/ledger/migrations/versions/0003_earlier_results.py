"""Failures after which a case was run again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earlier_results",
        sa.Column("group_id", sa.Text(), primary_key=True),
        sa.Column("case_index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("attempt_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("earlier_results")
