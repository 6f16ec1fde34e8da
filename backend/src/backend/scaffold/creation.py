"""`backend service new`."""

from collections.abc import Sequence

from backend.cli.errors import CommandError
from backend.scaffold.checkout import APP, SERVICES, Checkout
from backend.scaffold.grammar import GrammarError, check_targets, parse_service
from backend.scaffold.landing import interruptible, land
from backend.scaffold.migration import apply_migrations, refuse_unfit_database
from backend.scaffold.outcome import Outcome, Revision
from backend.scaffold.record import Record, digest, path_of_record
from backend.scaffold.registration import add_router
from backend.scaffold.render import render_service
from backend.scaffold.spec import Owner, ServiceSpec
from backend.scaffold.staging import Staging, open_staging
from backend.scaffold.trial import keep_test_record, revise, tidy, tidy_paths, try_out

__all__ = ["add_service", "refuse_too_many", "said"]

MOST_FIELDS = 100


def add_service(
    checkout: Checkout, name: str, fields: Sequence[str], owner: Owner, *, dry_run: bool
) -> Outcome:
    refuse_too_many(fields)
    try:
        spec = parse_service(name, fields, owner)
        check_targets(spec, checkout.targets)
    except GrammarError as error:
        raise CommandError(said(error)) from None
    _refuse_what_exists(checkout, name)
    checkout.refuse_if_read_only()
    refuse_unfit_database()
    with interruptible(), open_staging(checkout) as staging:
        _write(staging, spec)
        message = f"Add {name.replace('_', ' ')}"
        written = revise(staging, Revision(message, name))
        if written.path is None or written.revision is None:
            raise CommandError(f"No model was found for {name}. Nothing was changed.")
        _write_record(staging, spec)
        tests = "" if dry_run else try_out(staging, name)
        changes = staging.changes()
        if not dry_run:
            revision = written.revision
            land(checkout, changes, lambda: apply_migrations(revision))
            keep_test_record(staging, checkout)
    return Outcome(
        service=name,
        changes=changes,
        routes=written.routes,
        migration=written.path,
        tests=tests,
        is_dry_run=dry_run,
    )


def said(error: GrammarError) -> str:
    """With the carets under their words: what is printed begins with `Error: `."""
    text = str(error)
    return f"This cannot be made of it:\n\n{text}" if text.startswith(" ") else text


def refuse_too_many(fields: Sequence[str]) -> None:
    if len(fields) > MOST_FIELDS:
        raise CommandError(
            f"{len(fields)} fields are too many for one table; {MOST_FIELDS} is the most. Make "
            "several services that refer to one another."
        )


def _refuse_what_exists(checkout: Checkout, name: str) -> None:
    for folder in (f"{SERVICES}/{name}", f"tests/services/{name}"):
        if checkout.files_in(folder):
            raise CommandError(
                f"{folder} is there already. Choose another name; `backend service field` adds to "
                "a service, and `backend service remove` removes one. If it is left over from a "
                "command that was killed, delete it: `git status` shows what git does not have."
            )
    for service in checkout.services.values():
        if name in service.tables:
            raise CommandError(
                f"The service {service.name} has a table `{name}` already. Choose another name."
            )


def _write(staging: Staging, spec: ServiceSpec) -> None:
    files = render_service(spec, staging.copy.targets)
    app_is_tidy = tidy_paths(staging, [APP])
    for path, text in files.items():
        staging.write(path, text)
    staging.write(APP, add_router(staging.read(APP), spec.name))
    tidy(staging, [*(path for path in files if path.endswith(".py")), *app_is_tidy])


def _write_record(staging: Staging, spec: ServiceSpec) -> None:
    files = {
        change.path: digest(change.after)
        for change in staging.changes()
        if change.path != APP and change.after is not None
    }
    record = Record(spec.name, spec.owner, [field.text for field in spec.fields], files)
    staging.write(path_of_record(spec.name), record.text())
