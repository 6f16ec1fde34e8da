"""The settings and what tells of them."""

from collections.abc import Iterator

from backend.check.finding import Finding, Place
from backend.check.registry import rule
from backend.check.settings_facts import SETTINGS, TABLE, SettingsFacts, mend_table
from backend.check.settings_table import HIDDEN

__all__: list[str] = []


@rule("BK703", "Every setting is told of as it is", facts="settings")
def settings_are_told_of(settings: SettingsFacts) -> Iterator[Finding]:
    yield from _table(settings)
    for path, lines in settings.examples:
        for told in lines:
            if not settings.is_setting(told.name):
                yield Finding(
                    "BK703",
                    Place(path, told.line),
                    told.name,
                    f"{path} sets {told.name}, which is no setting.",
                    "Correct the name, or delete the line.",
                )


def _table(settings: SettingsFacts) -> Iterator[Finding]:
    rows = {told.name: told for told in settings.table}
    for name, row in settings.rows.items():
        # A secret with a default is for a person to mend: BK701 says how.
        fix = None if f"| {HIDDEN} |" in row else mend_table
        if name not in rows:
            yield Finding(
                "BK703",
                Place(SETTINGS, settings.line_of(name)),
                name,
                f"The table of settings in {TABLE} has no row for {name}.",
                f"Add {row}",
                fix=fix,
            )
        elif rows[name].text != row:
            yield Finding(
                "BK703",
                Place(TABLE, rows[name].line),
                name,
                f"The row of {name} is not what settings.py says.",
                f"Write {row}",
                fix=fix,
            )
    for name, told in rows.items():
        if name not in settings.rows:
            yield Finding(
                "BK703",
                Place(TABLE, told.line),
                name,
                f"The table of settings has a row for {name}, which is no setting.",
                "Delete the row.",
                fix=mend_table,
            )
