"""The words of `backend service new`: what they mean, and how a mistake in them is shown."""

import inspect
from datetime import date
from decimal import Decimal

import pytest
from pydantic import BaseModel

from backend.db import Base
from backend.scaffold.grammar import (
    GRAMMAR,
    GrammarError,
    check_targets,
    parse_fields,
    parse_service,
)
from backend.scaffold.names import article, singular
from backend.scaffold.spec import Field, Kind, ServiceSpec


def field(text: str) -> Field:
    (parsed,) = parse_fields([text])
    return parsed


def mistake(text: str) -> tuple[str, str]:
    """What the caret points at, which is nothing behind the end, and the sentence."""
    with pytest.raises(GrammarError) as caught:
        parse_service("projects", text.split(), "user")
    shown, caret, sentence, *rest = str(caught.value).splitlines()
    assert "\n".join(rest) == f"\n{GRAMMAR}"
    place = slice(caret.index("^"), len(caret))
    assert set(caret[place]) == {"^"}
    return shown[place], sentence


def test_the_example_of_the_guide_is_understood() -> None:
    spec = parse_service(
        "projects",
        [
            "title:str:max=120:search",
            "status:enum:draft,live:default=draft",
            "due_on:date:optional",
            "budget:decimal:12.2:min=0",
            "client:ref:clients:restrict",
        ],
        "user",
    )
    title, status, due_on, budget, client = spec.fields
    assert (spec.one, spec.model, spec.owned, spec.references) == (
        "project",
        "Project",
        True,
        ["clients"],
    )
    assert (title.minimum, title.maximum, title.search) == (1, 120, True)
    assert (status.values, status.default, status.filterable) == (("draft", "live"), "draft", True)
    assert (due_on.kind, due_on.optional) == (Kind.DATE, True)
    assert (budget.precision, budget.scale, budget.minimum) == (12, 2, Decimal("0.00"))
    assert (client.name, client.target, client.on_delete) == ("client_id", "clients", "restrict")


def test_what_is_not_said_is_decided() -> None:
    assert (field("a:str").minimum, field("a:str").maximum) == (1, 255)
    assert (field("a:text:optional").minimum, field("a:text").maximum) == (0, 10_000)
    assert field("a:ref:clients").on_delete == "restrict"
    assert field("client_id:ref:clients").name == "client_id"
    assert field("a:bool").filterable
    assert not field("a:bool:private").filterable
    assert not field("a:str").filterable


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("a:str:default=EUR", "EUR"),
        ("a:int:default=-3", -3),
        ("a:decimal:5.2:default=1.5", Decimal("1.50")),
        ("a:float:default=0.25", Decimal("0.25")),
        ("a:bool:default=true", True),
        ("a:bool:default=false", False),
        ("a:date:default=2030-02-28", date(2030, 2, 28)),
        ("a:enum:on-hold,live:default=on-hold", "on-hold"),
    ],
)
def test_a_default_is_a_value_of_its_type(text: str, default: object) -> None:
    assert field(text).default == default
    assert type(field(text).default) is type(default)


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        # The form
        ("title", "", "has no type: write `title:str`"),
        ("title:", "", "The type is missing."),
        (":str", ":", "The name is missing."),
        ("a:str:", "", "nothing between two colons"),
        ("a:str::optional", ":", "nothing between two colons"),
        ("a:enum{x}", "{", "`{` cannot be in a field"),
        # Names
        ("Title:str", "Title", "Did you mean `title`?"),
        ("dueOn:date", "dueOn", "Did you mean `due_on`?"),
        ("due-on:date", "due-on", "Did you mean `due_on`?"),
        ("_a:str", "_a", "leading underscore"),
        ("class:str", "class", "a word of Python's own"),
        ("id:int", "id", "`id` is a column of every service"),
        ("owner:ref:clients", "owner", "`owner_id` is a column of every service"),
        ("metadata:json", "metadata", "SQLAlchemy's models"),
        ("schema:str", "schema", "Pydantic's schemas"),
        ("model_name:str", "model_name", "begin with `model_`"),
        ("date:date", "date", "the service's own modules"),
        ("session:ref:sessions", "session", "the service's own modules"),
        ("a" * 31 + ":str", "a" * 31, "at most 30 characters"),
        ("xmin:int", "xmin", "every table of PostgreSQL"),
        ("tableoid:int", "tableoid", "every table of PostgreSQL"),
        ("self:str", "self", "the service's own modules"),
        ("cls:str", "cls", "the service's own modules"),
        ("jane:ref:people", "jane", "the service's own modules"),
        ("created_at_desc:int:sort", "created_at_desc", "the other way round"),
        ("limit:int:filter", "limit", "a parameter of every list"),
        ("sort:bool", "sort", "a parameter of every list"),
        # Types
        ("a:strr", "strr", "Did you mean `str`?"),
        ("a:integer", "integer", "Did you mean `int`?"),
        ("a:zzz", "zzz", "There is no type `zzz`."),
        ("a:decimal", "", "as in `decimal:12.2`"),
        ("a:decimal:12", "12", "as in `decimal:12.2`"),
        ("a:decimal:20.2", "20.2", "at most 15 digits"),
        ("a:decimal:2.3", "2.3", "not more than all come after the point"),
        ("a:decimal:9.0", "9.0", "at least one"),
        ("a:enum", "", "as in `enum:draft,live`"),
        ("a:enum:x," + "y" * 31, "y" * 31, "30 at most"),
        ("a:enum:x,9", "9", "begins with a letter"),
        ("a:enum:x,,y", ",", "begins with a letter"),
        ("a:enum:a_b,a-c:sort", "sort", "do not agree about the order"),
        ("a:enum:only:sort", "sort", "leave `sort` out"),
        ("a:enum:Draft,apart:sort", "sort", "do not agree about the order"),
        ("a:enum:on-hold,on_hold", "on_hold", "are one name in Python"),
        ("a:ref", "", "as in `ref:clients`"),
        ("a:ref:Clients", "Clients", "not the name of a service"),
        ("a:ref:users", "users", "cannot be referred to"),
        # Modifiers
        ("a:str:maxx=3", "maxx=3", "Did you mean `max=…`?"),
        ("a:str:nullable", "nullable", "Did you mean `optional`?"),
        ("a:str:required", "required", "a field is required unless"),
        ("a:str:max", "max", "needs a value, as in `max=120`"),
        ("a:str:optional=1", "optional=1", "`optional` takes no value"),
        ("a:str:optional:optional", "optional", "`optional` is there twice"),
        ("a:str:cascade", "cascade", "says what becomes of a `ref`"),
        ("a:ref:clients:cascade:restrict", "restrict", "contradict each other"),
        ("a:ref:clients:setnull", "setnull", "add `optional`"),
        ("a:date:min=3", "min=3", "is for texts and numbers"),
        ("a:str:max=0", "max=0", "between 1 and 100,000 characters"),
        ("a:str:max=x", "max=x", "`x` is none"),
        ("a:int:min=x", "min=x", "`x` is none"),
        ("a:int:max=9999999999", "max=9999999999", "use `bigint`"),
        ("a:decimal:4.2:max=1.234", "max=1.234", "2 digits after the point"),
        ("a:decimal:4.2:max=100", "max=100", "2 digits before the point"),
        ("a:float:max=1e9", "max=1e9", "without an exponent"),
        ("a:float:max=nan", "max=nan", "Write a number"),
        ("a:int:min=3:max=2", "max=2", "min=3 leaves nothing below max=2"),
        ("a:int:max=2:min=2", "min=2", "leaves nothing"),
        ("a:str:max=2:min=3", "min=3", "leaves nothing"),
        ("a:str:unique:max=1", "unique", "room for 100 different values"),
        ("a:int:unique:min=1:max=9", "unique", "room for 100 different values"),
        ("a:decimal:1.1:unique", "unique", "room for 100 different values"),
        ("a:int:unique:min=2147483600", "unique", "room for 100 different values"),
        ("a:int:min=2147483646", "min=2147483646", "fewer than 3 values"),
        ("a:int:max=-2147483648", "max=-2147483648", "fewer than 3 values"),
        ("a:bigint:min=9223372036854775807", "min=9223372036854775807", "fewer than 3 values"),
        ("a:decimal:2.1:min=9.9", "min=9.9", "fewer than 3 values"),
        ("a:decimal:4.2:min=1:max=1.01", "max=1.01", "fewer than 3 values"),
        (
            "a:float:min=0.10000000000000000001:max=0.10000000000000000002",
            "max=0.10000000000000000002",
            "there is no float",
        ),
        ("a:str:max=601:index", "index", "600 or less"),
        ("a:str:search:max=3", "search", "too short to be searched"),
        ("a:int:search", "search", "use `filter`"),
        ("a:text:filter", "filter", "use `search`"),
        ("a:text:sort", "sort", "use `str`"),
        ("a:json:sort", "sort", "it has no order"),
        ("a:bool:sort", "sort", "`filter` by it"),
        ("a:json:unique", "unique", "do not compare it"),
        ("a:bool:unique", "unique", "there could be two rows"),
        ("a:ref:clients:unique", "unique", "written by hand"),
        ("a:ref:clients:index", "index", "it has an index already"),
        ("a:str:unique:index", "index", "`unique` is an index already"),
        ("a:str:private:search", "search", "would show what is in it"),
        ("a:str:private:sort", "sort", "would show what is in it"),
        ("a:str:readonly", "readonly", "add `default=…` or `optional`"),
        ("a:str:readonly:immutable:optional", "immutable", "`readonly` is enough"),
        # Defaults
        ("a:str:default=", "default=", "The value is missing"),
        ("a:str:optional:default=x", "optional", "never empty"),
        ("a:str:default=x:unique", "unique", "there could be one row"),
        ("a:enum:x,y:default=z", "default=z", "`z` is not one of x, y"),
        ("a:bool:default=yes", "default=yes", "`true` or `false`"),
        ("a:date:default=today", "default=today", "as in `2030-12-31`"),
        ("a:date:default=2030-02-30", "default=2030-02-30", "There is no day"),
        ("a:int:default=0:min=1", "default=0", "min=1 asks for more"),
        ("a:int:default=9:max=3", "default=9", "max=3 allows less"),
        ("a:str:default=toolong:max=3", "default=toolong", "has 7 characters"),
        ("a:str:default=" + "x" * 51, "default=" + "x" * 51, "at most 50 characters"),
        ("a:uuid:default=1", "default=1", "there is no default"),
        ("a:ref:clients:default=1", "default=1", "there is no default"),
    ],
)
def test_a_mistake_is_shown_at_its_place(text: str, place: str, sentence: str) -> None:
    pointed_at, said = mistake(text)
    assert sentence in said
    assert pointed_at in {place, ""} if place in {" ", "", ":", ","} else pointed_at == place


def test_what_does_not_go_together_in_a_service_is_refused() -> None:
    pointed_at, said = mistake("client:ref:clients client_id:ref:clients")
    assert (pointed_at, said) == ("client_id", "There is a field `client_id` already.")
    pointed_at, said = mistake("title:str parent:ref:projects")
    assert pointed_at == "ref:projects"
    assert "make it optional" in said
    pointed_at, said = mistake("due:date:sort due_desc:date:sort")
    assert pointed_at == "due_desc"
    assert "the other way round" in said
    pointed_at, said = mistake("line_1:str:max=9 line1:str:max=8")
    assert pointed_at == "line1"
    assert "`line1` and of `line_1` the code would make one name, `Line1`" in said
    pointed_at, said = mistake("line_1:int:unique line1:int:unique")
    assert (pointed_at, "`Line1TakenError`" in said) == ("line1", True)
    pointed_at, said = mistake("site_1:ref:sites site1:ref:sites")
    assert (pointed_at, "`Site1NotFoundError`" in said) == ("site1", True)
    pointed_at, said = mistake("email:str project_email:str")
    assert (pointed_at, "`PROJECT_EMAIL_MAX_LENGTH`" in said) == ("project_email", True)
    assert len(parse_fields(["line_1:int", "line1:int"])) == 2
    with pytest.raises(GrammarError, match="at least one field"):
        parse_service("projects", [], "user")
    with pytest.raises(GrammarError, match="Every field is readonly"):
        parse_service("projects", ["a:int:readonly:default=1"], "user")


def test_a_search_needs_an_owner() -> None:
    fields = ["code:str:unique", "name:str:max=80:search:sort"]
    parse_service("cities", fields, "user")
    with pytest.raises(GrammarError, match=r"\n {18}\^{6}\n.* the whole table: use --owner user"):
        parse_service("cities", fields, "none")


def test_a_reference_to_what_is_not_there_or_not_for_everybody_is_refused() -> None:
    def spec(*fields: str, name: str = "projects", owned: bool = True) -> ServiceSpec:
        return parse_service(name, fields, "user" if owned else "none")

    targets = {"clients": spec("a:str", name="clients").as_target}
    check_targets(spec("client:ref:clients", "parent:ref:projects:optional"), targets)
    with pytest.raises(GrammarError, match=r"no service `client`. Did you mean `clients`\?"):
        check_targets(spec("client:ref:client"), targets)
    with pytest.raises(GrammarError, match="each of the clients only its owner"):
        check_targets(spec("client:ref:clients", owned=False), targets)


def test_a_column_that_another_table_has_by_another_name_is_refused() -> None:
    """`news.items_kind` and `news_items.kind`: the names of their indexes are the same."""
    news = parse_service("news", ["items_kind:int:index"], "user")
    items = parse_service("news_items", ["size:int", "kind:int:index"], "user")
    for here, there in ((items, news), (news, items)):
        with pytest.raises(GrammarError, match="An index of it would be called as one of"):
            check_targets(here, {there.name: there.as_target, here.name: here.as_target})
    check_targets(items, {items.name: items.as_target})


def test_services_do_not_refer_to_each_other_in_a_circle() -> None:
    specs = (
        parse_service("sites", ["a:str"], "user"),
        parse_service("clients", ["site:ref:sites"], "user"),
        parse_service("projects", ["client:ref:clients", "parent:ref:projects:optional"], "user"),
    )
    targets = {spec.name: spec.as_target for spec in specs}
    check_targets(specs[2], targets)
    closing = parse_service("sites", ["a:str", "project:ref:projects:optional"], "user")
    with pytest.raises(GrammarError) as caught:
        check_targets(closing, targets)
    shown, caret, sentence, *_ = str(caught.value).splitlines()
    assert shown[caret.index("^") :].startswith("ref:projects")
    assert "`projects` refers to `clients` refers to `sites` already" in sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("project", "Did you mean `projects`?"),
        ("company", "Did you mean `companies`?"),
        ("Projects", "Did you mean `projects`?"),
        ("users", "this project's own"),
        ("types", "One of them would be `type`"),
        ("sessions", "One of them would be `session`"),
        ("indexes", "The class of one would be `Index`"),
        ("accounts", "One of them would be `account`"),
        ("owners", "One of them would be `owner`"),
        ("janes", "One of them would be `jane`"),
        ("johns", "One of them would be `john`"),
        ("tests", "begins with `Test`"),
        ("test_results", "begins with `Test`"),
        ("a" * 30 + "s", "at most 30 characters"),
        ("2projects", "a letter first"),
        ("", "is missing"),
    ],
)
def test_a_service_has_a_name_that_its_modules_can_use(name: str, sentence: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_service(name, ["a:str"], "user")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("people", "person"),
        ("companies", "company"),
        ("addresses", "address"),
        ("statuses", "status"),
        ("boxes", "box"),
        ("news", "news"),
        ("order_items", "order_item"),
        ("branches", "branch"),
        ("caches", "cache"),
        ("movies", "movie"),
        ("houses", "house"),
        ("wishes", "wish"),
        ("quizzes", "quiz"),
        ("status", None),
        ("bus", None),
        ("glass", None),
        ("project", None),
    ],
)
def test_of_many_one(many: str, one: str | None) -> None:
    assert singular(many) == one


def test_articles() -> None:
    words = ("project", "order", "hour", "unit", "user", "umbrella", "one-off")
    assert [article(word).split()[0] for word in words] == ["a", "an", "an", "a", "a", "an", "a"]


def test_names_of_the_base_classes_cannot_be_fields() -> None:
    """Whatever Pydantic and SQLAlchemy add to them later."""
    names = {name for base in (BaseModel, Base) for name, _ in inspect.getmembers_static(base)}
    for name in names:
        if not name.startswith(("_", "model_")):
            with pytest.raises(GrammarError, match="call it something else"):
                field(f"{name}:int")
