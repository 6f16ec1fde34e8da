"""`backend config`: the settings as this process reads them."""

from typing import Annotated

import typer

__all__ = ["config"]


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    production: Annotated[
        bool,
        typer.Option("--production", help="Show what production would refuse; exit 1 if anything."),
    ] = False,
) -> None:
    """Show each setting, and where it came from.

    Secrets are masked, passwords within addresses too.
    """
    from backend.cli.masking import shown_settings
    from backend.cli.output import print_json, table
    from backend.settings import settings

    problems = settings.problems() if production else []
    warnings = settings.warnings()
    if as_json:
        print_json(
            {
                "settings": [item.__dict__ for item in shown_settings(settings)],
                "warnings": warnings,
                **({"problems": [item.__dict__ for item in problems]} if production else {}),
            }
        )
    elif not production:
        for item in shown_settings(settings):
            print(f"{item.name} = {item.value}   [{item.origin}]\n    {item.description}")
    elif problems:
        rows = [[item.setting, item.problem, item.remedy] for item in problems]
        print(table(["setting", "problem", "how to set it"], rows))
    else:
        print("Production accepts these settings.")
    if production and not as_json:
        for warning in warnings:
            print(f"Warning: {warning}")
    if problems:
        raise typer.Exit(1)
