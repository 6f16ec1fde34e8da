"""A service as it was asked for: what the grammar reads and the templates write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from backend.scaffold.names import in_words, pascal

__all__ = ["Field", "Kind", "OnDelete", "Owner", "ServiceSpec", "Target"]

Owner = Literal["user", "none"]
OnDelete = Literal["restrict", "cascade", "setnull"]


class Kind(StrEnum):
    STR = "str"
    TEXT = "text"
    INT = "int"
    BIGINT = "bigint"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    UUID = "uuid"
    EMAIL = "email"
    URL = "url"
    JSON = "json"
    ENUM = "enum"
    REF = "ref"


@dataclass(frozen=True, kw_only=True)
class Field:
    text: str
    """As it was typed."""
    name: str
    """Of the column and of everything else: `client_id` for `client:ref:clients`."""
    kind: Kind
    values: tuple[str, ...] = ()
    """Of an enum."""
    precision: int = 0
    scale: int = 0
    """Of a decimal: its digits, and how many of them come after the point."""
    target: str = ""
    """Of a ref: the service."""
    on_delete: OnDelete = "restrict"
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None
    """Of a text its length, else its value. A text always has both, whole numbers a maximum of
    their type or less."""
    default: str | int | Decimal | bool | date | None = None
    optional: bool = False
    unique: bool = False
    index: bool = False
    private: bool = False
    readonly: bool = False
    immutable: bool = False
    search: bool = False
    filter: bool = False
    """Asked for; `filterable` are some without."""
    sort: bool = False

    @property
    def words(self) -> str:
        """For sentences: `due on`, and `client` for `client_id`."""
        return in_words(self.name.removesuffix("_id") if self.kind is Kind.REF else self.name)

    @property
    def is_text(self) -> bool:
        """With lengths of its own, not those of a format."""
        return self.kind in {Kind.STR, Kind.TEXT}

    @property
    def filterable(self) -> bool:
        implied = self.kind in {Kind.ENUM, Kind.BOOL, Kind.REF} and not self.private
        return self.filter or implied

    def holds(self, value: int | Decimal) -> bool:
        """Whether the type does, whatever the bounds are."""
        if self.kind in {Kind.INT, Kind.BIGINT}:
            limit = 2**31 if self.kind is Kind.INT else 2**63
            return -limit <= value < limit
        limit = 10 ** (self.precision - self.scale)
        return not self.precision or abs(value) < limit


@dataclass(frozen=True, kw_only=True)
class Target:
    """A service that is referred to."""

    service: str
    table: str
    model: str
    service_class: str
    owned: bool
    needs: frozenset[str] = frozenset()
    """The services that it imports."""
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    name: str
    """Of the folder, the table and the path: `order_items`."""
    one: str
    """`order_item`"""
    owner: Owner
    fields: tuple[Field, ...]

    @property
    def model(self) -> str:
        return pascal(self.one)

    @property
    def owned(self) -> bool:
        return self.owner == "user"

    @property
    def references(self) -> Sequence[str]:
        """The services that it refers to, each once, in the order of the fields."""
        return list(dict.fromkeys(field.target for field in self.fields if field.target))

    @property
    def created(self) -> Sequence[Field]:
        """What a client gives when it creates one."""
        return [field for field in self.fields if not field.readonly]

    @property
    def changed(self) -> Sequence[Field]:
        """What a client can change later."""
        return [field for field in self.created if not field.immutable]

    @property
    def as_target(self) -> Target:
        """What it is for a field that refers to it."""
        return Target(
            service=self.name,
            table=self.name,
            model=self.model,
            service_class=f"{self.model}Service",
            owned=self.owned,
            needs=frozenset(self.references),
            columns=frozenset(field.name for field in self.fields),
        )
