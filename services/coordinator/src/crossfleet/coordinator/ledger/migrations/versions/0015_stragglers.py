"""Slots that an allocation gave back singly; time limits of cases that were learnt."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allocations", sa.Column("given_back", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("task_groups", sa.Column("limits", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_column("allocations", "given_back")
    op.drop_column("task_groups", "limits")
