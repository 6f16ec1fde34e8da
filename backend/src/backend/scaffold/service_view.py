"""A service as the templates read it."""

from collections.abc import Mapping, Sequence

from backend.scaffold.field_view import FieldView, TargetView
from backend.scaffold.names import article, in_words
from backend.scaffold.spec import ServiceSpec

__all__ = ["ServiceView"]


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


def _index(*columns: str) -> str:
    return f"Index(None, {', '.join(columns)})"


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
        return [field for field in self.fields if field.private]

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
        newest = ['"created_at"', '"id"']
        indexes = [_index(*owner, *newest)]
        for field in self.fields:
            name, unique = f'"{field.name}"', field.field.unique
            if field.is_ref:
                # For the filter, and it begins as the foreign key does.
                indexes.append(_index(name, *owner, *newest))
            elif field.field.filterable and not unique:
                indexes.append(_index(*owner, name, *newest))
            # A unique column is in an index with its owner already, and needs no id behind it.
            if field.field.sort and (field.optional or not unique):
                indexes.append(_index(*owner, name, '"id"'))
        return [*checks, *(uniques if self.owned else []), *indexes]
