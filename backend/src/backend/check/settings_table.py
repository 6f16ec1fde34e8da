"""The table of settings in docs/operations.md, as the settings themselves give it."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretBytes, SecretStr

from backend.check.secret_names import holds_credentials, is_secret_setting

if TYPE_CHECKING:
    from backend.settings import Settings

__all__ = ["HEADER", "HIDDEN", "required_settings", "settings_rows", "settings_table"]

HEADER = "| setting | default | production | is |\n|---|---|---|---|\n"
HIDDEN = "`***`"
"""For the default of a secret that has one (BK701): what is in a document is known to everybody."""


def settings_table(model: "type[Settings]") -> str:
    return HEADER + "".join(f"{row}\n" for row in settings_rows(model).values())


def settings_rows(model: "type[Settings]") -> dict[str, str]:
    """By the name of the field."""
    required = required_settings(model)
    rows = {}
    for name, field in model.model_fields.items():
        production = "must be set" if name.upper() in required else ""
        cells = (f"`{name.upper()}`", _default(model, name), production, field.description)
        rows[name] = f"| {' | '.join(map(str, cells))} |"
    return rows


def required_settings(model: "type[Settings]") -> frozenset[str]:
    """What production does not start without: what is wrong where nothing is set."""
    return frozenset(problem.setting for problem in model.model_construct().problems())


def _default(model: "type[Settings]", name: str) -> str:
    field = model.model_fields[name]
    default = field.get_default(call_default_factory=True)
    if isinstance(default, SecretStr | SecretBytes):
        return HIDDEN if default.get_secret_value() else ""
    if default and (
        "Secret" in str(field.annotation)
        or (isinstance(default, str | bytes) and is_secret_setting(name))
        or holds_credentials(str(default))
    ):
        return HIDDEN
    if isinstance(default, Path):
        return f"`{default.name}/`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default not in ("", []) else ""
