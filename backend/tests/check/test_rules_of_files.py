"""The rules that read files: each finds the lines that are marked in its wrong example and no
others, and nothing in its right one."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.check.trees import Files, check_tree, lines_marked, make_tree, service

MODELS = """
    class Client(Base):
        __tablename__ = "clients"
"""
BY_SESSION = """
    from backend.db import SessionDep, async_session_maker
    from sqlalchemy.ext.asyncio import AsyncSession
"""


class Example(NamedTuple):
    rule: str
    wrong: Files
    right: Files


def clients(**modules: str) -> dict[str, str]:
    return service("clients", **modules)


def code(text: str) -> dict[str, str]:
    """In a module of a service that no rule treats apart."""
    return clients() | {"src/backend/services/clients/jobs.py": text}


EXAMPLES = {
    "a module is empty": Example(
        "BK101",
        clients(schemas="import uuid  # <-\n"),
        clients(schemas="Title = Annotated[str, Field(max_length=20)]\n"),
    ),
    "another's table is queried": Example(
        "BK104",
        clients(models=MODELS)
        | service(
            "invoices",
            service="""
                from backend.services.clients.models import Client as Customer

                async def find(session, client: Customer) -> Customer:
                    return await session.scalar(select(Customer))  # <-
            """,
            routes="from backend.services.clients import models  # <-\nrouter = APIRouter()\n",
        ),
        clients(
            models=MODELS + '\n    CLIENT_MAX = 3\n    class Kind(StrEnum):\n        A = "a"\n',
            service="async def get(session): ...\n",
        )
        | service(
            "invoices",
            models="""
                from backend.services.clients.models import CLIENT_MAX, Kind

                class Invoice(Base):
                    __tablename__ = "invoices"
                    client_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("clients.id"))
                    kind: Mapped[str] = mapped_column(default=Kind.A)
                    number = CLIENT_MAX
            """,
            service="""
                from backend.services.clients import service as clients
                from backend.services.clients.models import Client

                async def find(session) -> list[Client]:
                    found: Client | None = await clients.get(session)
                    assert isinstance(found, Client)
                    return [found]
            """,
        ),
    ),
    "a private name of another is used": Example(
        "BK104",
        clients(service="def _owned(): ...\n")
        | service(
            "invoices", service="from backend.services.clients.service import _owned  # <-\n"
        ),
        clients(service="def _owned(): ...\n")
        | {
            "src/backend/services/clients/jobs.py": (
                "from backend.services.clients.service import _owned\n"
            ),
            "tests/services/clients/test_private.py": (
                "from backend.services.clients.service import _owned\n"
            ),
        },
    ),
    "sign-in is a query of the accounts": Example(
        "BK104",
        service("users", models=MODELS)
        | service(
            "invoices",
            service="""
                from backend.services.users.models import Client

                def find():
                    return select(Client)  # <-
            """,
        ),
        service("users", models=MODELS)
        | service(
            "auth",
            service="""
                from backend.services.users.models import Client

                def find():
                    return select(Client)
            """,
        ),
    ),
    "a layer knows one above it": Example(
        "BK105",
        clients(
            models="from backend.services.clients.schemas import Title  # <-\nNAME = Title\n",
            schemas="from . import routes  # <-\nTitle = str\n",
            service="""
                from fastapi import HTTPException  # <-
                from starlette.requests import Request  # <-

                def find() -> None:
                    from fastapi_users import models  # <-
            """,
            routes="import backend.cli.output  # <-\nrouter = APIRouter()\n",
        )
        | {
            "src/backend/cli/output.py": "",
            "src/backend/core/mail.py": "from backend.services.clients import service  # <-\n",
        },
        clients(
            schemas="from backend.services.clients.models import NAME\nTitle = NAME\n",
            service="""
                from typing import TYPE_CHECKING

                from backend.core import mail

                if TYPE_CHECKING:
                    from starlette.requests import Request
            """,
            routes="from fastapi import APIRouter\nfrom . import service\nrouter = APIRouter()\n",
        )
        | service("auth")
        | {
            "src/backend/core/mail.py": "import smtplib\n",
            "src/backend/services/auth/manager.py": "from fastapi_users import BaseUserManager\n",
            "src/backend/cli/output.py": "from backend.services.clients import service\n",
        },
    ),
    "two services import each other": Example(
        "BK106",
        clients(service="from backend.services.invoices.service import find  # <-\n")
        | service("invoices", service="from backend.services.clients.service import find\n"),
        clients(
            service="""
                from typing import TYPE_CHECKING

                if TYPE_CHECKING:
                    from backend.services.invoices.service import find
            """
        )
        | service("invoices", service="from backend.services.clients.service import find\n"),
    ),
    "every service may ask auth who it is": Example(
        "BK106",
        service("auth", service="from backend.services.users.models import User  # <-\n")
        | service("users", routes="from backend.services.auth.service import find\n"),
        service("auth", service="from backend.services.users.models import User\n")
        | service("users", routes="from backend.services.auth.utils import CurrentUser\n")
        | {"src/backend/services/auth/utils.py": "CurrentUser = 1\n"},
    ),
    "a document names what is not there": Example(
        "BK107",
        clients()
        | {
            "/README.md": """
                See [the guide](docs/gide.md) <!-- # <- -->
                and `docs/missing.md`, <!-- # <- -->
                and `backend.services.clients.modells`, <!-- # <- -->
                and `backend.services.clients.models.MISSING`, <!-- # <- -->
                and [a part](docs/here.md#there), <!-- # <- -->

                ```bash
                bin/missing  # <-
                uv run backend db upgrade  # <-
                cd backend && uv run backend serve --nonsense  # <-
                bin/README x  # <-
                ```
            """,
            "/docs/here.md": "# Here\n",
            "/bin/README": "",
        },
        clients()
        | {
            "/README.md": """
                See [here](docs/here.md#the-part), `docs/here.md`, `src/backend/services/NAME/x.py`,
                `backend.services.clients.models.TITLE_MAX_LENGTH` and `backend db migrate`.
                Words such as `and/or` are no paths, and [others](https://example.com/x) elsewhere.

                ```python
                # src/backend/services/boats/models.py
                ```

                `src/backend/services/boats/models.py` is the reader's to write, and
                `tests/services/crews` comes of `backend service new crews name:str`.

                ```bash
                uv run backend serve --workers 2 && uv run backend db status
                ```
            """,
            "/docs/here.md": "# Here\n\n## The part\n",
        },
    ),
    "a document names what the service of an example does not have": Example(
        "BK107",
        clients()
        | {
            "/README.md": """
                `backend service new clients name:str` makes `services/clients/models.py`,
                and `backend/src/backend/services/clients/nothing.py`. <!-- # <- -->
            """,
        },
        {
            "src/backend/services/boats/__init__.py": "",
            "/README.md": """
                `backend service new clients name:str` makes `services/clients/models.py`,
                and `backend/src/backend/services/clients/nothing.py`.
            """,
        },
    ),
    "tables without a migration": Example(
        "BK505",
        code(
            """
            async def make(connection) -> None:
                await connection.run_sync(Base.metadata.create_all)  # <-
            """
        ),
        code("from backend.core import schema\n\nschema.upgrade()\n"),
    ),
    "a route commits": Example(
        "BK601",
        clients(
            routes="""
                @router.post("")
                async def create(session: SessionDep) -> None:
                    await session.commit()  # <-

                async def helper(db: Annotated[AsyncSession, Depends(get_async_session)]) -> None:
                    await db.rollback()  # <-

                @router.get("")
                async def plain(session=Depends(get_async_session)) -> None:
                    if session:
                        await session.commit()  # <-
            """
        )
        | {
            "src/backend/services/clients/pages.py": """
                @router.post("/x")
                async def create(session: AsyncSession) -> None:
                    await session.commit()  # <-
            """
        },
        clients(
            routes="""
                @router.post("")
                async def create(session: SessionDep, repository: Git) -> None:
                    await repository.commit()
                    await ClientService.create(session)
            """,
            service="""
                async def create(session: AsyncSession) -> None:
                    await session.commit()
            """,
        ),
    ),
    "the loop waits": Example(
        "BK602",
        code(
            """
            import hashlib
            import sqlite3 as lite
            from socket import getaddrinfo

            import bcrypt
            import httpx2
            from argon2 import PasswordHasher

            hasher = PasswordHasher()
            shared = httpx2.Client()

            async def work(password: bytes) -> None:
                lite.connect("x.db")  # <-
                hashlib.scrypt(password, salt=b"", n=2, r=8, p=1)  # <-
                if bcrypt.checkpw(password, b""):  # <-
                    getaddrinfo("example.com", 443)  # <-
                hasher.verify("", "")  # <-
                PasswordHasher().hash("")  # <-
                httpx2.get("https://example.com")  # <-
                with httpx2.Client() as client:  # <-
                    client.get("https://example.com")
                shared.post("https://example.com")  # <-
            """
        ),
        code(
            """
            import asyncio
            import hashlib
            import time

            import bcrypt
            import httpx2

            def fetch() -> None:
                httpx2.get("https://example.com")

            def work(password: bytes) -> bytes:
                return bcrypt.hashpw(password, b"")

            async def ask(password: bytes, hasher: Hasher) -> None:
                await asyncio.to_thread(work, password)
                await asyncio.to_thread(bcrypt.checkpw, password, b"")
                await asyncio.to_thread(lambda: bcrypt.checkpw(password, b""))
                hashlib.sha256(password)
                async with httpx2.AsyncClient() as client:
                    await client.get("https://example.com")
                await hasher.verify(password)

                def later() -> bytes:
                    return bcrypt.hashpw(password, b"")

                await asyncio.to_thread(later)
            """
        )
        | {"src/backend/cli/x.py": "import bcrypt\nasync def f():\n    bcrypt.checkpw(b'', b'')\n"},
    ),
    "a session is not awaited": Example(
        "BK603",
        code(
            BY_SESSION
            + """
    async def create(session: AsyncSession, maker) -> None:
        session.commit()  # <-
        rows = session.scalars(select(Client)).all()  # <-
        found = session.get(Client, 1)  # <-
        print(session.scalar(select(1)))  # <-
        if session.scalar(select(1)):  # <-
            return
        async with async_session_maker() as other:
            other.flush()  # <-
        return session.execute(select(1))  # <-

    async def plain(db: SessionDep, given=Depends(get_async_session)) -> None:
        db.delete(1)  # <-
        given.refresh(1)  # <-
"""
        ),
        code(
            BY_SESSION
            + """
    async def create(session: AsyncSession, store: Store) -> None:
        await session.commit()
        session.add(1)
        store.commit()
        rows = (await session.scalars(select(Client))).all()
        await asyncio.gather(session.flush(), *[session.get(Client, key) for key in (1, 2)])
        task = asyncio.create_task(session.scalar(select(1)))
        found = session.get(Client, 1)
        if await found:
            return await asyncio.wait_for(session.execute(select(1)), 3)
        async with session.begin_nested():
            await session.run_sync(lambda sync: sync.commit())

    def sync(session: AsyncSession) -> Awaitable[None]:
        return session.commit()
"""
        ),
    ),
    "an own coroutine is not awaited": Example(
        "BK603",
        clients(
            service="""
                class ClientService:
                    @staticmethod
                    async def create(session, data): ...

                    async def tell(self) -> None:
                        self.note()  # <-

                    async def note(self) -> None: ...

                async def tidy() -> None: ...

                async def work() -> None:
                    tidy()  # <-
                    ClientService.create(1, 2)  # <-
            """,
            routes="""
                from backend.services.clients import service as clients
                from backend.services.clients.service import ClientService, tidy as clean

                @router.post("")
                async def create(session) -> None:
                    ClientService.create(session, 1)  # <-
                    clean()  # <-
                    if session:
                        clients.tidy()  # <-
            """,
        ),
        clients(
            service="""
                class ClientService:
                    @staticmethod
                    async def create(session, data): ...

                    def note(self) -> None:
                        self.say()

                    def say(self) -> None: ...

                async def tidy() -> None: ...

                @task
                async def enqueue() -> None: ...

                async def each():
                    yield 1

                def plain() -> None: ...

                async def work(self) -> None:
                    await tidy()
                    await ClientService.create(1, 2)
                    later = tidy()
                    await later
                    asyncio.create_task(tidy())
                    enqueue()
                    plain()
                    each()
                    self.tidy()

                async def given(tidy) -> None:
                    tidy()
            """,
            routes="""
                from backend.services.clients.service import ClientService, plain

                async def create(session, client) -> None:
                    plain()
                    client.create(session)
                    await ClientService.create(session, 1)
            """,
        ),
    ),
    "a service commits twice": Example(
        "BK601",
        clients(
            service="""
                async def create(session: AsyncSession) -> None:
                    session.add(1)
                    await session.commit()
                    session.add(2)
                    await session.commit()  # <-
            """
        ),
        clients(
            service="""
                async def create(session: AsyncSession, many: list[int]) -> None:
                    if not many:
                        await session.commit()
                        return
                    for item in many:
                        await session.commit()
                    await session.commit()

                async def _send(session: AsyncSession) -> None:
                    await session.commit()
                    await session.commit()
            """
        ),
    ),
    "a secret is in the code": Example(
        "BK701",
        code(
            """
            import os

            from pydantic import Field, SecretStr

            class Settings(BaseSettings):
                stripe_key: SecretStr = SecretStr("sk_live_1")  # <-
                api_key: str = Field("abc", description="x")  # <-
                mail_url: SecretStr = Field(SecretStr("smtp://a:b@c"))  # <-
                other_secret: str = Field(description="x", default="abc")  # <-
                stripe_api_key: str = "sk_live_abc"  # <-
                hook_key: str | None = "abc"  # <-
                charges: str = Field("sk_live_abc", description="x")  # <-
                bot_token: str = Field(default_factory=lambda: "abc")  # <-
                cache_url: Annotated[str, Field(default="redis://me:abc@cache")]  # <-

            signing_secret = os.getenv("SIGNING_SECRET", "dev")  # <-
            client = Client(SecretStr("hidden"))  # <-
            """
        ),
        code(
            """
            import os

            from pydantic import Field, SecretStr

            class Settings(BaseSettings):
                stripe_key: SecretStr = SecretStr("")
                api_key: str = Field("", description="x")
                token_minutes: int = Field(30, description="abc")
                password_field: str = Field("password", description="The field of the form.")
                database_url: SecretStr = SecretStr(f"sqlite:///{path}")
                stripe_api_key: str = ""
                hook_key: str | None = None
                public_key: str = "abc"
                cache_url: str = "redis://cache"

            class Order(BaseModel):
                sort_key: str = "created_at"

            client = Client(settings.api_key, SecretStr(read()))
            """
        ),
    ),
    "a setting is read elsewhere": Example(
        "BK702",
        code(
            """
            import os
            from os import environ, getenv

            from pydantic_settings import BaseSettings

            limit = os.environ.get("LIMIT")  # <-
            other = os.getenv("OTHER")  # <-
            third = environ["THIRD"]  # <-
            fourth = getenv("FOURTH")  # <-

            class MySettings(BaseSettings):  # <-
                limit: int = 3
            """
        ),
        code("from backend.settings import settings\n\nlimit = settings.limit\n")
        | {
            "src/backend/settings.py": "import os\nlimit = os.environ.get('LIMIT')\n",
            "src/backend/cli/x.py": "import os\nlimit = os.environ.get('LIMIT')\n",
        },
    ),
    "a token is logged": Example(
        "BK704",
        code(
            """
            log = structlog.get_logger()

            def work(token: str, user: User, link_token: str, reset_url: str) -> None:
                print(token)  # <-
                log.info("reset", token=token)  # <-
                log.info("reset", value=f"see {reset_url}")  # <-
                logger.debug("password: %s", user.password)  # <-
                logging.getLogger(__name__).warning("x" + str(user.api_key))  # <-
                log.info("key", key=settings.secret_key.get_secret_value())  # <-
                typer.echo({"link": user.magic_link})  # <-
            """
        ),
        code(
            """
            log = structlog.get_logger()

            def work(token: str, user: User, tokens: int, password: str) -> None:
                log.info("reset", user_id=user.id, token_id=user.token_id, tokens=tokens)
                log.info("reset", has_token=token is not None, length=len(password))
                log.info("token.used", token=mask(token))
                log.info("password", reason="weak")
                mailer.send(token, password=password)
                log.bind(request_id=1).info("password reset")
            """
        ),
    ),
    "a test file is empty, a test asserts nothing": Example(
        "BK801",
        clients()
        | {
            "tests/services/clients/test_clients_models.py": "import pytest  # <-\n",
            "tests/services/clients/test_clients_service.py": """
                def test_it() -> None:  # <-
                    find()

                class TestMore:
                    async def test_that(self) -> None:  # <-
                        await find()
            """,
            "tests/test_elsewhere.py": "def test_x():  # <-\n    look()\n\ndef look(): ...\n",
        },
        clients()
        | {
            "tests/services/clients/test_clients_service.py": """
                import pytest

                def test_error() -> None:
                    with pytest.raises(ValueError):
                        int("x")

                def test_helper(client) -> None:
                    is_refused(client)

                def test_method(backend) -> None:
                    backend.refuses("serve")

                def is_refused(client) -> None:
                    deeper(client)

                def deeper(client) -> None:
                    assert client

                @pytest.mark.parametrize("x", [1])
                async def test_plain(x) -> None:
                    for item in x:
                        assert item
            """,
            "tests/support/command.py": """
                class Command:
                    def refuses(self, name: str) -> None:
                        assert name
            """,
        },
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_rule_finds_what_is_wrong_and_nothing_else(example: Example, tmp_path: Path) -> None:
    wrong = make_tree(tmp_path / "wrong", example.wrong)
    report = check_tree(wrong, [example.rule])
    assert report.crashes == []
    assert {finding.rule for finding in report.findings} == {example.rule}
    places = [(finding.place.path, finding.place.line) for finding in report.findings]
    assert places == lines_marked(wrong)
    assert all(item.message.endswith(".") and item.remedy for item in report.findings)
    right = check_tree(make_tree(tmp_path / "right", example.right), [example.rule])
    assert (right.findings, right.crashes) == ([], [])
    assert right.exit_code == 0


def test_a_missing_module_or_test_file_is_found_where_it_should_be(tmp_path: Path) -> None:
    files = clients()
    del files["src/backend/services/clients/schemas.py"]
    del files["tests/services/clients/test_clients_service.py"]
    report = check_tree(make_tree(tmp_path, files), ["BK101", "BK801"])
    assert [(item.rule, item.place.path) for item in report.findings] == [
        ("BK101", "backend/src/backend/services/clients/schemas.py"),
        ("BK801", "backend/tests/services/clients/test_clients_service.py"),
    ]


def test_a_comment_in_the_init_allows_what_is_missing(tmp_path: Path) -> None:
    files = clients() | {
        "src/backend/services/clients/__init__.py": """
            # Clients of ours.
            # check: allow BK101: it has no input
            # check: allow BK801: tests/x has them
        """
    }
    del files["src/backend/services/clients/schemas.py"]
    del files["tests/services/clients/test_clients_service.py"]
    report = check_tree(make_tree(tmp_path, files), ["BK101", "BK801", "BK002"])
    assert (report.findings, report.suppressed) == ([], 2)


def test_a_folder_without_python_is_no_service(tmp_path: Path) -> None:
    root = make_tree(tmp_path, clients())
    (root / "backend/src/backend/services/old/__pycache__").mkdir(parents=True)
    assert check_tree(root, ["BK101"]).findings == []


def test_code_that_cannot_be_parsed_is_ruffs_to_report(tmp_path: Path) -> None:
    root = make_tree(tmp_path, code("def broken(:\n"))
    (root / "backend/pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")
    report = check_tree(root, ["BK602", "ruff"])
    assert report.crashes == []
    found = {(item.rule, item.place.path, item.place.line) for item in report.findings}
    path = "backend/src/backend/services/clients/jobs.py"
    assert any(rule.startswith("ruff:") and (rule, path, 1) in found for rule, *_ in found)
