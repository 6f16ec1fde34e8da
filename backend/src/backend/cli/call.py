"""`backend call`: a request to the app in this process, and what it caused."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.errors import CommandError

__all__ = ["call"]


def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST and so on.")],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="As in /api/users/me, with its query if any.")
    ],
    email: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="The account that asks; nobody without it."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="JSON",
            help="The body; @FILE reads it from a file, @- from standard input.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="'NAME: VALUE'", help="A header; can be given several times."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send a request as an account, and show the answer, the SQL, the log and the mails.

    The app answers in this process, on the development database: no server has to run, and no
    password is needed. What the request changes stays changed. For development only.

    The exit code is 0 for an answer below 400 that did not fail afterwards, else 1.
    """
    from backend.cli import calling
    from backend.cli.output import print_json

    result = calling.call(method, path, email=email, body=_read(data), headers=header or [])
    if as_json:
        print_json(result.as_document())
    else:
        print(result.as_text())
    if not result.succeeded:
        raise typer.Exit(1)


def _read(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    name = data[1:]
    try:
        return sys.stdin.read().encode() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(
            f"{name} cannot be read ({error.strerror}). Name a file after the @, or give the "
            "JSON itself."
        ) from None
