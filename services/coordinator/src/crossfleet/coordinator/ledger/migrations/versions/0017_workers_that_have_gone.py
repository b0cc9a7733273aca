"""Since when a worker is gone, and whether it left in good order."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

_LOST = 4


def upgrade() -> None:
    op.add_column("workers", sa.Column("gone_at", sa.Double(), nullable=False, server_default=sa.text("0")))
    op.add_column("workers", sa.Column("has_left", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Nobody knows since when; each is remembered for as long as if it had gone now.
    workers = sa.table("workers", sa.column("state", sa.SmallInteger), sa.column("gone_at", sa.Double))
    op.execute(workers.update().where(workers.c.state == _LOST).values(gone_at=time.time()))


def downgrade() -> None:
    op.drop_column("workers", "has_left")
    op.drop_column("workers", "gone_at")
