"""`backend service`: services by one command, and what became of them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backend.cli.errors import CommandError

if TYPE_CHECKING:
    from backend.scaffold.outcome import Outcome

__all__ = ["group"]

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Services of your own: new, field, remove, list, show. For development.",
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The folder, table and path: a plural, as projects.")
]
Fields = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD", help="name:type[:argument][:modifier…]", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be made, and change nothing.")
]

EXAMPLE = "title:str:max=120:search status:enum:draft,live:default=draft due_on:date:optional"


@group.command()
def new(
    name: Name,
    fields: Fields = None,
    owner: Annotated[
        Literal["user", "none"],
        typer.Option(
            help="user: each row is one user's, whom alone it shows itself. none: everybody who is "
            "signed in reads, superusers write."
        ),
    ] = "user",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add a service: its code, tests and migration, tried before anything is changed.

    backend service new projects title:str:max=120:search status:enum:draft,live:default=draft

    It passes its tests and `backend check`, and its migration is applied; or everything is as it
    was.
    """
    with _development_libraries():
        from backend.scaffold.checkout import Checkout
        from backend.scaffold.creation import add_service

        outcome = add_service(Checkout.here(), name, _given(fields), owner, dry_run=dry_run)
    _report(outcome, "Added", as_json)


@group.command()
def field(
    name: Name, fields: Fields = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Add fields to a service, also to one that was edited by hand since.

    backend service field projects budget:decimal:12.2:min=0:optional
    """
    with _development_libraries():
        from backend.scaffold.checkout import Checkout
        from backend.scaffold.extension import add_fields

        outcome = add_fields(Checkout.here(), name, _given(fields), dry_run=dry_run)
    _report(outcome, "Changed", as_json)


@group.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take away what was generated, and its table. Refuses if it was edited or is used.

    If the service's migrations are the newest and git does not have them, they are taken back and
    deleted; otherwise a new one drops the table.
    """
    with _development_libraries():
        from backend.scaffold.checkout import Checkout
        from backend.scaffold.removal import plan_removal

        plan = plan_removal(Checkout.here(), name)
        if not (yes or dry_run):
            loss = f"Remove {name} and its table, with {_count(plan.rows, 'row')}"
            if not sys.stdin.isatty():
                raise CommandError(f"{loss}? Without a terminal to ask on, add --yes.")
            typer.confirm(f"{loss}?", abort=True, err=True)
        outcome = plan.carry_out(dry_run=dry_run)
    _report(outcome, "Removed", as_json)


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the services: fields, tables, number of routes, files edited since."""
    from backend.cli.output import print_json, table

    with _development_libraries():
        from backend.scaffold.checkout import Checkout
        from backend.scaffold.inspection import show_all

        found = show_all(Checkout.here())
    if as_json:
        print_json([item.as_document() for item in found])
        return
    rows = [
        [
            item.name,
            "generated" if item.generated else "by hand",
            ", ".join(item.tables),
            str(len(item.routes)),
            _count(len(item.edited), "file") if item.edited else "",
        ]
        for item in found
    ]
    print(table(["service", "made", "tables", "routes", "edited since"], rows))


@group.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a service: its fields, tables, routes, and what was edited since."""
    from backend.cli.output import print_json, table

    with _development_libraries():
        from backend.scaffold.checkout import Checkout
        from backend.scaffold.inspection import show as find

        found = find(Checkout.here(), name)
    if as_json:
        print_json(found.as_document())
        return
    made = f"generated, --owner {found.owner}" if found.generated else "written by hand"
    print(f"{found.name}: {made}")
    _print_lines("tables", found.tables)
    _print_lines("fields", found.fields)
    _print_lines("edited since", found.edited)
    _print_lines("not generated", found.added)
    if found.routes:
        print()
        print(table(["method", "path", "who may"], found.routes))


@contextmanager
def _development_libraries() -> Iterator[None]:
    missing = [name for name in ("faker", "libcst", "pytest", "ruff") if find_spec(name) is None]
    if missing:
        raise CommandError(
            f"`backend service` is for development, and {', '.join(missing)} is not installed: "
            "install the dev group with `uv sync`."
        )
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Nothing was changed.") from None


def _given(fields: list[str] | None) -> list[str]:
    """Asks for what is missing, on a terminal only."""
    if fields or not sys.stdin.isatty():
        return fields or []
    answer: str = typer.prompt(f"Fields, as in {EXAMPLE}\n", err=True)
    return answer.split()


def _report(outcome: "Outcome", verb: str, as_json: bool) -> None:
    from backend.cli.output import print_json, table

    if as_json:
        print_json(outcome.as_document())
        return
    print(f"{f'Would have {verb.lower()}' if outcome.is_dry_run else verb} {outcome.service}.\n")
    for word, paths in (
        ("created", outcome.created),
        ("changed", outcome.changed),
        ("deleted", outcome.deleted),
    ):
        for path in paths:
            note = "  (applied)" if path == outcome.migration and not outcome.is_dry_run else ""
            print(f"{word}  {path}{note}")
    if outcome.routes:
        print()
        print(table(["method", "path", "who may"], outcome.routes))
    if outcome.tests:
        print(f"\nTests: {outcome.tests}. `backend check`: no error.")
    if outcome.is_dry_run:
        print("\nNothing was changed. --json shows the contents.")
    elif outcome.routes:
        print("\nNext: read what was written, then `uv run backend dev`")


def _print_lines(title: str, lines: Sequence[str]) -> None:
    for line in lines:
        print(f"  {title:13}  {line}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
