"""English and Python names: of many one, of a word a class."""

import re
from collections.abc import Sequence
from itertools import combinations

__all__ = ["article", "in_words", "ordered_pair", "pascal", "singular"]

_IRREGULAR = {
    "aliases": "alias",
    "analyses": "analysis",
    "bases": "base",
    "biases": "bias",
    "bonuses": "bonus",
    "buses": "bus",
    "caches": "cache",
    "campuses": "campus",
    "canvases": "canvas",
    "censuses": "census",
    "children": "child",
    "consensuses": "consensus",
    "cookies": "cookie",
    "crises": "crisis",
    "criteria": "criterion",
    "data": "datum",
    "diagnoses": "diagnosis",
    "feet": "foot",
    "focuses": "focus",
    "geese": "goose",
    "halves": "half",
    "heroes": "hero",
    "indices": "index",
    "knives": "knife",
    "leaves": "leaf",
    "lenses": "lens",
    "lives": "life",
    "loaves": "loaf",
    "matrices": "matrix",
    "media": "medium",
    "men": "man",
    "mice": "mouse",
    "movies": "movie",
    "oxen": "ox",
    "people": "person",
    "phenomena": "phenomenon",
    "pies": "pie",
    "potatoes": "potato",
    "quizzes": "quiz",
    "shelves": "shelf",
    "statuses": "status",
    "surpluses": "surplus",
    "teeth": "tooth",
    "ties": "tie",
    "tomatoes": "tomato",
    "vertices": "vertex",
    "viruses": "virus",
    "wives": "wife",
    "wolves": "wolf",
    "women": "woman",
    "zombies": "zombie",
}
_THE_SAME = {"equipment", "fish", "news", "series", "sheep", "species", "staff"}
_ENDINGS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("shes", "sh"),
    ("tches", "tch"),
    ("nches", "nch"),
    ("rches", "rch"),
    ("aches", "ach"),
    ("xes", "x"),
    ("zzes", "zz"),
    ("echoes", "echo"),
)


def singular(plural: str) -> str | None:
    """Of `order_items` `order_item`; None for a word that is not a plural."""
    *before, word = plural.split("_")
    one = _singular_word(word)
    return None if one is None else "_".join([*before, one])


def _singular_word(word: str) -> str | None:
    if word in _THE_SAME:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return word.removesuffix(ending) + replacement
    if word.endswith(("ss", "us", "is")) or not word.endswith("s") or len(word) < 3:
        return None
    return word.removesuffix("s")


def pascal(name: str) -> str:
    """`order_item` as `OrderItem`."""
    return "".join(part.capitalize() for part in name.split("_"))


def in_words(name: str) -> str:
    return name.replace("_", " ")


def article(words: str) -> str:
    """`an order`, `a unit`."""
    sounds_like_a_vowel = re.match(r"[aeio]|u(?!ni|se|ti)|hour|honou?r|heir", words)
    if sounds_like_a_vowel and not re.match(r"eu|one\b|once", words):
        return f"an {words}"
    return f"a {words}"


def ordered_pair(values: Sequence[str]) -> tuple[str, str] | None:
    """Two of them that every collation puts into the same order: by bytes, with punctuation before
    letters, and without punctuation."""
    for low, high in combinations(sorted(values, key=_as_letters), 2):
        if all(key(low) < key(high) for key in (str, _punctuation_first, _as_letters)):
            return low, high
    return None


def _as_letters(value: str) -> str:
    return re.sub("[_-]", "", value).lower()


def _punctuation_first(value: str) -> str:
    return value.replace("_", " ").replace("-", "!").lower()
