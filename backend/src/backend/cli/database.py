"""`backend db`: the schema of the database, and what is in it in development."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["group"]

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The database: its schema, rows for development, snapshots.",
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
def seed(as_json: AsJson = False) -> None:
    """Make an administrator, two users and believable rows. In development only.

    The rows are those of each service's factory.py. What is there already stays as it is, so this
    can be run at any time, also while a server runs.
    """
    from backend.cli import factories, seeding
    from backend.cli.output import print_json
    from backend.cli.preflight import prepare_schema

    seeding.refuse_in_production()
    applied = prepare_schema()
    accounts = seeding.seed_accounts()
    users = [account.id for account in accounts]
    if as_json:
        print_json(
            {
                "password": seeding.password(),
                "accounts": [asdict(account) for account in accounts],
                "services": [asdict(seeded) for seeded in factories.seed_services(users)],
            }
        )
        return
    for migration in applied:
        print(f"Applied {migration}")
    print("\n".join(seeding.describe_accounts(accounts)), flush=True)
    for seeded in factories.seed_services(users):
        print(seeding.describe_service(seeded), flush=True)


@group.command()
def snapshot(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Letters, digits, - and _.")
    ] = "latest",
    show: Annotated[bool, typer.Option("--list", help="List what was saved.")] = False,
    as_json: AsJson = False,
) -> None:
    """Save the database under a name, to go back to with `backend db reset --to NAME`.

    In development only. `latest` is replaced each time, another name is taken once.
    """
    from backend.cli import snapshots
    from backend.cli.output import print_json, table

    if not show:
        saved = snapshots.save(name)
        if as_json:
            print_json(asdict(saved))
        else:
            revision = saved.revision or "(none)"
            print(f"Saved as {saved.name}, at revision {revision}, in {saved.place}.")
        return
    found = snapshots.find()
    if as_json:
        print_json({"items": [asdict(item) for item in found]})
        return
    rows = [
        [
            item.name,
            f"{item.made_at:%Y-%m-%d %H:%M}",
            item.revision or "",
            f"{item.size / 1e6:.1f} MB",
            item.place,
        ]
        for item in found
    ]
    headers = ["name", "made (UTC)", "revision", "size", "place"]
    print(table(headers, rows) if rows else "No snapshot.")


@group.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go back to this snapshot instead.")
    ] = None,
    with_seed: Annotated[
        bool, typer.Option("--seed", help="Then do what `backend db seed` does.")
    ] = False,
) -> None:
    """Drop everything and migrate again, or go back to a snapshot. In development only."""
    from backend.cli import reset as implementation
    from backend.cli.database_errors import name_of
    from backend.settings import settings

    implementation.refuse_in_production()
    where = name_of(settings.database)
    if to is not None and with_seed:
        raise typer.BadParameter("A snapshot has rows of its own.", param_hint="--seed")
    if to is not None:
        _go_back(to, where, yes)
        return
    _confirm(f"Drop everything in {where}?", yes)
    for migration in implementation.reset_database():
        print(f"Applied {migration}")
    print(f"{where} is as new.")
    if with_seed:
        seed()


def _go_back(name: str, where: str, yes: bool) -> None:
    from backend.cli import snapshots

    wanted = snapshots.get(name)
    _confirm(f"Replace everything in {where} by the snapshot {name}?", yes)
    found = snapshots.restore(wanted)
    print(f"{where} is as it was on {wanted.made_at:%Y-%m-%d %H:%M} UTC.")
    if found.state == "behind":
        print(f"Pending: {', '.join(found.pending)}. Run `backend db migrate`.")


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("Without a terminal to ask on, add --yes.", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)
