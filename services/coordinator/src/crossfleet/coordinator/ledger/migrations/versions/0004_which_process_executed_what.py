"""Which process of a slot executed a case, as which of its cases, and what that process was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("verdicts", "earlier_results"):
        op.add_column(table, sa.Column("process", sa.Integer(), nullable=False, server_default=sa.text("0")))
        op.add_column(table, sa.Column("position", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("allocations", sa.Column("runner", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_column("allocations", "runner")
    for table in ("earlier_results", "verdicts"):
        op.drop_column(table, "position")
        op.drop_column(table, "process")
