"""A text that a regular expression matches, read off the expression."""

import string
from collections.abc import Iterable
from importlib import import_module
from typing import Any

__all__ = ["NoValueError", "matching"]

# The parser of `re`, which has no public name, and which mypy does not always find.
codes: Any = import_module("re._constants")
regex: Any = import_module("re._parser")


class NoValueError(Exception):
    """Nothing was found that is accepted."""


def matching(pattern: str, number: int) -> str:
    """The shortest one, nearly always; another number makes another where it can. What is looked
    ahead for is left out, so it has to be tried. Raises NoValueError and re.error."""
    return "".join(_sample(regex.parse(pattern), number))


def _sample(parsed: Iterable[tuple[Any, Any]], number: int) -> list[str]:
    made: list[str] = []
    for code, argument in parsed:
        if code is codes.LITERAL:
            made.append(chr(argument))
        elif code in {codes.NOT_LITERAL, codes.ANY}:
            made.append("a" if argument != ord("a") else "b")
        elif code is codes.IN:
            made.append(_one_of(argument, number))
        elif code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            low, high, inner = argument
            for _ in range(max(low, min(high, 1))):
                made += _sample(inner, number)
        elif code is codes.SUBPATTERN:
            made += _sample(argument[-1], number)
        elif code is codes.ATOMIC_GROUP:
            made += _sample(argument, number)
        elif code is codes.BRANCH:
            made += _sample(argument[1][0], number)
        elif code not in {codes.AT, codes.ASSERT, codes.ASSERT_NOT}:
            raise NoValueError("the pattern is beyond what can be read here")
    return made


_CATEGORIES = {
    codes.CATEGORY_DIGIT: string.digits,
    codes.CATEGORY_WORD: string.ascii_lowercase,
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    codes.CATEGORY_NOT_WORD: "-",
    codes.CATEGORY_NOT_SPACE: string.ascii_lowercase,
}


def _one_of(items: list[tuple[Any, Any]], number: int) -> str:
    letters = ""
    forbidden = ""
    negated = bool(items) and items[0][0] is codes.NEGATE
    for code, argument in items:
        if code is codes.LITERAL:
            found = chr(argument)
        elif code is codes.RANGE:
            found = "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 80) + 1)))
        else:
            found = _CATEGORIES.get(argument, "")
        if negated:
            forbidden += found
        else:
            letters += found
    if negated:
        letters = "".join(c for c in string.ascii_lowercase + "0 -" if c not in forbidden)
    if not letters:
        raise NoValueError("the pattern is beyond what can be read here")
    return letters[number % len(letters)]
