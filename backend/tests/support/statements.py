"""The SQL that is sent to the database, as `backend.core.observe` records it."""

from backend.core.observe import recorded_statements

__all__ = ["recorded_statements"]
