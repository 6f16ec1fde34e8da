"""`backend service field`."""

from collections.abc import Mapping, Sequence

from backend.cli.errors import CommandError
from backend.scaffold.checkout import Checkout
from backend.scaffold.creation import refuse_too_many, said
from backend.scaffold.grammar import GrammarError, check_targets, parse_service
from backend.scaffold.landing import interruptible, land
from backend.scaffold.merge import Conflict, merge
from backend.scaffold.migration import apply_migrations, refuse_unfit_database
from backend.scaffold.outcome import Outcome, Revision
from backend.scaffold.record import Record, digest, path_of_record
from backend.scaffold.render import render_service
from backend.scaffold.spec import Field, ServiceSpec
from backend.scaffold.staging import Staging, open_staging
from backend.scaffold.trial import keep_test_record, revise, tidy, tidy_paths, try_out

__all__ = ["add_fields", "require_record"]


def add_fields(checkout: Checkout, name: str, fields: Sequence[str], *, dry_run: bool) -> Outcome:
    """What was edited by hand stays, and gets the additions where they can be placed."""
    record = require_record(checkout, name)
    refuse_too_many([*record.fields, *fields])
    try:
        old = parse_service(name, record.fields, record.owner)
        new = parse_service(name, [*record.fields, *fields], record.owner)
        check_targets(new, checkout.targets)
    except GrammarError as error:
        raise CommandError(said(error)) from None
    added = new.fields[len(old.fields) :]
    if not added:
        raise CommandError("Which fields? For example: due_on:date:optional")
    _refuse_without_value(added)
    checkout.refuse_if_read_only()
    refuse_unfit_database()
    with interruptible(), open_staging(checkout) as staging:
        rendered = _carry_over(staging, old, new)
        words = ", ".join(field.name for field in added)
        message = f"Add {words} to {name.replace('_', ' ')}"
        written = revise(staging, Revision(message, name))
        _write_record(staging, checkout, record, new, rendered, written.path)
        tests = "" if dry_run else try_out(staging, name)
        changes = staging.changes()
        if not dry_run:
            revision = written.revision
            land(checkout, changes, lambda: apply_migrations(revision) if revision else None)
            keep_test_record(staging, checkout)
    return Outcome(
        service=name,
        changes=changes,
        routes=written.routes,
        migration=written.path,
        tests=tests,
        is_dry_run=dry_run,
    )


def require_record(checkout: Checkout, name: str) -> Record:
    record = Record.read(checkout, name) if name in checkout.services else None
    if record is not None:
        return record
    if name in checkout.services:
        raise CommandError(
            f"{name} was written by hand: it has no {path_of_record(name)}. docs/guide.md says "
            "how a table is changed, under “Changing a service later”."
        )
    made = [service for service in checkout.services if Record.read(checkout, service)]
    raise CommandError(
        f"There is no service {name!r}. Generated ones: {', '.join(made) or 'none yet'}."
    )


def _refuse_without_value(added: Sequence[Field]) -> None:
    for field in added:
        if not field.optional and field.default is None:
            raise CommandError(
                f"{field.text}: the rows that there are, here or in another database, need a value "
                f"for `{field.name}`. Add `default=…`, or make it `optional`."
                if not field.unique and not field.target
                else f"{field.text}: the rows that there are, here or in another database, have no "
                f"value for `{field.name}`, and no default fits them all. Make it `optional`."
            )


def _carry_over(staging: Staging, old: ServiceSpec, new: ServiceSpec) -> Mapping[str, str]:
    """Merges the change into the files as they are; what the generator alone would write."""
    targets = staging.copy.targets
    before, after = render_service(old, targets), render_service(new, targets)
    paths = sorted(before.keys() | after.keys())
    there = [path for path in paths if staging.copy.read(path) is not None]
    python = [path for path in there if path.endswith(".py")]
    current = {path: staging.read(path) for path in there}
    may_be_formatted = {*tidy_paths(staging, python), *(set(paths) - set(there))}
    base, wanted = _formatted(staging, before), _formatted(staging, after)
    conflicts: list[str] = []
    for path in paths:
        merged, found = _merged(base.get(path), wanted.get(path), current.get(path))
        conflicts += [f"{path}:{item.line}\n{_indented(item.wanted)}" for item in found]
        if merged is None:
            staging.remove(path)
        else:
            staging.write(path, merged)
    if conflicts:
        raise CommandError(
            "These places were edited by hand, and the addition cannot be placed there. Nothing "
            "was changed. Write it there yourself, or undo the edit:\n\n" + "\n\n".join(conflicts)
        )
    staged = [path for path in paths if staging.copy.read(path) is not None]
    tidy(staging, [path for path in staged if path in may_be_formatted and path.endswith(".py")])
    return wanted


def _formatted(staging: Staging, files: Mapping[str, str]) -> dict[str, str]:
    for path, text in files.items():
        staging.write(path, text)
    tidy(staging, [path for path in files if path.endswith(".py")])
    return {path: staging.read(path) for path in files}


def _merged(
    base: str | None, wanted: str | None, current: str | None
) -> tuple[str | None, Sequence[Conflict]]:
    if base == wanted or current == wanted:
        return current, []
    if current == base:
        return wanted, []
    if base is None or wanted is None or current is None:
        return current, [Conflict(1, "The whole file: it is not as it was generated.")]
    return merge(base, wanted, current)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _write_record(
    staging: Staging,
    checkout: Checkout,
    record: Record,
    spec: ServiceSpec,
    rendered: Mapping[str, str],
    migration: str | None,
) -> None:
    """A file that was edited counts as edited further on, so its hash is that of the rendering."""
    edited = set(record.edited(checkout))
    files = dict(record.files)
    for path, text in rendered.items():
        content = text.encode() if path in edited else staging.copy.read(path)
        if content is not None:
            files[path] = digest(content)
    if migration is not None:
        files[migration] = digest(staging.read(migration).encode())
    fields = [field.text for field in spec.fields]
    staging.write(path_of_record(spec.name), Record(spec.name, spec.owner, fields, files).text())
