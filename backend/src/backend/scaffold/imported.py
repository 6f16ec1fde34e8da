"""What the modules of every service import, from where."""

__all__ = ["IMPORTED"]

IMPORTED = {
    "collections.abc": "Mapping Sequence",
    "datetime": "UTC date datetime timedelta",
    "decimal": "Decimal",
    "enum": "StrEnum",
    "typing": "Annotated Any",
    "faker": "Faker",
    "fastapi": "APIRouter Query",
    "httpx2": "AsyncClient",
    "pydantic": "MISSING BaseModel ConfigDict Field FiniteFloat",
    "pytest": "",
    "sqlalchemy": "JSON BigInteger CheckConstraint ForeignKey Index Select String "
    "UniqueConstraint delete func insert literal_column or_ select",
    "sqlalchemy.exc": "IntegrityError",
    "sqlalchemy.ext.asyncio": "AsyncSession",
    "sqlalchemy.orm": "InstrumentedAttribute Mapped mapped_column",
    "tests.support.accounts": "Account Accounts",
    "tests.support.statements": "recorded_statements",
    "backend.core.clock": "utc_now",
    "backend.core.columns": "FixedDecimal",
    "backend.core.errors": "ConflictError InvalidInputError NotFoundError",
    "backend.core.fields": "BIGINT_MAX BIGINT_MIN EMAIL_MAX_LENGTH INT_MAX INT_MIN "
    "URL_MAX_LENGTH BigInt Email Instant Int JsonObject WebUrl places",
    "backend.core.ids": "new_id",
    "backend.core.integrity": "violates_foreign_key violates_unique",
    "backend.core.pagination": "Cursor InvalidCursorError Limit Page Search Slice paginate",
    "backend.core.problems": "describe",
    "backend.db": "Base SessionDep",
    "backend.services.auth.utils": "CurrentSuperuser CurrentUser",
    "backend.services.users.models": "User",
}
