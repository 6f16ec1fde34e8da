"""The table of settings in docs/operations.md, as the settings themselves give it."""

from pathlib import Path

from pydantic import SecretStr

from backend.settings import Settings

__all__ = ["settings_table"]

HEADER = "| setting | default | production | is |\n|---|---|---|---|\n"


def settings_table(required: set[str]) -> str:
    """`required`: what production does not start without."""
    lines = []
    for name, field in Settings.model_fields.items():
        production = "must be set" if name.upper() in required else ""
        cells = (f"`{name.upper()}`", _default(name), production, field.description)
        lines.append(f"| {' | '.join(map(str, cells))} |\n")
    return HEADER + "".join(lines)


def _default(name: str) -> str:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, Path):
        return f"`{default.name}/`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default not in ("", []) else ""
