"""`backend user`: accounts, from the operator's side."""

import sys
from typing import Annotated

import typer

from backend.cli.errors import CommandError

__all__ = ["group"]

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Accounts: create, promote, list."
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's address.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command()
def create(
    email: Email,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    superuser: Annotated[bool, typer.Option("--superuser", help="An administrator.")] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The person's name.")] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Mail a link that confirms the address first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an account, whose address counts as confirmed.

    The password is asked for on a terminal, or read with --password-stdin. Without one, the owner
    of the address is mailed a link to choose it.
    """
    from backend.cli import accounts
    from backend.cli.output import print_json

    password = _read_password() if password_stdin else _ask_for_password(as_json)
    user = accounts.create(
        email, password, name=name, is_superuser=superuser, is_verified=not unverified
    )
    if as_json:
        print_json({**user, "password_link_mailed": password is None})
        return
    print(f"Created {user['email']}{', a superuser' if superuser else ''}.")
    if password is None:
        print("A link to choose the password is queued; the server or `backend worker` sends it.")
    if unverified:
        print("A link to confirm the address is queued; the server or `backend worker` sends it.")


@group.command()
def promote(
    email: Email,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the rights away again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an account a superuser, from its next request on."""
    from backend.cli import accounts
    from backend.cli.output import print_json

    user = accounts.set_superuser(email, not revoke)
    if as_json:
        print_json(user)
    else:
        print(f"{user['email']} is {'no superuser any more' if revoke else 'a superuser'}.")


@group.command(name="list")
def list_users(
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The beginning of an address.")
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="How many at most.")
    ] = 100,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="`next_cursor` of the page before."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List accounts, by address."""
    from backend.cli import accounts
    from backend.cli.output import print_json, table

    users, next_cursor = accounts.find(search=search, limit=limit, cursor=cursor)
    if as_json:
        print_json({"items": users, "next_cursor": next_cursor})
        return
    rows = [
        [
            str(user["email"]),
            str(user["name"] or ""),
            ", ".join(accounts.standing(user)),
            str(user["created_at"])[:10],
        ]
        for user in users
    ]
    print(table(["email", "name", "standing", "created"], rows) if rows else "No account.")
    if next_cursor:
        print(f"\nThere are more: --cursor {next_cursor}", file=sys.stderr)


def _read_password() -> str:
    """The first line, exactly as it is."""
    if sys.stdin.isatty():
        raise typer.BadParameter(
            "Pipe the password in, or leave this out to be asked.", param_hint="--password-stdin"
        )
    return sys.stdin.readline().rstrip("\r\n")


def _ask_for_password(quiet: bool) -> str | None:
    """None where there is no terminal, or nothing was typed."""
    if quiet or not sys.stdin.isatty():
        return None
    password: str = typer.prompt(
        "Password (empty to mail a link)", default="", show_default=False, hide_input=True, err=True
    )
    if not password:
        return None
    if password != typer.prompt("Once more", hide_input=True, err=True):
        raise CommandError("The two passwords are not the same. Nothing was made.")
    return password
