"""`backend db`: the schema of the database."""

import sys
from typing import Annotated

import typer

__all__ = ["group"]

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The database's schema: migrate, status, reset.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command()
def migrate(as_json: AsJson = False) -> None:
    """Apply the pending migrations. Can be run at any time, by several at once."""
    from backend import db
    from backend.cli.output import print_json
    from backend.cli.preflight import (
        apply_migrations,
        refuse_unknown_database,
        require_known_schema,
    )
    from backend.cli.runtime import run
    from backend.core.schema import schema_state

    refuse_unknown_database()
    found = run(schema_state(db.engine))
    require_known_schema(found)
    applied = apply_migrations(found)
    if as_json:
        print_json({"applied": found.pending, "current": found.head})
        return
    for migration in applied:
        print(f"Applied {migration}")
    print(f"The schema is at {found.head}, the newest revision.")


@group.command()
def status(as_json: AsJson = False) -> None:
    """Compare the database with the migrations of this version: current, behind or foreign."""
    from backend import db
    from backend.cli.database_errors import name_of
    from backend.cli.output import print_json
    from backend.cli.preflight import refuse_unknown_database
    from backend.cli.runtime import run
    from backend.core.schema import describe, schema_state
    from backend.settings import settings

    refuse_unknown_database()
    found = run(schema_state(db.engine))
    if as_json:
        print_json(
            {
                "database": name_of(settings.database),
                "state": found.state,
                "current": found.current,
                "head": found.head,
                "pending": found.pending,
            }
        )
        return
    print(f"database  {name_of(settings.database)}")
    print(f"state     {found.state}")
    print(f"current   {found.current or '(no migration was applied)'}")
    print(f"head      {found.head}")
    for revision in found.pending:
        print(f"pending   {describe(revision)}")


@group.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop everything and migrate again. In development only."""
    from backend.cli import reset as implementation
    from backend.cli.database_errors import name_of
    from backend.settings import settings

    implementation.refuse_in_production()
    where = name_of(settings.database)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("Without a terminal to ask on, add --yes.", param_hint="--yes")
        typer.confirm(f"Drop everything in {where}?", abort=True, err=True)
    for migration in implementation.reset_database():
        print(f"Applied {migration}")
    print(f"{where} is as new.")
