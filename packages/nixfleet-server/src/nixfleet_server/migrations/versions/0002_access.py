"""Who gets in: overlapping host tokens, expiring API tokens, enrolment, audit, the login's own data.

Only adds, and what it adds to old tables has a default: a server of the version before could still write them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("host", sa.Column("old_token_hash", sa.String(), nullable=True))
    op.add_column("host", sa.Column("old_token_until", sa.BigInteger(), nullable=True))
    op.add_column("host", sa.Column("notes", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_host_old_token_hash", "host", ["old_token_hash"])
    op.add_column("session", sa.Column("last_seen_at", sa.BigInteger(), nullable=True))
    op.add_column("session", sa.Column("address", sa.String(), nullable=False, server_default=""))
    op.add_column("session", sa.Column("client", sa.String(), nullable=False, server_default=""))
    op.add_column("api_token", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("api_token", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "enroll_token",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("body_hash", sa.String(), nullable=False),
        sa.Column("result_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
