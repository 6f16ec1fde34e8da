"""A field as the templates read it: with the Python that stands for it."""

import builtins
import keyword
import textwrap
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property

from sqlalchemy.dialects import postgresql, sqlite

from backend.scaffold import examples
from backend.scaffold.imported import IMPORTED
from backend.scaffold.names import article, pascal, singular
from backend.scaffold.reserved import CLASSES_IN_THE_MODULES
from backend.scaffold.spec import Field, Kind, ServiceSpec, Target

__all__ = ["FieldView", "TargetView", "quoted"]

_PYTHON_TYPES = {
    Kind.STR: "str",
    Kind.TEXT: "str",
    Kind.INT: "int",
    Kind.BIGINT: "int",
    Kind.DECIMAL: "Decimal",
    Kind.FLOAT: "float",
    Kind.BOOL: "bool",
    Kind.DATE: "date",
    Kind.DATETIME: "datetime",
    Kind.UUID: "uuid.UUID",
    Kind.EMAIL: "str",
    Kind.URL: "str",
    Kind.JSON: "dict[str, Any]",
    Kind.ENUM: "str",
    Kind.REF: "uuid.UUID",
}
_INPUT_TYPES = {
    Kind.INT: "Int",
    Kind.BIGINT: "BigInt",
    Kind.FLOAT: "FiniteFloat",
    Kind.DATETIME: "Instant",
    Kind.EMAIL: "Email",
    Kind.URL: "WebUrl",
    Kind.JSON: "JsonObject",
}
_LIMITS = {Kind.INT: ("INT_MIN", "INT_MAX"), Kind.BIGINT: ("BIGINT_MIN", "BIGINT_MAX")}
_TAKEN = {*dir(builtins), "pytest", *" ".join(IMPORTED.values()).split()}
_ON_DELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "setnull": "SET NULL"}
_POSTGRESQL = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
_SQLITE = sqlite.dialect().identifier_preparer


def literal(value: object) -> str:
    """Python for a value, in double quotes as Ruff has them."""
    if isinstance(value, Decimal):
        return f'Decimal("{value}")'
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    if isinstance(value, str):
        quote = "'" if '"' in value and "'" not in value else '"'
        return quote + (value if quote == "'" else value.replace('"', r"\"")) + quote
    return repr(value)


def quoted(text: str, indentation: int) -> str:
    """Python for a text, in several lines where it would be too long for one."""
    room = 100 - indentation - len('"",')
    if len(text) <= room:
        return literal(text)
    lines = textwrap.wrap(text, room - 1, break_long_words=False, break_on_hyphens=False)
    separator = f"\n{' ' * indentation}"
    return separator.join([*(literal(f"{line} ") for line in lines[:-1]), literal(lines[-1])])


def _plain(number: int | Decimal | None) -> int | Decimal | None:
    """`0` for `0.00`."""
    return int(number) if number is not None and number == int(number) else number


class TargetView:
    def __init__(self, target: Target, one: str, *, itself: bool) -> None:
        self.service = target.service
        self.table = target.table
        self.model = target.model
        self.service_class = target.service_class
        self.owned = target.owned
        self.one = one
        self.owner_argument = ", owner_id" if target.owned else ""
        self.is_itself = itself


class FieldView:
    """One column, in the model, in the schemas, in the list and in the tests."""

    def __init__(self, field: Field, spec: ServiceSpec, target: TargetView | None) -> None:
        self.field = field
        self.spec = spec
        self.target = target
        self.name = field.name
        self.words = field.words
        self.a_words = article(field.words)
        self.optional = field.optional
        self.readonly = field.readonly
        self.private = field.private

    @property
    def is_ref(self) -> bool:
        return self.field.kind is Kind.REF

    @property
    def is_enum(self) -> bool:
        return self.field.kind is Kind.ENUM

    @property
    def changeable(self) -> bool:
        return not (self.field.readonly or self.field.immutable)

    # The model

    @property
    def max_length(self) -> str:
        """The name of the constant."""
        return examples.length_constant(self.field, self.spec.one)

    @property
    def longest(self) -> str:
        return examples.grouped(int(self.field.maximum or 0))

    @cached_property
    def enum_class(self) -> str:
        return self._own_class(self.spec.model + pascal(self.name))

    @property
    def members(self) -> Sequence[tuple[str, str]]:
        return [(value.replace("-", "_").upper(), value) for value in self.field.values]

    @property
    def mapped_type(self) -> str:
        python = _PYTHON_TYPES[self.field.kind]
        return f"{python} | None" if self.optional else python

    @property
    def column(self) -> str:
        """` = mapped_column(…)`, where the annotation does not say everything."""
        arguments = [self._column_type, *self._foreign_key]
        if self.field.unique and not self.spec.owned:
            arguments.append("unique=True")
        if self.field.index:
            arguments.append("index=True")
        if self.field.default is not None:
            arguments.append(f"server_default={self._server_default}")
        given = ", ".join(argument for argument in arguments if argument)
        return f" = mapped_column({given})" if given else ""

    @property
    def _column_type(self) -> str:
        match self.field.kind:
            case Kind.STR | Kind.TEXT:
                return f"String({self.max_length})"
            case Kind.EMAIL:
                return "String(EMAIL_MAX_LENGTH)"
            case Kind.URL:
                return "String(URL_MAX_LENGTH)"
            case Kind.ENUM:
                longest = max(len(value) for value in self.field.values)
                return f"String({-(-longest // 16) * 16})"
            case Kind.BIGINT:
                return "BigInteger"
            case Kind.DECIMAL:
                return f"FixedDecimal({self.field.precision}, {self.field.scale})"
            case Kind.JSON:
                return "JSON(none_as_null=True)"
            case _:
                return ""

    @property
    def _foreign_key(self) -> list[str]:
        if self.target is None:
            return []
        return [f'ForeignKey("{self.target.table}.id", ondelete="{self.on_delete}")']

    @property
    def on_delete(self) -> str:
        # RESTRICT refuses at once, also while an account's rows go one table after the other.
        if self.target and self.target.owned and self.field.on_delete == "restrict":
            return "NO ACTION"
        return _ON_DELETE[self.field.on_delete]

    @property
    def _server_default(self) -> str:
        default = self.field.default
        if isinstance(default, bool):
            return f'literal_column("{str(default).lower()}")'
        if self.is_enum:
            return self.create_default
        return literal(str(default))

    @property
    def check(self) -> str | None:
        """The condition of the column, in SQL."""
        column = self.name
        if any(preparer.quote(column) != column for preparer in (_POSTGRESQL, _SQLITE)):
            column = f'"{column}"'
        low, high = self.field.minimum, self.field.maximum
        if self.is_enum:
            values = ", ".join(f"'{value}'" for value in self.field.values)
            return quoted(f"{column} IN ({values})", 12)
        if self.field.is_text or (low is None and high is None):
            return None
        low, high = _plain(low), _plain(high)
        if low is None:
            return literal(f"{column} <= {high}")
        if high is None:
            return literal(f"{column} >= {low}")
        return literal(f"{column} BETWEEN {low} AND {high}")

    # The schemas

    @cached_property
    def alias(self) -> str | None:
        """The name of a type with bounds of its own, which Create and Update share."""
        return self._own_class(pascal(self.name)) if self.alias_type else None

    @property
    def alias_type(self) -> str | None:
        field, kind = self.field, self.field.kind
        low, high = field.minimum, field.maximum
        if field.is_text:
            least = f"min_length={low}, " if low else ""
            return f"Annotated[str, Field({least}max_length={self.max_length})]"
        if kind is Kind.DECIMAL:
            bounds = [
                *([f"ge={literal(_plain(low))}"] if low is not None else []),
                *([f"le={literal(_plain(high))}"] if high is not None else []),
                f"max_digits={field.precision}, decimal_places={field.scale}",
            ]
            return f"Annotated[Decimal, Field({', '.join(bounds)}), places({field.scale})]"
        if low is None and high is None:
            return None
        if kind is Kind.FLOAT:
            given = {"ge": low, "le": high}
            bounds = [f"{name}={value}" for name, value in given.items() if value is not None]
            return f"Annotated[FiniteFloat, Field({', '.join(bounds)})]"
        least_int, most_int = _LIMITS[kind]
        ge = least_int if low is None else low
        le = most_int if high is None else high
        return f"Annotated[int, Field(ge={ge}, le={le})]"

    @property
    def input_type(self) -> str:
        if self.is_enum:
            return self.enum_class
        kind = self.field.kind
        return self.alias or _INPUT_TYPES.get(kind) or _PYTHON_TYPES[kind]

    @property
    def output_type(self) -> str:
        return f"{self.argument_type} | None" if self.optional else self.argument_type

    @property
    def create_type(self) -> str:
        if self.optional:
            return f"{self.input_type} | None = None"
        if self.field.default is not None:
            return f"{self.input_type} = {self.create_default}"
        return self.input_type

    @property
    def create_default(self) -> str:
        default = self.field.default
        if self.is_enum:
            return f"{self.enum_class}.{str(default).replace('-', '_').upper()}"
        if self.field.kind is Kind.FLOAT and isinstance(default, Decimal):
            return str(float(default))
        return literal(default)

    @property
    def update_type(self) -> str:
        nothing = " | None" if self.optional else ""
        return f"{self.input_type} | MISSING{nothing} = MISSING"

    def _own_class(self, name: str) -> str:
        """The name of a class for this field that nothing else in the modules has."""
        model = self.spec.model
        taken = CLASSES_IN_THE_MODULES | {
            *(model, f"{model}Create", f"{model}Read", f"{model}Service"),
            *(f"{model}Sort", f"{model}Update"),
            *(pascal(singular(service) or service) for service in self.spec.references),
            *(f"{pascal(singular(service) or service)}Service" for service in self.spec.references),
        }
        if not self.is_enum:
            others = (field for field in self.spec.fields if field.kind is Kind.ENUM)
            taken |= {model + pascal(field.name) for field in others}
        if name not in taken:
            return name
        return f"{name}Choice" if self.is_enum else f"{model}{name}Value"

    @property
    def own_names(self) -> Sequence[str]:
        """Classes and constants that its name is in."""
        names = [
            self.max_length if self.field.is_text else None,
            self.enum_class if self.is_enum else None,
            self.alias,
            self.taken_error if self.field.unique else None,
            self.missing_error if self.is_ref else None,
        ]
        return [name for name in names if name]

    # The service and the routes

    @property
    def taken_error(self) -> str:
        return self._error(f"{pascal(self.name)}TakenError")

    @property
    def missing_error(self) -> str:
        return self._error(f"{pascal(self.name.removesuffix('_id'))}NotFoundError")

    def _error(self, name: str) -> str:
        """Pytest takes what begins with `Test` for tests."""
        return f"{self.spec.model}{name}" if name.startswith("Test") else name

    @property
    def missing_code(self) -> str:
        return f"{self.name.removesuffix('_id')}_not_found"

    @property
    def argument_type(self) -> str:
        return self.enum_class if self.is_enum else _PYTHON_TYPES[self.field.kind]

    @property
    def parameter(self) -> str:
        """Of the list: as the column, unless that is one of Python's own names."""
        return f"{self.name}_" if hasattr(builtins, self.name) else self.name

    @property
    def variable(self) -> str:
        """Of a row that is referred to: nothing of Python's own, and nothing that is imported."""
        name = self.name.removesuffix("_id")
        return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name

    @property
    def filter_parameter(self) -> str:
        if self.parameter == self.name:
            return f"{self.name}: {self.input_type} | None = None"
        query = f'Query(alias="{self.name}")'
        return f"{self.parameter}: Annotated[{self.input_type} | None, {query}] = None"

    # The factory and the tests

    @property
    def made(self) -> str:
        return examples.factory_expression(self.field, self.spec.one, self.enum_class)

    @property
    def two(self) -> tuple[str, str] | None:
        return examples.two_values(self.field, self.enum_class)

    @property
    def wrong(self) -> Sequence[str]:
        return examples.wrong_values(self.field)

    @property
    def refused_by_the_table(self) -> Sequence[str]:
        """Values that a constraint of the column refuses."""
        values = [] if self.optional else ["None"]
        if self.is_ref:
            values.append("uuid.UUID(int=0)")
        if self.is_enum:
            values.append(examples.unknown_value(self.field))
        elif self.check:
            low, high = self.field.minimum, self.field.maximum
            beyond = [low - self._step_from(low)] if low is not None else []
            beyond += [high + self._step_from(high)] if high is not None else []
            values += [literal(value) for value in beyond if self.field.holds(value)]
        return values

    def _step_from(self, bound: int | Decimal) -> int | Decimal:
        if self.field.kind is Kind.FLOAT:
            return examples.step_beyond(bound)
        return Decimal(1).scaleb(-self.field.scale) if self.field.scale else 1

    @property
    def equals_default(self) -> str:
        """For an `assert`, as Ruff has it."""
        default = self.create_default
        return f" is {default}" if isinstance(self.field.default, bool) else f" == {default}"

    @property
    def json_default(self) -> str:
        default = self.field.default
        if isinstance(default, date):
            return literal(default.isoformat())
        if isinstance(default, Decimal):
            return str(float(default)) if self.field.kind is Kind.FLOAT else literal(str(default))
        return literal(default)

    @property
    def json_not_default(self) -> str | None:
        """A value as it comes in JSON, that the server does not choose."""
        return examples.json_value(self.field)
