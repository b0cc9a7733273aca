"""By which alternatives targets got slots, and what these cost."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_groups", sa.Column("alternatives", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("attempts", sa.Column("alternative", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("allocations", sa.Column("cost_per_hour", sa.Double(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column("allocations", "cost_per_hour")
    op.drop_column("attempts", "alternative")
    op.drop_column("task_groups", "alternatives")
