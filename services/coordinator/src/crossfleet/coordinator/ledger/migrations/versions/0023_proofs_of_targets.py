"""With what its needs had produced a target has passed, and why it ran or not."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_TEXTS = ("unchanged_since", "comparison")


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "suite", "target", "inputs"),
    )
    op.create_index("proofs_by_run", "proofs", ["run_id"])
    for name in _TEXTS:
        op.add_column("task_groups", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    for name in _TEXTS:
        op.drop_column("task_groups", name)
    op.drop_index("proofs_by_run", "proofs")
    op.drop_table("proofs")
