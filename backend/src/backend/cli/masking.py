"""Settings as they may be shown."""

import re
from dataclasses import dataclass

from pydantic import SecretStr

from backend.settings import Settings

__all__ = ["ShownSetting", "masked", "shown_settings"]

MASK = "********"
_SECRET_PARAMETER = re.compile(r"(?i)\b([\w-]*(?:password|secret|token|key)[\w-]*=)[^&]*")


@dataclass(frozen=True)
class ShownSetting:
    name: str
    value: str
    origin: str
    description: str


def shown_settings(settings: Settings) -> list[ShownSetting]:
    return [
        ShownSetting(
            name=name.upper(),
            value=_shown(getattr(settings, name)),
            origin=settings.origin_of(name),
            description=field.description or "",
        )
        for name, field in type(settings).model_fields.items()
    ]


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return masked(value.get_secret_value())
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def masked(secret: str) -> str:
    """An address without its password, which may also stand in its query; else nothing of it.

    Whatever stands between the first colon and the last @ counts as the password, since people
    forget to escape theirs.
    """
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return MASK if secret else ""
    credentials, at, place = rest.rpartition("@")
    user, colon, _password = credentials.partition(":")
    place = _SECRET_PARAMETER.sub(rf"\1{MASK}", place)
    return f"{scheme}://{user}{colon}{MASK if colon else ''}{at}{place}"
