from datetime import UTC, datetime

__all__ = ["utc_now"]


def utc_now() -> datetime:
    """The time, aware and in UTC: the only clock that services read."""
    return datetime.now(UTC)
