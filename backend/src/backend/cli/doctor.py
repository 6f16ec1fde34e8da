"""`backend doctor`: whether this machine can run the backend."""

from typing import Annotated

import typer

__all__ = ["doctor"]


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this machine, from Python to mail.

    Looks at the settings, the folder for data, the port, the database and its migrations, the
    clock and the mail server; sends nothing. Exit code 1 if anything is an error.
    """
    from backend.cli.checkup import Check, python_check
    from backend.cli.errors import is_settings_error
    from backend.cli.output import print_json

    checks = [python_check()]
    try:
        from backend.cli.examination import examine

        checks += examine()
    except Exception as error:
        if not is_settings_error(error):
            raise
        checks.append(Check("settings", "error", str(error)))
    failed = any(check.status == "error" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [check.__dict__ for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(f"{check.status:<7}  {check.name:<{width}}  {check.message}")
            if check.remedy:
                print(f"{'':7}  {'':{width}}  -> {check.remedy}")
    if failed:
        raise typer.Exit(1)
