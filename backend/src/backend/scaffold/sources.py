"""From which module each name of a generated service comes."""

from collections.abc import Mapping

from backend.scaffold.views import ServiceView

__all__ = ["sources_of"]

_NAMES = {
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
    "backend.core.integrity": "violates_unique",
    "backend.core.pagination": "Cursor InvalidCursorError Limit Page Search Slice paginate",
    "backend.core.problems": "describe",
    "backend.db": "Base SessionDep",
    "backend.services.auth.utils": "CurrentSuperuser CurrentUser",
    "backend.services.users.models": "User",
}


def sources_of(service: ServiceView) -> Mapping[str, str]:
    """The module of each name, those of the service itself and of its targets too."""
    sources = {name: module for module, names in _NAMES.items() for name in names.split()}
    package = f"backend.services.{service.name}"
    model, one = service.model, service.one
    own = {
        "models": [model, *(field.enum_class for field in service.enums)],
        "schemas": [
            *(f"{model}Create", f"{model}Read", f"{model}Sort", f"{model}Update"),
            *(field.alias for field in service.aliased if field.alias),
        ],
        "service": [
            f"{model}Service",
            *(field.taken_error for field in service.unique),
            *(field.missing_error for field in service.refs),
        ],
        "factory": [f"create_{one}", f"make_{one}"],
    }
    own["models"] += [field.max_length for field in service.fields if field.field.is_text]
    for module, names in own.items():
        sources |= dict.fromkeys(names, f"{package}.{module}")
    for target in service.targets:
        theirs = f"backend.services.{target.service}"
        sources[target.service_class] = f"{theirs}.service"
        sources[target.model] = f"{theirs}.models"
        sources[f"create_{target.one}"] = f"{theirs}.factory"
    return sources
