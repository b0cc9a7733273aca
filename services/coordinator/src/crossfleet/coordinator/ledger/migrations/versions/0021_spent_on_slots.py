"""What slots have cost that were given back singly; `cost_per_hour` is of those that are left."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allocations", sa.Column("spent", sa.Double(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column("allocations", "spent")
