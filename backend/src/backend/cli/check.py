"""`backend check` and `backend explain`: what is against this project's conventions, and why."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from backend.check.checking import Request
    from backend.check.engine import Report

__all__ = ["check", "explain"]

Format = Literal["text", "json", "github", "sarif"]


def check(
    services: Annotated[
        list[str] | None, typer.Argument(help="Check these only.", show_default=False)
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = "text",
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be, and check again.")] = False,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Only files that differ from the main branch, by git."),
    ] = False,
    write_baseline: Annotated[
        bool,
        typer.Option("--write-baseline", help="Record what is found now as known."),
    ] = False,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Run this rule only; may be repeated.", show_default=False),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Look at everything again.")] = False,
) -> None:
    """Check the code against this project's conventions.

    Reads the files, asks the app, and sends it requests, on a database of its own. Exit code 1 if
    anything is an error, 2 if something could not be looked at.
    """
    from backend.check.checking import Request
    from backend.check.config import find_root
    from backend.cli.errors import CommandError, failures_as_sentences

    request = Request(
        find_root(),
        services or (),
        rule or (),
        changed=changed,
        cache=not (fix or no_cache),
        baseline=not write_baseline,
    )
    with failures_as_sentences(2):
        try:
            code = _mend(request, output) if fix else _check(request, output, write_baseline)
        except ValueError as error:
            raise CommandError(str(error)) from error
    if code:
        raise typer.Exit(code)


def _check(request: "Request", output: Format, write_baseline: bool) -> int:
    from backend.check.baseline import baseline_path
    from backend.check.baseline import write_baseline as write
    from backend.check.checking import check

    if write_baseline and (request.services or request.rules or request.changed):
        raise ValueError("A baseline is of the whole project: leave services and rules out.")
    report = check(request)
    if write_baseline:
        if report.exit_code == 2:
            _print(report, output)
            return 2
        count = write(request.root, report.findings)
        print(f"{baseline_path(request.root).name} holds {count} findings.")
        return 0
    _print(report, output)
    return report.exit_code


def _mend(request: "Request", output: Format) -> int:
    """The second run is a process of its own, since this one has imported what was mended."""
    import subprocess
    import sys

    from backend.check.checking import check
    from backend.check.mend import outcomes, try_to_mend
    from backend.check.report.machine import from_json
    from backend.cli.errors import CommandError

    before = check(request).findings
    attempts = try_to_mend(request.root, before)
    options = ["--no-cache", "--format", "json", *(f"--rule={id_}" for id_ in request.rules)]
    if request.changed:
        options.append("--changed")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "backend.main", "check", *options, *request.services],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if not done.stdout:
        raise CommandError(
            "The check after mending could not run. Look at `git diff`, and run `backend check`."
        )
    after = from_json(done.stdout)
    for line in outcomes(attempts, before, after):
        print(line, file=sys.stderr)
    sys.stderr.flush()
    _print(after, output)
    return done.returncode


def _print(report: "Report", output: Format) -> None:
    import os
    import sys

    if output == "text":
        from backend.check.report.text import as_text

        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        text = as_text(report, colour=colour)
    else:
        from backend.check.report import machine

        write = {"json": machine.as_json, "github": machine.as_github, "sarif": machine.as_sarif}
        text = write[output](report)
    sys.stdout.write(text)


def explain(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As in BK203.", show_default=False)
    ] = None,
) -> None:
    """Say why a rule is there, with wrong and right code; without ID list all rules."""
    from backend.check.catalogue import catalogue
    from backend.check.explain import nearest, page, ruff_page
    from backend.cli.errors import CommandError, failures_as_sentences
    from backend.cli.output import table

    rules = catalogue()
    if id_ is None:
        rows = [[rule.id, rule.level.value, rule.title] for rule in rules.values()]
        print(table(["id", "level", "what holds"], rows))
        return
    tool, colon, code = id_.partition(":")
    if tool.lower() == "ruff":
        wanted = f"ruff{colon}{code if code == 'format' else code.upper()}"
    else:
        wanted = id_.upper()
    text = page(wanted) or (ruff_page(wanted.removeprefix("ruff:")) if colon else None)
    if text is None:
        with failures_as_sentences(2):
            raise CommandError(
                f"There is no rule {id_}{nearest(wanted, list(rules))} "
                "`backend explain` lists them all."
            )
    print(text.strip())
