"""Values that a JSON schema accepts: small, believable to a validator, each different."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from backend.check.probes.patterns import NoValueError, matching

__all__ = ["PASSWORD", "Maker", "NoValueError"]

PASSWORD = "probe.Tangerine-Lagoon-41"  # noqa: S105 - of accounts that live for a moment
_DAY = date(2031, 3, 1)
_SECRET = re.compile(r"password|passwd|passphrase", re.IGNORECASE)


@dataclass(frozen=True)
class Maker:
    """Makes the values of one row. Two makers with different numbers make different values."""

    word: str
    """Letters that texts begin with, so that they can be recognised in an answer."""
    number: int
    given: Mapping[str, Any] = field(default_factory=dict)
    """Values for properties of these names, whatever their schema."""
    everything: bool = False
    """Optional properties as well."""

    def make(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """Raises NoValueError."""
        return self._make(schema, schema.get("$defs", {}), name, 0)

    def _make(
        self, schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str, depth: int
    ) -> Any:
        if depth > 8:
            raise NoValueError(f"{name} is nested without an end")
        if name in self.given:
            return self.given[name]
        if reference := schema.get("$ref"):
            schema = {**definitions[reference.rpartition("/")[2]], **_without(schema, "$ref")}
        if parts := schema.get("allOf"):
            for part in parts:
                schema = {**_without(schema, "allOf"), **part}
            return self._make(schema, definitions, name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if choices := schema.get("enum"):
            return choices[self.number % len(choices)]
        for union in ("anyOf", "oneOf"):
            if options := schema.get(union):
                rest = _without(schema, union, "default", "title")
                wanted = [option for option in options if option.get("type") != "null"]
                if not wanted:
                    return None
                return self._make({**rest, **wanted[0]}, definitions, name, depth + 1)
        kind = schema.get("type")
        match kind[0] if isinstance(kind, list) else kind:
            case "string":
                return self._text(schema, name)
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return self.number % 2 == 0
            case "null":
                return None
            case "array":
                return self._items(schema, definitions, name, depth)
            case "object":
                return self._properties(schema, definitions, depth)
        return self._plain(0, 60)

    def _properties(
        self, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int
    ) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        return {
            name: self._make(item, definitions, name, depth + 1)
            for name, item in schema.get("properties", {}).items()
            if name in required or self.everything or name in self.given
        }

    def _items(
        self, schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str, depth: int
    ) -> list[Any]:
        if prefix := schema.get("prefixItems"):
            return [self._make(item, definitions, "", depth + 1) for item in prefix]
        count = schema.get("minItems", 0)
        return [
            Maker(self.word, self.number + index)._make(
                schema.get("items", {}), definitions, "", depth + 1
            )
            for index in range(count)
        ]

    def _number(self, schema: Mapping[str, Any]) -> float:
        step: float = schema.get("multipleOf", 1)
        if (narrow := self._between(schema)) is not None:
            return narrow
        low = schema.get("minimum")
        if low is None and "exclusiveMinimum" in schema:
            low = schema["exclusiveMinimum"] + step
        high = schema.get("maximum")
        if high is None and "exclusiveMaximum" in schema:
            high = schema["exclusiveMaximum"] - step
        if low is None:
            low = step if high is None or high >= step else high
        count = int((low + step * 0.999999) // step)  # the first multiple that is not too small
        most = 50 if high is None else max(int(high // step) - count, 0)
        value = (count + (self.number % (most + 1) if most < 50 else self.number % 50)) * step
        return float(value) if high is None or value <= high else float(low)

    @staticmethod
    def _between(schema: Mapping[str, Any]) -> float | None:
        """The middle, where there may be no whole number between the bounds."""
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if schema.get("type") != "number" or "multipleOf" in schema or low is None or high is None:
            return None
        return float(low + high) / 2 if high - low <= 1 else None

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        low, high = schema.get("minLength", 0), schema.get("maxLength", 60)
        made = self._formatted(schema.get("format", ""), name)
        if made is None:
            made = self._plain(low, high)
        if pattern := schema.get("pattern"):
            made = self._matching(pattern, made, low, high)
        return made

    def _formatted(self, kind: str, name: str) -> str | None:
        if kind == "password" or _SECRET.search(name):
            return PASSWORD
        lowered = name.lower()
        if kind in {"email", "idn-email"} or lowered in {"email", "username"} or "email" in lowered:
            return f"{self._plain(0, 40)}@example.com"
        match kind:
            case "uuid" | "uuid4" | "uuid7":
                return str(uuid.UUID(int=(0x7 << 76) | (0x8 << 60) | self.number))
            case "date":
                return (_DAY + timedelta(days=self.number % 1000)).isoformat()
            case "date-time":
                moment = datetime(2031, 3, 1, tzinfo=UTC) + timedelta(hours=self.number % 9000)
                return moment.isoformat().replace("+00:00", "Z")
            case "time":
                return f"{self.number % 24:02}:30:00Z"
            case "duration":
                return f"PT{self.number % 20 + 1}H"
            case "uri" | "url":
                return f"https://example.com/{self._plain(0, 40)}"
            case "ipv4":
                return f"192.0.2.{self.number % 250 + 1}"
            case "ipv6":
                return f"2001:db8::{self.number % 65000 + 1:x}"
            case "hostname":
                return f"{self._plain(0, 40)}.example.com"
            case "binary" | "byte" | "base64" | "base64url":
                return "cHJvYmU="
        return f"https://example.com/{self._plain(0, 40)}" if lowered == "url" else None

    def _plain(self, low: int, high: int) -> str:
        text = f"{self.word}{self.number:04}"
        if high < len(text):
            text = f"{self.word[-1]}{self.number}"[:high] if high else ""
        return text + "x" * (low - len(text))

    def _matching(self, pattern: str, text: str, low: int, high: int) -> str:
        """The text if it matches already; else one that is read off the pattern."""
        try:
            compiled = re.compile(pattern)
            candidates = (
                text,
                text.upper(),
                re.sub(r"[^a-z]", "", text) or "probe",
                matching(pattern, self.number),
            )
        except (re.error, NoValueError):
            return text
        for made in candidates:
            if compiled.search(made) and low <= len(made) <= high:
                return made
        raise NoValueError(f"nothing was found for the pattern {pattern}")


def _without(schema: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in names}
