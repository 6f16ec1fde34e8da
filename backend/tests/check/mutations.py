"""What is wrong on purpose: edits of a generated service, each with the rule that finds it."""

from dataclasses import dataclass, field

__all__ = ["MUTATIONS", "Mutation"]

SERVICE = "src/backend/services/projects"
TESTS = "tests/services/projects"
MIGRATION = "migrations/versions/*_add_projects.py"
GIVEN = "project_id: uuid.UUID, session: SessionDep, user: CurrentUser"
GET = f"async def get_project({GIVEN}) -> Project:"
DELETES = "    await ProjectService.delete(session, user.id, project_id)\n"


@dataclass(frozen=True)
class Mutation:
    rule: str
    what: str
    path: str
    """Relative to `backend/`; `*` stands for what differs from one time to the next."""
    old: str
    """Replaced where it stands first. Empty: `new` goes to the end; the file may be a new one."""
    new: str
    also: frozenset[str] = field(default_factory=frozenset)
    """Other rules that have a point too."""
    delete: bool = False


def also(*rules: str) -> frozenset[str]:
    return frozenset(rules)


MUTATIONS = [
    Mutation(
        "BK001",
        "a suppression without reason",
        f"{SERVICE}/service.py",
        "        await session.commit()\n        return project",
        "        await session.commit()  # check: allow BK603\n        return project",
    ),
    Mutation(
        "BK002",
        "a suppression of nothing",
        f"{SERVICE}/service.py",
        "        await session.commit()\n        return project",
        "        await session.commit()  # check: allow BK603: once\n        return project",
    ),
    Mutation(
        "BK003",
        "an import that is not there",
        f"{SERVICE}/service.py",
        "import Project, ProjectStatus",
        "import Project, ProjectState",
        also("ruff:F821", "ruff:F401", "ruff:I001"),
    ),
    Mutation(
        "BK101",
        "a module is gone",
        f"{SERVICE}/__init__.py",
        "",
        "",
        also("BK103"),
        delete=True,
    ),
    Mutation(
        "BK102",
        "the router is not included",
        "src/backend/app.py",
        'app.include_router(projects_router, prefix="/api")\n',
        "",
        also("ruff:F401"),
    ),
    Mutation(
        "BK104",
        "a query of another service's table",
        f"{SERVICE}/service.py",
        "async def _flush(",
        "async def _clients(session: AsyncSession) -> Any:\n"
        "    from backend.services.clients.models import Client\n\n"
        "    return await session.scalar(select(Client))\n\n\nasync def _flush(",
        also("ruff:PLC0415"),
    ),
    Mutation(
        "BK105",
        "HTTP in the service",
        f"{SERVICE}/service.py",
        "from sqlalchemy import Select, select\n",
        "from fastapi import HTTPException\nfrom sqlalchemy import Select, select\n",
        also("ruff:F401"),
    ),
    Mutation(
        "BK106",
        "clients and projects import each other",
        "src/backend/services/clients/factory.py",
        "import uuid\n",
        "import uuid\n\nfrom backend.services.projects import schemas as projects\n",
        also("ruff:F401", "ruff:I001", "ruff:format"),
    ),
    Mutation("BK107", "a path that is not there", "../README.md", "", "\nSee `docs/nowhere.md`.\n"),
    Mutation(
        "BK201",
        "no authentication",
        f"{SERVICE}/routes.py",
        GET,
        "async def get_project(project_id: uuid.UUID, session: SessionDep) -> Project:\n"
        "    user = Project(id=project_id)",
        also("BK202", "BK203", "BK206", "ruff:format", "ruff:D"),
    ),
    Mutation(
        "BK203",
        "the owner is no condition of the read",
        f"{SERVICE}/service.py",
        "session.scalar(_owned(owner_id).where(Project.id == project_id))",
        "session.scalar(select(Project).where(Project.id == project_id))",
    ),
    Mutation(
        "BK203",
        "the list has everybody's rows",
        f"{SERVICE}/service.py",
        "return select(Project).where(Project.owner_id == owner_id)",
        "return select(Project)",
        also("ruff:ARG001"),
    ),
    Mutation(
        "BK204",
        "the client says who owns it",
        f"{SERVICE}/schemas.py",
        "class ProjectCreate(BaseModel):\n",
        "class ProjectCreate(BaseModel):\n    owner_id: uuid.UUID | None = None\n",
        also("BK206"),
    ),
    Mutation(
        "BK301",
        "no response model",
        f"{SERVICE}/routes.py",
        '@router.get("/{project_id}", response_model=ProjectRead)\n' + GET,
        '@router.get("/{project_id}", response_model=None)\n' + GET,
        also("BK206"),
    ),
    Mutation(
        "BK303",
        "a list without a bound",
        f"{SERVICE}/routes.py",
        "    limit: Limit = 20,\n",
        "    limit: int = 20,\n",
        also("ruff:F401"),
    ),
    Mutation("BK304", "create answers 200", f"{SERVICE}/routes.py", "    status_code=201,\n", ""),
    Mutation(
        "BK305",
        "a route behind a wider one",
        f"{SERVICE}/routes.py",
        "",
        '\n\n@router.get("/newest", response_model=ProjectRead)\n'
        "async def get_newest(session: SessionDep, user: CurrentUser) -> Project:\n"
        '    """The newest of your projects."""\n'
        "    return (await ProjectService.find(session, user.id)).items[0]\n",
        also("BK802"),
    ),
    Mutation(
        "BK401",
        "a naive time",
        f"{SERVICE}/models.py",
        "created_at: Mapped[datetime] = mapped_column(default=utc_now)",
        "created_at: Mapped[datetime] = mapped_column(default=datetime.utcnow)",
        also("BK206", "ruff:DTZ003"),
    ),
    Mutation(
        "BK402",
        "text without a bound in the schema",
        f"{SERVICE}/schemas.py",
        "Title = Annotated[str, Field(min_length=1, max_length=TITLE_MAX_LENGTH)]",
        "Title = Annotated[str, Field(min_length=1)]",
        also("ruff:F401"),
    ),
    Mutation(
        "BK403",
        "a foreign key without index",
        f"{SERVICE}/models.py",
        '        Index(None, "client_id", "owner_id", "created_at", "id"),\n',
        "",
        also("BK501"),
    ),
    Mutation(
        "BK404",
        "a foreign key without ondelete",
        f"{SERVICE}/models.py",
        'ForeignKey("users.id", ondelete="CASCADE")',
        'ForeignKey("users.id")',
        also("BK501"),
    ),
    Mutation(
        "BK405",
        "a default without NOT NULL",
        f"{SERVICE}/models.py",
        "    due_on: Mapped[date | None]\n",
        '    due_on: Mapped[date | None]\n    phase = mapped_column(String(16), default="new")\n',
        also("BK501"),
    ),
    Mutation(
        "BK406",
        "unique for everybody together",
        f"{SERVICE}/models.py",
        'UniqueConstraint("owner_id", "title")',
        'UniqueConstraint("title")',
        also("BK501"),
    ),
    Mutation(
        "BK501",
        "a column without migration",
        f"{SERVICE}/models.py",
        "    due_on: Mapped[date | None]\n",
        "    due_on: Mapped[date | None]\n    paid_on: Mapped[date | None]\n",
        also("BK202", "BK203", "BK206"),
    ),
    Mutation("BK501", "the migration is gone", MIGRATION, "", "", delete=True, also=also("BK206")),
    Mutation(
        "BK503",
        "a way back that leaves the table",
        MIGRATION,
        '\n    op.drop_table("projects")\n',
        "",
    ),
    Mutation(
        "BK505",
        "create_all",
        f"{SERVICE}/service.py",
        "",
        "\n\ndef make(connection: Any) -> None:\n    Project.metadata.create_all(connection)\n",
    ),
    Mutation(
        "BK601",
        "a route commits",
        f"{SERVICE}/routes.py",
        DELETES,
        f"{DELETES}    await session.commit()\n",
    ),
    Mutation(
        "BK602",
        "hashing on the loop",
        f"{SERVICE}/service.py",
        "        given = data.model_dump()\n",
        "        import hashlib\n\n"
        '        hashlib.scrypt(b"", salt=b"", n=2, r=8, p=1)\n        given = data.model_dump()\n',
        also("ruff:PLC0415"),
    ),
    Mutation(
        "BK603",
        "a commit that is not awaited",
        f"{SERVICE}/service.py",
        "        await session.delete(await ProjectService.get(session, owner_id, project_id))\n"
        "        await session.commit()",
        "        await session.delete(await ProjectService.get(session, owner_id, project_id))\n"
        "        session.commit()",
        also("BK206", "BK203"),
    ),
    Mutation(
        "BK604",
        "a query for each row",
        f"{SERVICE}/service.py",
        "        return await paginate(\n            session,\n            statement,",
        "        for row in (await session.scalars(statement)).all():\n"
        "            await ClientService.get(session, owner_id, row.client_id)\n"
        "        return await paginate(\n            session,\n            statement,",
    ),
    Mutation(
        "BK701",
        "a secret in the code",
        "src/backend/settings.py",
        "    _given: frozenset[str]",
        '    stripe: SecretStr = Field(SecretStr("sk_live"), description="Charges.")\n'
        "    _given: frozenset[str]",
        also("BK703"),
    ),
    Mutation(
        "BK702",
        "the environment in a service",
        f"{SERVICE}/service.py",
        "",
        '\n\nLIMIT = __import__("os").environ\nimport os\n\nMOST = os.environ.get("MOST")\n',
        also("ruff:E402", "ruff:I001", "ruff:PLC0415", "ruff:format"),
    ),
    Mutation(
        "BK703",
        "a setting without a row",
        "src/backend/settings.py",
        "    _given: frozenset[str]",
        '    most: int = Field(3, description="The most.")\n    _given: frozenset[str]',
    ),
    Mutation(
        "BK704",
        "a token in the log",
        f"{SERVICE}/service.py",
        "async def _flush(",
        "async def _tell(token: str) -> None:\n"
        '    structlog.get_logger().info("told", token=token)\n\n\nasync def _flush(',
        also("ruff:F821"),
    ),
    Mutation(
        "BK801",
        "a test file is gone",
        f"{TESTS}/test_projects_service.py",
        "",
        "",
        delete=True,
    ),
    Mutation(
        "BK801",
        "a test without assertion",
        f"{TESTS}/test_projects_service.py",
        "",
        "\n\nasync def test_nothing(async_session: AsyncSession) -> None:\n"
        "    await async_session.commit()\n",
    ),
    Mutation(
        "BK802",
        "a route without test",
        f"{SERVICE}/routes.py",
        "",
        '\n\n@router.post("/{project_id}/archive", response_model=ProjectRead)\n'
        f"async def archive({GIVEN}) -> Project:\n"
        '    """Put away."""\n'
        "    return await ProjectService.get(session, user.id, project_id)\n",
    ),
    Mutation(
        "ruff",
        "an import that nobody uses",
        f"{SERVICE}/models.py",
        "import uuid\n",
        "import os\nimport uuid\n",
        also("ruff:F401"),
    ),
]
