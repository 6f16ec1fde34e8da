"""The `backend` command. Each group is a module of `cli`, which imports the project when it runs:
help and completion stay quick, and a bad setting is a sentence."""

from importlib.metadata import version
from typing import Annotated

import typer

from backend.cli import (
    call,
    check,
    configuration,
    database,
    doctor,
    routes,
    service,
    serving,
    users,
)
from backend.cli.errors import failures_as_sentences

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Run and operate this backend. Without a command it serves, as `backend serve`.",
)
app.command()(serving.dev)
app.command()(serving.serve)
app.command()(serving.worker)
app.add_typer(database.group, name="db")
app.add_typer(users.group, name="user")
app.add_typer(service.group, name="service")
app.command()(routes.routes)
app.command()(call.call)
app.command()(configuration.config)
app.command()(doctor.doctor)
app.command()(check.check)
app.command()(check.explain)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("backend"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _backend(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        serving.serve()


def main() -> None:
    with failures_as_sentences():
        app(prog_name="backend")


if __name__ == "__main__":
    main()
