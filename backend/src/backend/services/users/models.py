import uuid
from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from backend.core.clock import utc_now
from backend.core.ids import new_id
from backend.db import Base
from backend.services.users.addresses import EMAIL_MAX_LENGTH, email_key

__all__ = ["NAME_MAX_LENGTH", "User"]

NAME_MAX_LENGTH = 100

# Ordered by code point on both databases, so that a prefix is a range of the index.
_KEY_TYPE = String(EMAIL_MAX_LENGTH).with_variant(
    String(EMAIL_MAX_LENGTH, collation="C"), "postgresql"
)


def _newest(name: str, column: str, *, wanted: bool) -> Index:
    """Of the few accounts that are so: the many others are not in it, and cost nothing."""
    return Index(
        name,
        "created_at",
        "id",
        postgresql_where=text(f"{column} IS {str(wanted).lower()}"),
        sqlite_where=text(f"{column} IS {int(wanted)}"),
    )


class User(Base):
    """An account. `email` is as it was typed; `email_key` is what makes it one account."""

    __tablename__ = "users"
    __table_args__ = (
        Index(None, "created_at", "id"),
        # For the list's filters. The others are found by going through the newest.
        _newest("ix_users_inactive", "is_active", wanted=False),
        _newest("ix_users_superusers", "is_superuser", wanted=True),
        _newest("ix_users_unverified", "is_verified", wanted=False),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(EMAIL_MAX_LENGTH))
    email_key: Mapped[str] = mapped_column(_KEY_TYPE, unique=True)
    name: Mapped[str | None] = mapped_column(String(NAME_MAX_LENGTH))
    hashed_password: Mapped[str] = mapped_column(String(1024))
    is_active: Mapped[bool] = mapped_column(default=True)
    is_superuser: Mapped[bool] = mapped_column(default=False)
    is_verified: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    @validates("email")
    def _set_key(self, _attribute: str, email: str) -> str:
        self.email_key = email_key(email)
        return email
