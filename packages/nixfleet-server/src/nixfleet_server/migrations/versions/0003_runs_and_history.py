"""Runs that wait, run out of time or belong together; what hosts measured; what the webhook is owed.

Only adds, and what it adds to old tables has a default: a server of the version before could still write them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("outcome", sa.String(), nullable=True))
    op.add_column("run", sa.Column("bulk_id", sa.String(), nullable=True))
    for name in ("expires_at", "warn_at", "timeout_at", "log_bytes", "log_removed_at"):
        op.add_column("run", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("timed_out", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.create_index("ix_run_bulk_id", "run", ["bulk_id"])
    op.create_index("ix_run_ended_at", "run", ["ended_at"])
    op.create_table(
        "bulk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bulk_id", sa.String(length=32), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("options", sa.String(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("stop_on_failure", sa.Boolean(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bulk_id"),
    )
    op.create_table(
        "bulk_item",
        sa.Column("bulk_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bulk_id", "position"),
    )
    op.create_table(
        "metric",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cpu", sa.Float(), nullable=True),
        sa.Column("ram", sa.Float(), nullable=True),
        sa.Column("swap", sa.Float(), nullable=True),
        sa.Column("load", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("host", "at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "presence_day",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("there", sa.Float(), nullable=False),
        sa.Column("known", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("host", "day"),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
