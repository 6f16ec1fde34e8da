"""Writes the migration of a service: `python -m backend.scaffold.revising`, in the staged copy.

Takes what it needs as JSON in its argument, and prints what it made.
"""

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alembic import command
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, MetaData, Table, inspect

from backend.app import app
from backend.check.routes import Route, collect_routes
from backend.core.schema import alembic_config
from backend.db import import_models
from backend.scaffold.outcome import Revision, Written


def write(wanted: Revision) -> Written:
    """Compares the models with a database that has every migration."""
    config = alembic_config()
    config.attributes["configure_logging"] = False
    config.cmd_opts = Namespace(autogenerate=True)  # env.py brings the database up to date then
    strangers: set[str] = set()

    def revise(
        context: MigrationContext, _revision: Any, scripts: list[ops.MigrationScript]
    ) -> None:
        script = scripts[0]
        changed = {_table_of(item) for item in _upgrade_of(script).ops}
        strangers.update(changed - {wanted.service})
        if wanted.drops:
            _drop(script, import_models().tables[wanted.service])
        elif not strangers:
            _add_checks(script, context, import_models(), wanted.service)
        if strangers or not _upgrade_of(script).ops:
            scripts.clear()

    script = command.revision(
        config, wanted.message, autogenerate=True, process_revision_directives=revise
    )
    if isinstance(script, list):
        script = script[0] if script else None
    routes = service_routes(wanted.service)
    if script is None:
        return Written(None, None, sorted(strangers), routes)
    folder = Path(config.config_file_name or "").parent
    path = Path(script.path).relative_to(folder).as_posix()
    return Written(path, script.revision, (), routes)


def service_routes(service: str) -> list[tuple[str, str, str]]:
    """Method, path, and who may."""
    return [
        (route.method, route.path, _who_may(route))
        for route in collect_routes(app)
        if route.service == service
    ]


def _who_may(route: Route) -> str:
    if route.requires_superuser:
        return "superuser"
    return "signed in" if route.requires_user else "anyone"


def _upgrade_of(script: ops.MigrationScript) -> ops.UpgradeOps:
    if script.upgrade_ops is None:
        raise RuntimeError("Alembic compared nothing")
    return script.upgrade_ops


def _table_of(operation: ops.MigrateOperation) -> str:
    return str(getattr(operation, "table_name", operation))


def _drop(script: ops.MigrationScript, table: Table) -> None:
    """By the model that is still there: what Alembic finds in the database are SQLite's types."""
    _upgrade_of(script).ops.append(ops.DropTableOp.from_table(table))
    if script.downgrade_ops is not None:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        script.downgrade_ops.ops.append(ops.CreateTableOp.from_table(table))
        creates = [ops.CreateIndexOp.from_index(index) for index in indexes]
        script.downgrade_ops.ops.append(ops.ModifyTableOps(table.name, creates))


def _add_checks(
    script: ops.MigrationScript, context: MigrationContext, metadata: MetaData, name: str
) -> None:
    """Alembic does not compare CHECK constraints; what a table that is there lacks is added."""
    if name not in metadata.tables or context.connection is None:
        return
    inspector = inspect(context.connection)
    if not inspector.has_table(name):
        return
    there = {check["name"] for check in inspector.get_check_constraints(name)}
    preparer = context.connection.dialect.identifier_preparer
    missing = [
        constraint
        for constraint in metadata.tables[name].constraints
        if isinstance(constraint, CheckConstraint)
        and preparer.format_constraint(constraint) not in there
    ]
    if not missing:
        return
    creates = [
        ops.CreateCheckConstraintOp.from_constraint(constraint)
        for constraint in sorted(missing, key=lambda item: str(item.name))
    ]
    _modify(_upgrade_of(script), name).ops.extend(creates)
    if script.downgrade_ops is not None:
        drops = [ops.DropConstraintOp.from_constraint(item.to_constraint()) for item in creates]
        _modify(script.downgrade_ops, name).ops[:0] = drops


def _modify(container: ops.OpContainer, name: str) -> ops.ModifyTableOps:
    for item in container.ops:
        if isinstance(item, ops.ModifyTableOps) and item.table_name == name:
            return item
    made = ops.ModifyTableOps(name, [])
    container.ops.append(made)
    return made


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(write(Revision(**json.loads(sys.argv[1]))))))
