"""The server does what its OpenAPI document says.

Schemathesis makes requests of every kind that the document allows, and of many that it does not,
and compares the answers with it. All of its checks are on.
"""

import asyncio
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.auths import AuthContext
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData
from sqlalchemy.ext.asyncio import AsyncSession
from tests.support.databases import Databases
from tests.support.server import Server, run_server

from backend import db
from backend.services.auth.models import TokenPurpose
from backend.services.auth.passwords import hash_password
from backend.services.auth.tokens import OneTimeTokenService
from backend.services.users.models import User
from backend.services.users.service import UserService
from backend.settings import parse_database_url

PASSWORD = "correct horse battery"
# What this project brings. A service that was added to it has tests of its own.
OURS = ("/api/auth/", "/api/users", "/health/")
FEW = 8
MANY = 300
ALL_PHASES = ("examples", "coverage", "fuzzing", "stateful")

Case = schemathesis.Case[Any]
T = TypeVar("T")


def address(number: int, length: int) -> str:
    """Of this many characters; a label of its domain has at most 63 of them (RFC 1035)."""
    start, end = f"jane.{number}@x", "x.example.com"
    return start + (("x" * 49 + ".") * 5)[: length - len(start) - len(end)] + end


def password(number: int, length: int) -> str:
    return (f"Zq!{number:09d} quiet zebras \0\N{KEY}" * 5)[:length]


# What JSON Schema means by these formats is more than what is accepted, in ways that it cannot say:
# some domains are reserved (RFC 6761), and some passwords are common ones. The lengths are those
# around the bounds.
_NUMBERS = st.integers(1, 10**9)
schemathesis.openapi.format(
    "idn-email",
    _NUMBERS.map("jürgen.{0}+x@bücher-{0}.example.com".format)
    | st.builds(address, _NUMBERS, st.sampled_from([253, 254, 255])),
)
schemathesis.openapi.format(
    "password", st.builds(password, _NUMBERS, st.sampled_from([40, 7, 8, 9, 127, 128, 129]))
)


class Backstage:
    """What no operation of the API can do: make administrators, and read the mailed tokens."""

    def __init__(self, database_url: str) -> None:
        self.runner = asyncio.Runner()
        self.engine = db.make_engine(parse_database_url(database_url))
        self.numbers = itertools.count(1)

    def close(self) -> None:
        self.runner.run(self.engine.dispose())
        self.runner.close()

    def _run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async def run() -> T:
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                result = await work(session)
                await session.commit()
                return result

        return self.runner.run(run())

    def add(self, **kind: bool) -> User:
        """A new account, with PASSWORD."""

        async def add(session: AsyncSession) -> User:
            user = await UserService.add(
                session,
                email=f"person{next(self.numbers)}@example.com",
                hashed_password=await hash_password(PASSWORD),
                **kind,
            )
            assert user is not None
            return user

        return self._run(add)

    def mailed_token(self, purpose: TokenPurpose) -> str:
        """A token that works, as somebody finds it in a mail."""
        user = self.add()
        return self._run(
            lambda session: OneTimeTokenService.issue(
                session, user.id, purpose, user.email, timedelta(hours=1)
            )
        )


class Caller:
    """Somebody who makes requests: nobody in particular, or who has signed in.

    Puts into good requests what no schema can say of one that succeeds: which accounts there are,
    and which tokens were mailed.
    """

    def __init__(self, server: Server, backstage: Backstage, **kind: bool) -> None:
        self.server = server
        self.backstage = backstage
        self.kind = kind
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self.turns = itertools.count()
        self.other = backstage.add(is_verified=True)
        self.account_id = ""
        self.token = ""
        self.sign_in()

    def sign_in(self) -> None:
        """With a new account, since the password of the last one may be another by now."""
        if self.kind:
            account = self.backstage.add(**self.kind)
            form = {"username": account.email, "password": PASSWORD}
            answer = httpx2.post(f"{self.server.url}/api/auth/jwt/login", data=form)
            assert answer.status_code == 200, answer.text
            self.account_id = str(account.id)
            self.token = answer.json()["access_token"]

    def make_real(self, case: Case) -> None:
        """Three of four requests are about what exists; none is about the caller by its id, which
        would soon be deleted, or no superuser any more."""
        _keep_within_what_a_server_reads(case.query)
        operation = case.operation.definition.raw["operationId"]
        seldom = next(self.turns) % 4 == 0
        path = case.path_parameters
        is_replaced = not seldom or path.get("id") == self.account_id
        if "id" in path and is_replaced and not _is_bad(case, ParameterLocation.PATH):
            path["id"] = str(self.other.id)
        if seldom or not isinstance(case.body, dict) or _is_bad(case, ParameterLocation.BODY):
            return
        if operation == "auth_verify":
            case.body["token"] = self.backstage.mailed_token(TokenPurpose.VERIFY_EMAIL)
        elif operation == "auth_reset_password":
            case.body["token"] = self.backstage.mailed_token(TokenPurpose.RESET_PASSWORD)
        elif operation == "auth_login":
            case.body |= {"username": self.other.email, "password": PASSWORD}

    def note(self, case: Case, answer: schemathesis.Response) -> None:
        self.answers[case.operation.label][answer.status_code] += 1
        if answer.status_code == 401:
            sent = answer.request.headers.get("Authorization")
            assert not self.kind or sent != f"Bearer {self.token}", "the caller was signed out"
        if answer.status_code == 204:  # signed out, or deleted: the next request is to find it
            if case.operation.path.endswith("/logout"):
                self.sign_in()
            else:
                self.other = self.backstage.add(is_verified=True)

    @property
    def succeeded(self) -> set[str]:
        """The operations that answered with a 2xx at least once."""
        return {
            label
            for label, counts in self.answers.items()
            if any(200 <= status < 300 for status in counts)
        }


def _keep_within_what_a_server_reads(query: dict[str, Any]) -> None:
    """uvicorn itself refuses a request line of more than 64 KiB, as plain text."""
    for name, value in query.items():
        if isinstance(value, str):
            query[name] = value.encode(errors="ignore")[:16_384].decode(errors="ignore")


def _is_bad(case: Case, location: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(location)


@schemathesis.check
def is_whole(
    _context: schemathesis.CheckContext, answer: schemathesis.Response, _case: Case
) -> None:
    """What holds for every answer, and stands in the document once or not at all."""
    (request_id,) = answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == ["no-store"]
    assert answer.headers["x-content-type-options"] == ["nosniff"]
    if answer.status_code == 204:
        assert answer.content == b""
        assert "content-type" not in answer.headers
    elif answer.status_code >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"]
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == request_id
        assert ("errors" in problem) == (problem["code"] == "validation_error")
    else:
        assert answer.headers["content-type"] == ["application/json"]
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"][0].startswith("Bearer ")


def _load(
    server: Server, *, needs_token: bool, max_examples: int, phases: Sequence[str]
) -> schemathesis.BaseSchema:
    """Half of the document, without the answer that it leaves open (`default`): here each
    operation has to name its answers."""
    document = httpx2.get(f"{server.url}/openapi.json").json()
    document["paths"] = {
        path: item for path, item in document["paths"].items() if path.startswith(OURS)
    }
    for item in document["paths"].values():
        for operation in item.values():
            del operation["responses"]["default"]
    configuration = {
        "base-url": server.url,
        # Kept alive, a connection can wait 40 ms with every answer: headers and body are two
        # packets, and the second waits for the client to acknowledge the first.
        "headers": {"Connection": "close"},
        "continue-on-failure": True,
        "generation": {
            "deterministic": True,
            "max-examples": max_examples,
            "database": "none",
            "no-shrink": True,  # the server keeps what was sent: the same again is another case
        },
        "phases": {phase: {"enabled": phase in phases} for phase in ALL_PHASES},
    }

    def is_wanted(context: Any) -> bool:
        return bool(context.operation.definition.raw.get("security")) is needs_token

    schema = schemathesis.openapi.from_dict(
        document, config=schemathesis.Config.from_dict(configuration)
    )
    return schema.include(is_wanted)


def explore(
    caller: Caller,
    *,
    needs_token: bool,
    max_examples: int = FEW,
    phases: Sequence[str] = ALL_PHASES,
) -> set[str]:
    """The operations that were asked, after they answered as declared, whatever it was."""
    schema = _load(caller.server, needs_token=needs_token, max_examples=max_examples, phases=phases)

    class SignedIn:
        def get(self, _case: Case, _context: AuthContext) -> str:
            return caller.token

        def set(self, case: Case, token: str, _context: AuthContext) -> None:
            case.headers["Authorization"] = f"Bearer {token}"

    if caller.kind:
        schema.auth(refresh_interval=None)(SignedIn)

    @schema.hook
    def after_call(
        _context: schemathesis.HookContext, case: Case, answer: schemathesis.Response
    ) -> None:
        caller.note(case, answer)

    @schema.hook
    def filter_failure(
        _context: schemathesis.HookContext,
        failure: Failure,
        case: Case,
        answer: schemathesis.Response,
    ) -> bool:
        """Good data may be refused, but only with a code that the operation declares for it."""
        return not (isinstance(failure, RejectedPositiveData) and _is_declared(case, answer))

    @schemathesis.hook
    def before_call(
        _context: schemathesis.HookContext, case: Case, _options: dict[str, Any]
    ) -> None:
        caller.make_real(case)

    failures: list[str] = []
    try:
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                failures += _failures_of(event)
            elif isinstance(event, events.NonFatalError):
                failures.append(f"{event.label}: {event.info.format()}")
            elif isinstance(event, events.FatalError):
                raise event.exception
    finally:
        schemathesis.hooks.unregister(before_call)
    assert not failures, "\n\n".join(failures)
    operations = {
        result.ok().label for result in schema.get_all_operations() if isinstance(result, Ok)
    }
    assert operations <= caller.answers.keys()
    return operations


def _is_declared(case: Case, answer: schemathesis.Response) -> bool:
    declared = case.operation.definition.raw["responses"].get(str(answer.status_code), {})
    codes = re.findall(r"`(\w+)`", declared.get("description", "").partition(":")[2])
    return answer.json()["code"] in codes


def _failures_of(scenario: events.ScenarioFinished) -> Iterator[str]:
    for checks in scenario.recorder.checks.values():
        for check in checks:
            if info := check.failure_info:
                failure = info.failure
                yield "\n".join(
                    (str(failure.operation), failure.title, failure.message, info.code_sample)
                )


@pytest.fixture(scope="module")
def database_of_module(databases: Databases) -> Iterator[str]:
    with databases.copy() as url:
        yield url


@pytest.fixture(scope="module")
def server(database_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with (
        pytest.MonkeyPatch.context() as patch,
        run_server(folder, DATABASE_URL=database_of_module, LOG_LEVEL="WARNING") as server,
    ):
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield server


@pytest.fixture(scope="module")
def backstage(database_of_module: str) -> Iterator[Backstage]:
    backstage = Backstage(database_of_module)
    yield backstage
    backstage.close()


@pytest.fixture
def nobody(server: Server, backstage: Backstage) -> Caller:
    return Caller(server, backstage)


@pytest.fixture
def user(server: Server, backstage: Backstage) -> Caller:
    return Caller(server, backstage, is_verified=True)


@pytest.fixture
def superuser(server: Server, backstage: Backstage) -> Caller:
    return Caller(server, backstage, is_verified=True, is_superuser=True)


OWN = {"GET /api/users/me", "PATCH /api/users/me", "POST /api/auth/jwt/logout"}


def test_public_operations_answer_as_declared(nobody: Caller) -> None:
    operations = explore(nobody, needs_token=False)
    assert len(operations) >= 8
    assert nobody.succeeded == operations


def test_operations_answer_a_superuser_as_declared(superuser: Caller) -> None:
    operations = explore(superuser, needs_token=True)
    assert len(operations) >= 7
    assert superuser.succeeded == operations


def test_operations_answer_a_user_as_declared(user: Caller) -> None:
    explore(user, needs_token=True, phases=["fuzzing"])
    assert user.succeeded == OWN


def test_no_operation_that_needs_a_token_does_without(nobody: Caller) -> None:
    operations = explore(nobody, needs_token=True, phases=["fuzzing"])
    assert not nobody.succeeded
    assert all(nobody.answers[operation][401] for operation in operations)


@pytest.mark.needs_more
@pytest.mark.timeout(1200)
def test_public_operations_answer_as_declared_at_length(nobody: Caller) -> None:
    assert explore(nobody, needs_token=False, max_examples=MANY) == nobody.succeeded


@pytest.mark.needs_more
@pytest.mark.timeout(1200)
def test_operations_answer_a_superuser_as_declared_at_length(superuser: Caller) -> None:
    assert explore(superuser, needs_token=True, max_examples=MANY) == superuser.succeeded


@pytest.mark.needs_more
@pytest.mark.timeout(1200)
def test_operations_answer_a_user_as_declared_at_length(user: Caller) -> None:
    explore(user, needs_token=True, max_examples=MANY)
    assert user.succeeded == OWN
