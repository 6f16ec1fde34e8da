"""What the generator writes, with every type and modifier, is against no rule of the app."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateTable

from backend.check.routes import Routes, collect_routes
from backend.check.schemas import unlike_the_models
from backend.check.tables import collect_tables
from backend.core.openapi import operation_id
from tests.check.made_services import Checkout, checkout, findings
from tests.scaffold.services import SERVICES, Asked, render_all

BASE = "backend.services.shared.base"
OF_ROUTES = (
    *("BK102", "BK201", "BK204", "BK205"),
    *("BK301", "BK302", "BK303", "BK304", "BK305", "BK306", "BK402"),
)
OF_TABLES = ("BK103", "BK401", "BK403", "BK404", "BK405", "BK406")


def generate(made: Checkout, files: Mapping[str, str], services: Sequence[Asked]) -> Routes:
    """In one app, on a base that is not the project's."""
    shared = made.service("shared")
    for asked in services:
        made.hide(asked.name)
    for path, text in files.items():
        made.write(f"backend/{path}", text.replace("backend.db import Base", f"{BASE} import Base"))
    app = FastAPI(openapi_url=None, generate_unique_id_function=operation_id)
    for asked in services:
        record = {"version": 1, "name": asked.name, "fields": asked.fields.split()}
        folder = made.root / "backend/src/backend/services" / asked.name
        (folder / "generated.json").write_text(json.dumps(record))
        router = import_module(f"backend.services.{asked.name}.routes").router
        app.include_router(router, prefix="/api")
    tables = collect_tables(shared.module("base").Base.metadata, root=made.root)
    return collect_routes(app, tables, root=made.root)


def test_what_is_generated_has_no_finding(tmp_path: Path) -> None:
    with checkout(tmp_path) as made:
        routes = generate(made, render_all(), SERVICES)
        assert len(routes) >= 4 * len(SERVICES)
        assert len(routes.tables) == len(SERVICES) + 1
        assert any(table.private for table in routes.tables)
        for rule in (*OF_ROUTES, *OF_TABLES):
            assert findings(rule, routes.tables if rule in OF_TABLES else routes) == [], rule
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            for table in routes.tables.metadata.sorted_tables:
                connection.execute(CreateTable(table))
            assert list(unlike_the_models(connection, routes.tables.metadata)) == []
        engine.dispose()  # else Python 3.13 warns of the connection, in whichever test comes next


FOLDER = "src/backend/services/invoices"
PART = {"clients", "invoices"}


@cache
def _rendered() -> Mapping[str, str]:
    return render_all()


@pytest.mark.parametrize(
    ("module", "right", "wrong", "rule", "subjects"),
    [
        (
            "routes",
            ", user: CurrentUser)",
            ", user: OptionalUser)",
            "BK201",
            {
                "GET /api/invoices/{invoice_id}",
                "DELETE /api/invoices/{invoice_id}",
            },
        ),
        (
            "schemas",
            "    number: Number\n",
            "    number: Number\n    owner_id: uuid.UUID\n",
            "BK204",
            {
                "InvoiceCreate.owner_id",
            },
        ),
        (
            "routes",
            ", response_model=InvoiceRead)",
            ", response_model=None)",
            "BK301",
            {
                "GET /api/invoices/{invoice_id}",
            },
        ),
        (
            "schemas",
            "    state: InvoiceState\n",
            "    state: str\n    secret: str\n",
            "BK302",
            {
                "InvoiceRead.secret",
            },
        ),
        ("routes", "limit: Limit", "limit: int", "BK303", {"GET /api/invoices"}),
        ("routes", "status_code=201,", "", "BK304", {"POST /api/invoices"}),
        (
            "models",
            "Mapped[datetime] = mapped_column(",
            "Mapped[datetime] = mapped_column(DateTime(), ",
            "BK401",
            {"invoices.created_at", "invoices.updated_at"},
        ),
        (
            "schemas",
            "min_length=8, max_length=SECRET_MAX_LENGTH",
            "min_length=8",
            "BK402",
            {
                "Secret",
            },
        ),
        ("models", "String(SECRET_MAX_LENGTH)", "String", "BK402", {"invoices.secret"}),
        (
            "models",
            'Index(None, "client_id", "owner_id", "created_at", "id"),',
            "",
            "BK403",
            {"invoices.client_id"},
        ),
        ("models", ', ondelete="CASCADE"', "", "BK404", {"invoices.owner_id"}),
        (
            "models",
            'UniqueConstraint("owner_id", "number")',
            'UniqueConstraint("number")',
            "BK406",
            {
                "invoices.number",
            },
        ),
    ],
)
def test_what_is_taken_out_of_it_is_found(
    tmp_path: Path, module: str, right: str, wrong: str, rule: str, subjects: set[str]
) -> None:
    files = {path: text for path, text in _rendered().items() if path.split("/")[3] in PART}
    path = f"{FOLDER}/{module}.py"
    assert right in files[path]
    files[path] = files[path].replace(right, wrong)
    if "OptionalUser" in wrong:
        files[path] = files[path].replace("import CurrentUser", "import CurrentUser, OptionalUser")
    if "DateTime" in wrong:
        files[path] = "from sqlalchemy import DateTime\n" + files[path]
    services = [asked for asked in SERVICES if asked.name in PART]
    with checkout(tmp_path) as made:
        routes = generate(made, files, services)
        found = findings(rule, routes.tables if rule in OF_TABLES else routes)
        assert {item.subject for item in found} == subjects
        assert {item.place.path for item in found} == {f"backend/{path}"}
