"""Column types that the two databases do not have alike."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["FixedDecimal", "UTCDateTime"]


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on both databases; ValueError for a naive one.

    SQLite keeps no time zone, so it is left out on the way in and put back on the way out.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime was given; use datetime.now(UTC)")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        stored = self.load_dialect_impl(dialect).dialect_impl(dialect)
        read = stored.result_processor(dialect, coltype)
        if read is None:
            return None  # asyncpg gives datetimes in UTC

        def with_zone(value: Any) -> datetime | None:
            moment = read(value)
            return None if moment is None else moment.replace(tzinfo=UTC)

        return with_zone


class FixedDecimal(TypeDecorator[Decimal]):
    """A Decimal with a fixed number of places, of at most 15 digits.

    SQLite has no decimals and keeps a double, which holds 15 digits exactly; what is read is
    rounded to the places of the column. PostgreSQL's NUMERIC does so by itself.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        if not 0 <= scale <= precision <= 15:
            raise ValueError("a decimal has at most 15 digits: SQLite holds no more exactly")
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    @property
    def python_type(self) -> type[Decimal]:
        return Decimal

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Numeric(self.precision, self.scale, asdecimal=False))
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        value = self._rounded(value)
        return float(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else self._rounded(Decimal(str(value)))

    def _rounded(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP)
