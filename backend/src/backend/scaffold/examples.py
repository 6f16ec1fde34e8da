"""Values for the factory and the tests, as expressions: believable ones, small ones, wrong ones."""

import re
from decimal import Decimal

from backend.scaffold.imported import IMPORTED
from backend.scaffold.modifiers import UNIQUE_MIN_VALUES
from backend.scaffold.names import ordered_pair
from backend.scaffold.spec import Field, Kind

__all__ = [
    "factory_expression",
    "grouped",
    "json_value",
    "length_constant",
    "step_beyond",
    "two_values",
    "unknown_value",
    "wrong_values",
]

# What a text is by its name: a pattern, how Faker says it, and how long that can become.
_BY_NAME = (
    (r"first_?name|forename|given_name", "first_name()", 20),
    (r"last_?name|surname|family_name", "last_name()", 25),
    (r"user_?name|nick(name)?|handle|login", "user_name()", 40),
    (r"company|organi[sz]ation|employer|brand|vendor|supplier|client|customer", "company()", 60),
    (r"full_name|author|contact|person|employee|member|patient|student|teacher", "name()", 50),
    (r"city|town|place|location", "city()", 40),
    (r"country", "country()", 60),
    (r"country_code", "country_code()", 2),
    (r"state|region|province|county", "state()", 40),
    (r"street.*|.*address(_line.*)?", "street_address()", 60),
    (r"zip(_?code)?|post(al)?_?code", "postcode()", 12),
    (r".*phone(_number)?|mobile|fax", "phone_number()", 30),
    (r"colou?r", "color_name()", 30),
    (r"currency(_code)?", "currency_code()", 3),
    (r"language", "language_name()", 40),
    (r"locale", "locale()", 10),
    (r"iban", "iban()", 34),
    (r"isbn", "isbn13()", 17),
    (r"job(_title)?|occupation|profession|position", "job()", 80),
    (r"slug", "slug()", 100),
    (r"code|sku|.*_code|number|.*_number|reference", 'bothify("??-####")', 7),
    (r".*_name", "catch_phrase()", 80),
    (
        r"description|summary|notes?|comments?|bio|about|text|body|content|message|details|abstract",
        "paragraph(nb_sentences=2)",
        500,
    ),
    (r"tags?|label|keyword|category|kind|type|unit", "word()", 20),
)
_NAME = ("catch_phrase()", 80)
_TITLE = ("sentence(nb_words=4)", 100)
_TEXT = ("paragraph(nb_sentences=3)", 800)
_UNIQUE = ('bothify("????-####")', 9)
_REPEATS = {"country()", "country_code()", "currency_code()", "state()", "word()", "locale()"}
_SPREAD = 1_000
_UNIQUE_SPREAD = 1_000_000


def factory_expression(field: Field, one: str, enum_class: str) -> str:
    """What makes up a value, within the bounds; `fake` is a Faker, and `one` what has the field."""
    fake = "fake.unique" if field.unique else "fake"
    match field.kind:
        case Kind.STR | Kind.TEXT:
            return _text(field, one, fake)
        case Kind.INT | Kind.BIGINT:
            low, high = _range(field)
            return f"{fake}.random_int({low}, {high})"
        case Kind.DECIMAL:
            low, high = _range(field)
            return f"Decimal({fake}.random_int({low}, {high})).scaleb(-{field.scale})"
        case Kind.FLOAT:
            return _float(field)
        case Kind.DATETIME:
            return (
                "datetime(2025, 1, 1, tzinfo=UTC) + "
                f"timedelta(minutes={fake}.random_int(0, 2_000_000))"
            )
        case Kind.ENUM:
            return f"fake.enum({enum_class})"
        case kind:
            return _OTHERS[kind].format(fake=fake)


_OTHERS = {
    Kind.BOOL: "{fake}.boolean()",
    Kind.DATE: "{fake}.date_between(date(2025, 1, 1), date(2029, 12, 31))",
    Kind.UUID: "uuid.UUID({fake}.uuid4())",
    Kind.EMAIL: "{fake}.email()",
    Kind.URL: "{fake}.url()",
    Kind.JSON: "{{{fake}.word(): {fake}.random_int(0, 100)}}",
}


def _text(field: Field, one: str, fake: str) -> str:
    shortest, longest = _length(field)
    name = one if field.name == "name" else field.name
    call, most = next(
        ((call, most) for pattern, call, most in _BY_NAME if re.fullmatch(pattern, name)),
        _TEXT if field.kind is Kind.TEXT else _NAME if field.name == "name" else _TITLE,
    )
    if field.unique and (most > longest or call in _REPEATS):
        if field.kind is Kind.STR and "code" not in call and longest >= 25 and shortest < 4:
            return f'f"{{fake.word().capitalize()}} {{{fake}.random_int(1, 99_999)}}"'
        call, most = _UNIQUE
    if longest < 10 and most > longest:
        return f"{fake}.pystr({max(shortest, min(longest, 4))}, {longest})"
    expression = f"{fake}.{call}"
    if call.startswith("sentence"):
        expression += '.rstrip(".")'
    if most > longest:
        expression += f"[:{length_constant(field, one)}]"
    if shortest > 3:
        expression += f'.ljust({shortest}, "x")'
    return expression


def length_constant(field: Field, one: str) -> str:
    """What the longest length of a text is called: not as one that is imported."""
    name = f"{field.name.upper()}_MAX_LENGTH"
    return f"{one.upper()}_{name}" if name in IMPORTED["backend.core.fields"].split() else name


def _length(field: Field) -> tuple[int, int]:
    return int(field.minimum or 0), int(field.maximum or 0)


def _range(field: Field) -> tuple[str, str]:
    """In the smallest unit of the field, which of a decimal is 10 to the power of minus scale."""
    unit = 10**field.scale
    bound = {Kind.INT: 2**31, Kind.BIGINT: 2**63}.get(field.kind, 10 ** (field.precision or 1))
    highest = bound - 1 if field.maximum is None else int(field.maximum * unit)
    spread = _UNIQUE_SPREAD if field.unique else _SPREAD * unit
    if field.minimum is not None:
        low = int(field.minimum * unit)
    elif highest - unit > UNIQUE_MIN_VALUES:
        low = unit
    else:
        low = max(1 - bound, highest - spread)
    return grouped(low), grouped(min(low + spread, highest))


def grouped(number: int) -> str:
    return f"{number:_}" if abs(number) >= 10_000 else str(number)


def _float(field: Field) -> str:
    low, high = _float_range(field)
    digits = 2 if high - low >= 1 else 6
    made = f"fake.random.uniform({low}, {high})"
    if (round(low, digits), round(high, digits)) != (low, high):
        return made  # rounded, it could be out of the bounds
    return f"round({made}, {digits})"


def _float_range(field: Field) -> tuple[float, float]:
    if field.minimum is None:
        high = 100.0 if field.maximum is None else float(field.maximum)
        return min(0.0, high - 100), high
    low = float(field.minimum)
    return low, low + 100 if field.maximum is None else float(field.maximum)


def two_values(field: Field, enum_class: str) -> tuple[str, str] | None:
    """The lower one first; None where there are no two."""
    match field.kind:
        case Kind.STR | Kind.TEXT:
            return _sample(field, "Rowing"), _sample(field, "Sailing")
        case Kind.INT | Kind.BIGINT:
            number = int(_lowest(field))
            return str(number), str(number + 1)
        case Kind.DECIMAL:
            amount = _lowest(field)
            above = amount + 1 if _holds(field, amount + 1) else amount + _step(field)
            return f'Decimal("{_places(field, amount)}")', f'Decimal("{_places(field, above)}")'
        case Kind.FLOAT:
            low, high = _float_range(field)
            return str(low), str((low + high) / 2)
        case Kind.ENUM:
            if len(field.values) < 2:
                return None
            first, second = ordered_pair(field.values) or field.values[:2]
            return f"{enum_class}.{_member(first)}", f"{enum_class}.{_member(second)}"
        case kind:
            return _TWO.get(kind)


_TWO = {
    Kind.BOOL: ("False", "True"),
    Kind.DATE: ("date(2030, 1, 1)", "date(2030, 1, 2)"),
    Kind.DATETIME: ("datetime(2030, 1, 1, tzinfo=UTC)", "datetime(2030, 1, 2, tzinfo=UTC)"),
    Kind.UUID: ("uuid.UUID(int=1)", "uuid.UUID(int=2)"),
    Kind.EMAIL: ('"rowing@example.com"', '"sailing@example.com"'),
    Kind.URL: ('"https://example.com/rowing"', '"https://example.com/sailing"'),
    Kind.JSON: ('{"size": 1}', '{"size": 2}'),
}


def json_value(field: Field) -> str | None:
    """Not its default; None where there is no other."""
    match field.kind:
        case Kind.ENUM:
            return next((f'"{value}"' for value in field.values if value != field.default), None)
        case Kind.BOOL:
            return str(not field.default)
        case Kind.REF:
            return "str(uuid.UUID(int=1))"
        case kind if kind in _JSON:
            return _JSON[kind]
        case _:
            low, high = two_values(field, "") or ("", "")
            chosen = high if low.strip('"') == str(field.default) else low
            return chosen.removeprefix("Decimal(").removesuffix(")") if field.precision else chosen


_JSON = {
    Kind.DATE: '"2031-01-01"',
    Kind.DATETIME: '"2031-01-01T00:00:00Z"',
    Kind.UUID: "str(uuid.UUID(int=1))",
}


def _member(value: str) -> str:
    return value.replace("-", "_").upper()


def _sample(field: Field, word: str) -> str:
    shortest, longest = _length(field)
    fitting = word[:longest]
    return f'"{fitting}"' + (f'.ljust({shortest}, "x")' if len(fitting) < shortest else "")


def _lowest(field: Field) -> Decimal:
    """Of a number: its minimum, or 1, or what is left below its maximum."""
    if field.minimum is not None:
        return Decimal(field.minimum)
    one = Decimal(1) if field.precision != field.scale or not field.scale else Decimal(0)
    return one if field.maximum is None else min(one, Decimal(field.maximum) - 2 * _step(field))


def _step(field: Field) -> Decimal:
    return Decimal(1).scaleb(-field.scale)


def _holds(field: Field, value: Decimal) -> bool:
    below = field.maximum is None or value <= field.maximum
    return below and value < 10 ** (field.precision - field.scale)


def _places(field: Field, value: Decimal) -> Decimal:
    return value.quantize(_step(field))


def wrong_values(field: Field) -> list[str]:
    """As they come in JSON: one for each bound, and what is of another type."""
    wrong = _out_of_bounds(field)
    return wrong if field.optional else ["None", *wrong]


def _out_of_bounds(field: Field) -> list[str]:
    match field.kind:
        case Kind.STR | Kind.TEXT:
            shortest, longest = _length(field)
            short = ['""' if shortest == 1 else f'"x" * {shortest - 1}'] if shortest else []
            return [*short, f'"x" * {grouped(longest + 1)}']
        case Kind.INT | Kind.BIGINT:
            limit = 2**31 if field.kind is Kind.INT else 2**63
            low = -limit if field.minimum is None else int(field.minimum)
            high = limit - 1 if field.maximum is None else int(field.maximum)
            return [str(low - 1), str(high + 1), '"many"']
        case Kind.DECIMAL:
            return _decimals_out_of_bounds(field)
        case Kind.FLOAT:
            bounds = []
            if field.minimum is not None:
                bounds.append(str(float(field.minimum - step_beyond(field.minimum))))
            if field.maximum is not None:
                bounds.append(str(float(field.maximum + step_beyond(field.maximum))))
            return [*bounds, '"much"']
        case Kind.ENUM:
            return [unknown_value(field)]
        case kind:
            return list(_WRONG[kind])


_WRONG = {
    Kind.BOOL: ('"perhaps"',),
    Kind.DATE: ('"tomorrow"',),
    Kind.DATETIME: ('"2030-01-01T00:00:00"',),
    Kind.UUID: ('"1"',),
    Kind.EMAIL: ('"jane"',),
    Kind.URL: ('"javascript:alert(1)"', '"https://example.com/" + "x" * 2000'),
    Kind.JSON: ('"{}"',),
    Kind.REF: ('"1"',),
}


def step_beyond(bound: int | Decimal) -> Decimal:
    """How far a float is to be from a bound to be another one."""
    return max(Decimal(1), abs(Decimal(bound)))


def unknown_value(field: Field) -> str:
    """None of an enum's, and not too long for its column."""
    names = ["unheard_of", *(f"unheard_of_{number}" for number in range(len(field.values)))]
    return f'"{next(name for name in names if name not in field.values)}"'


def _decimals_out_of_bounds(field: Field) -> list[str]:
    step = _step(field)
    low = f'"{field.minimum - step:f}"' if field.minimum is not None else None
    high = f'"{field.maximum + step:f}"' if field.maximum is not None else None
    too_large = f'"{10 ** (field.precision - field.scale)}"'
    too_fine = f'"{_places(field, _lowest(field)):f}1"'
    return [value for value in (low, high, too_large, too_fine) if value is not None]
