"""A field and a service as the templates read them: with the Python that stands for each."""

import builtins
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property

from sqlalchemy.dialects import postgresql, sqlite

from backend.scaffold import examples
from backend.scaffold.grammar import CLASSES_IN_THE_MODULES
from backend.scaffold.names import article, in_words, pascal
from backend.scaffold.spec import Field, Kind, ServiceSpec, Target

__all__ = ["FieldView", "ServiceView", "TargetView"]

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
        return f"{self.name.upper()}_MAX_LENGTH"

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
            return literal(f"{column} IN ({values})")
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
        }
        if name not in taken:
            return name
        return f"{name}Choice" if self.is_enum else f"{model}{name}Value"

    # The service and the routes

    @property
    def taken_error(self) -> str:
        return f"{pascal(self.name)}TakenError"

    @property
    def missing_error(self) -> str:
        return f"{pascal(self.name.removesuffix('_id'))}NotFoundError"

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
            values.append('"unheard_of"')
        elif self.check:
            low, high = self.field.minimum, self.field.maximum
            step = Decimal(1).scaleb(-self.field.scale) if self.field.scale else 1
            beyond = [low - step] if low is not None else []
            beyond += [high + step] if high is not None else []
            values += [literal(value) for value in beyond if self.field.holds(value)]
        return values

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


def _problems(unique: Sequence[FieldView], refs: Sequence[FieldView]) -> str:
    """`, responses=describe({…})` of a route, if it has problems of its own."""
    codes = {
        409: [f"{field.taken_error}.code" for field in unique],
        422: [f"{field.missing_error}.code" for field in refs],
    }
    described = [
        f"{status}: {names[0] if len(names) == 1 else '(' + ', '.join(names) + ')'}"
        for status, names in codes.items()
        if names
    ]
    return f", responses=describe({{{', '.join(described)}}})" if described else ""


def _set_of(fields: Sequence[FieldView]) -> str:
    return "{" + ", ".join(f'"{field.name}"' for field in fields) + "}"


def _without(values: str, fields: Sequence[FieldView]) -> str:
    if not fields:
        return values
    iterable = f"({values})" if values.startswith("await ") else values
    kept = f"if name not in {_set_of(fields)}"
    return f"{{name: value for name, value in {iterable}.items() {kept}}}"


class ServiceView:
    def __init__(self, spec: ServiceSpec, targets: Mapping[str, TargetView]) -> None:
        self.spec = spec
        self.name = spec.name
        self.one = spec.one
        self.model = spec.model
        self.owned = spec.owned
        self.words = in_words(spec.name)
        self.one_words = in_words(spec.one)
        self.a_one = article(self.one_words)
        self.fields = [FieldView(field, spec, targets.get(field.target)) for field in spec.fields]

    @property
    def created(self) -> Sequence[FieldView]:
        return [field for field in self.fields if not field.readonly]

    @property
    def changed(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.changeable]

    @property
    def shown(self) -> Sequence[FieldView]:
        return [field for field in self.fields if not field.private]

    @property
    def enums(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.is_enum]

    @property
    def aliased(self) -> Sequence[FieldView]:
        return [field for field in self.created if field.alias]

    @property
    def unique(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.field.unique]

    @property
    def refs(self) -> Sequence[FieldView]:
        """References that a client gives."""
        return [field for field in self.created if field.is_ref]

    @property
    def changed_refs(self) -> Sequence[FieldView]:
        return [field for field in self.changed if field.is_ref]

    @property
    def made_refs(self) -> Sequence[FieldView]:
        """Those to other services, of which the factory makes a row."""
        return [field for field in self.refs if field.target and not field.target.is_itself]

    @property
    def required_refs(self) -> Sequence[FieldView]:
        return [field for field in self.refs if not field.optional]

    @property
    def targets(self) -> Sequence[TargetView]:
        """Other services that are asked for what is referred to, each once."""
        found = {field.target.service: field.target for field in self.made_refs if field.target}
        return list(found.values())

    @property
    def owned_targets(self) -> Sequence[TargetView]:
        return [target for target in self.targets if target.owned]

    @property
    def unowned_targets(self) -> Sequence[TargetView]:
        return [target for target in self.targets if not target.owned]

    @property
    def asks_for_owner(self) -> bool:
        """To look for what is referred to."""
        return any(field.target.owned for field in self.refs if field.target)

    @property
    def makes_for_owner(self) -> bool:
        """To make a row that is referred to."""
        return any(target.owned for target in self.targets)

    @property
    def unique_errors(self) -> str:
        return ", ".join(field.taken_error for field in self.created_unique)

    @property
    def reference_errors(self) -> str:
        return ", ".join(field.missing_error for field in self.refs)

    @property
    def create_errors(self) -> str:
        return ", ".join(filter(None, [self.unique_errors, self.reference_errors]))

    @property
    def update_errors(self) -> str:
        taken = [field.taken_error for field in self.changed_unique]
        missing = [field.missing_error for field in self.changed_refs]
        return ", ".join(["NotFoundError", *taken, *missing])

    @property
    def created_unique(self) -> Sequence[FieldView]:
        return [field for field in self.created if field.field.unique]

    @property
    def changed_unique(self) -> Sequence[FieldView]:
        return [field for field in self.changed if field.field.unique]

    @property
    def searched_words(self) -> str:
        """`the title or the summary`"""
        return " or ".join(f"the {field.words}" for field in self.searched)

    @property
    def create_problems(self) -> str:
        return _problems(self.created_unique, self.refs)

    @property
    def update_problems(self) -> str:
        return _problems(self.changed_unique, self.changed_refs)

    @property
    def filters(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.field.filterable]

    @property
    def sorted(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.field.sort]

    @property
    def searched(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.field.search]

    # The factory and the tests

    @property
    def seeded_refs(self) -> str:
        """Arguments that choose among the rows there are."""
        return "".join(
            f", {field.name}=fake.random_element({field.target.service}).id"
            for field in self.made_refs
            if field.target
        )

    @property
    def a_one_snake(self) -> str:
        return article(self.one_words).replace(" ", "_")

    @property
    def required_words(self) -> str:
        """`client_id and site_id`"""
        return " and ".join(field.name for field in self.required_refs)

    @property
    def refused_by_the_table(self) -> Sequence[tuple[str, str]]:
        return [
            (field.name, value) for field in self.fields for value in field.refused_by_the_table
        ]

    @property
    def defaulted(self) -> Sequence[FieldView]:
        return [field for field in self.fields if field.field.default is not None]

    @property
    def defaulted_shown(self) -> Sequence[FieldView]:
        return [field for field in self.defaulted if not field.private]

    @property
    def example(self) -> FieldView | None:
        """A field to change."""
        return next((field for field in self.changed if field.two and not field.private), None)

    @property
    def fixed(self) -> Sequence[FieldView]:
        return [field for field in self.created if not field.changeable]

    @property
    def wrong(self) -> Sequence[tuple[FieldView, str]]:
        return [(field, value) for field in self.created for value in field.wrong]

    @property
    def emptied(self) -> Sequence[FieldView]:
        return [field for field in self.created if field.optional]

    @property
    def changed_emptied(self) -> Sequence[FieldView]:
        return [field for field in self.changed if field.optional]

    @property
    def private(self) -> Sequence[FieldView]:
        return [field for field in self.created if field.private]

    @property
    def narrowed(self) -> Sequence[FieldView]:
        """Filters of which two values can be told."""
        return [field for field in self.filters if field.two]

    @staticmethod
    def names_of(fields: Sequence[FieldView]) -> str:
        return "[" + ", ".join(f'"{field.name}"' for field in fields) + "]"

    @property
    def json_defaults(self) -> str:
        return ", ".join(f'"{field.name}": {field.json_default}' for field in self.defaulted_shown)

    @property
    def private_names(self) -> str:
        return _set_of(self.private)

    def shown_of(self, values: str) -> str:
        """Of what was sent, what is answered."""
        return _without(values, self.private)

    def changes_of(self, body: str) -> str:
        """Of what creates one, what can change it."""
        return _without(body, self.fixed)

    @property
    def table_args(self) -> Sequence[str]:
        """Constraints and indexes that are not of one column alone."""
        owner = ['"owner_id"'] if self.owned else []
        checks = [
            f'CheckConstraint({field.check}, name="{field.name}")'
            for field in self.fields
            if field.check
        ]
        uniques = [f'UniqueConstraint("owner_id", "{field.name}")' for field in self.unique]
        indexes = ['Index(None, "owner_id", "id")'] if self.owned else []
        for field in self.fields:
            if field.is_ref:
                indexes.append(f'Index(None, "{field.name}", "id")')
            # A unique column is in an index with its owner already, and needs no id behind it.
            serves = field.field.unique and not field.optional
            if (field.field.filter or field.field.sort) and not serves:
                columns = [*owner, f'"{field.name}"', '"id"']
                indexes.append(f"Index(None, {', '.join(columns)})")
        return [*checks, *(uniques if self.owned else []), *dict.fromkeys(indexes)]
