"""How the suite of a group ended, and the long text of its cause."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task_groups", sa.Column("ending", sa.SmallInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("task_groups", sa.Column("cause_details", sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_column("task_groups", "cause_details")
    op.drop_column("task_groups", "ending")
