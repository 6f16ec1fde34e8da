"""The migrations: each rule on the project's own, with a wrong one added."""

import re
import shutil
import textwrap
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import MetaData, Table

from backend.check.finding import Finding, Level
from backend.check.locks import uses_postgresql
from backend.check.migrations import Migrations
from backend.check.places import REPOSITORY
from backend.check.project import NotExamined
from backend.check.tables import collect_tables
from backend.db import Base
from tests.check.made_services import errors, findings, where

RULES = ("BK501", "BK502", "BK503", "BK504")
VERSIONS = "backend/migrations/versions"
FIRST = "20261123_0355_accounts_and_mail.py"
HEAD = '''
"""{revision}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None


'''


class History:
    """A copy of the project's migrations, to which a test adds."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve()
        self.scratch = self.root / "scratch"
        self.scratch.mkdir()
        backend = self.root / "backend"
        shutil.copytree(
            REPOSITORY / "backend/migrations",
            backend / "migrations",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(REPOSITORY / "backend/alembic.ini", backend)
        (backend / "pyproject.toml").write_text("[tool.backend.check]\npostgresql = true\n")

        (self.head,) = self.facts.heads
        """The newest of the project's, whoever added it."""

    def add(self, body: str, revision: str = "0002more", down_revision: str | None = None) -> str:
        path = f"{VERSIONS}/{revision}.py"
        down_revision = down_revision or self.head.revision
        head = HEAD.format(revision=revision, down_revision=down_revision).lstrip("\n")
        (self.root / path).write_text(head + textwrap.dedent(body).lstrip("\n"))
        return path

    @property
    def facts(self) -> Migrations:
        found = Migrations(self.root / "backend", folder=self.scratch)
        found.tables = collect_tables()
        return found

    def found(self, rule: str, path: str) -> list[Finding]:
        """In this migration, whatever else is found in a developer's own."""
        return [item for item in findings(rule, self.facts) if item.place.path == path]

    def line(self, path: str, text: str) -> tuple[str, int]:
        source = (self.root / path).read_text()
        return path, source.count("\n", 0, source.index(text)) + 1


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_the_project_has_no_finding_and_its_database_is_not_touched() -> None:
    facts = Migrations(REPOSITORY / "backend")
    assert facts.database is not None
    assert REPOSITORY not in facts.database.parents
    assert facts.database.is_file()
    for rule in RULES:
        assert errors(findings(rule, facts)) == []
    assert facts.count == len(list((REPOSITORY / VERSIONS).glob("*.py"))) > 0
    assert facts.examined.startswith(f"{facts.count} migration")
    assert "up, down and up again" in facts.examined


def test_a_model_that_no_migration_makes_is_found(history: History) -> None:
    first = history.root / VERSIONS / FIRST
    text = first.read_text()
    text = text.replace('        sa.Column("name", sa.String(length=100), nullable=True),\n', "")
    text = text.replace(
        "sa.String(length=300), nullable=True", "sa.String(length=300), nullable=False"
    )
    text = text.replace('"one_time_tokens"', '"old_tokens"')
    first.write_text(text)
    found = {item.subject: item for item in findings("BK501", history.facts)}
    tables = collect_tables().by_name
    assert found.keys() == {"users", "user_sessions", "one_time_tokens", "old_tokens"}
    assert found["users"].place == tables["users"].place_of("name")
    assert "column `name` is not created" in found["users"].message
    assert found["user_sessions"].place == tables["user_sessions"].place_of("user_agent")
    assert "nullability" in found["user_sessions"].message
    assert found["one_time_tokens"].place == tables["one_time_tokens"].place
    assert "the table is not created." in found["one_time_tokens"].message
    assert where(found["old_tokens"]) == history.line(f"{VERSIONS}/{FIRST}", '"old_tokens"')
    assert "alembic revision --autogenerate" in found["users"].remedy


EMPTY = """
    def upgrade() -> None: ...


    def downgrade() -> None: ...
"""


MADE_LATER = '''"""this

Create Date: 2026-11-24 08:00:00.000000+00:00
"""'''


def test_two_ends_are_found(history: History) -> None:
    history.add(EMPTY, "0002this")
    assert findings("BK502", history.facts) == []
    history.add(EMPTY, "0002that")
    this = history.root / VERSIONS / "0002this.py"
    this.write_text(this.read_text().replace('"""0002this"""', MADE_LATER))
    (found,) = findings("BK502", history.facts)
    assert Path(found.place.path).name == "0002this.py", "the younger one"
    assert "`0002this`" in found.message
    assert "`0002that`" in found.message
    assert findings("BK501", history.facts) == [], "both are applied"
    assert findings("BK503", history.facts) == []


def test_an_end_that_is_missing_is_found(history: History) -> None:
    path = history.add(EMPTY, down_revision="0001gone")
    (found,) = findings("BK503", history.facts)
    assert where(found) == history.line(path, "down_revision")
    assert "0001gone" in found.message
    assert history.facts.database is None
    assert history.facts.count == len(list((history.root / VERSIONS).glob("*.py"))) > 1


@pytest.mark.parametrize(
    ("upgrade", "downgrade", "line", "says"),
    [
        ('op.drop_table("missing")', "pass", 'op.drop_table("missing")', "does not go up"),
        (
            'op.create_table("more", sa.Column("id", sa.Integer()))',
            "raise NotImplementedError",
            "raise NotImplementedError",
            "does not go down: NotImplementedError",
        ),
        (
            'op.create_table("more", sa.Column("id", sa.Integer()))',
            "pass",
            'op.create_table("more"',
            "`more` is still there",
        ),
        (
            'op.add_column("emails", sa.Column("more", sa.String(length=5)))',
            "pass",
            'op.add_column("emails"',
            "column `more` of `emails` is still there",
        ),
        (
            'op.drop_index("ix_emails_due")',
            "pass",
            'op.drop_index("ix_emails_due"',
            "index `ix_emails_due` of `emails` is missing",
        ),
        (
            'op.create_index("ix_more", "emails", ["subject"])',
            'op.drop_index("ix_more")',
            "",
            "",
        ),
    ],
)
def test_a_migration_that_does_not_come_back_is_found(
    history: History, upgrade: str, downgrade: str, line: str, says: str
) -> None:
    path = history.add(
        f"def upgrade() -> None:\n    {upgrade}\n\n\ndef downgrade() -> None:\n    {downgrade}\n"
    )
    found = history.found("BK503", path)
    if not says:
        assert found == []
        return
    (finding,) = found
    assert where(finding) == history.line(path, line)
    assert says in finding.message


def test_the_migration_at_fault_is_named_whichever_it_is(history: History) -> None:
    table = """
        def upgrade() -> None:
            op.create_table("{0}", sa.Column("id", sa.Integer(), primary_key=True))


        def downgrade() -> None:
            {1}
    """
    history.add(table.format("first", 'op.drop_table("first")'), "0002first")
    path = history.add(table.format("second", "pass"), "0003second", "0002first")
    history.add(
        """
        def upgrade() -> None:
            with op.batch_alter_table("first") as batch_op:
                batch_op.add_column(sa.Column("name", sa.String(length=5), server_default="a"))
                batch_op.create_check_constraint("ck_first_name", "name <> ''")


        def downgrade() -> None:
            with op.batch_alter_table("first") as batch_op:
                batch_op.drop_constraint("ck_first_name", type_="check")
                batch_op.drop_column("name")
        """,
        "0004third",
        "0003second",
    )
    (found,) = findings("BK503", history.facts)
    assert where(found) == history.line(path, '"second"')
    assert found.subject == "0003second"


TYPED = """
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("title", sa.String(length=120), server_default="it's", nullable=False),
    sa.Column("rank", sa.Integer(), server_default="-1", nullable=False),
    sa.Column("share", sa.Numeric(5, 2), server_default=sa.text("0.5"), nullable=False),
    sa.Column("is_live", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    sa.Column("made_at", sa.DateTime(), server_default=sa.func.now(), nullable=False),
    sa.Column("ref", sa.Uuid(), nullable=True),
    sa.Column("size", sa.Integer(), sa.Computed("rank + 1")),
    sa.Column("note", sa.String().with_variant(sa.Text(), "sqlite"), server_default=""),
    sa.Column("kind", sa.Enum("a", "b", native_enum=False, create_constraint=True, name="kinds")),
    sa.CheckConstraint("rank > -5 AND title <> 'No'", name="in_range"),
"""


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("", "", ""),
        ('server_default="-1"', 'server_default=sa.text("-1")', ""),
        ('sa.text("false")', "sa.false()", ""),
        ("rank > -5 AND title", "(rank>-5)  and title", ""),
        ('server_default="-1"', 'server_default="-2"', "the default of column `rank`"),
        (', server_default="-1"', "", "the default of column `rank`"),
        ("it's", "It's", "the default of column `title`"),
        ("sa.String(length=120)", "sa.String()", "the type of column `title`"),
        ("sa.String(length=120)", "sa.String(length=100)", "the type of column `title`"),
        ("rank > -5", "rank > -6", "the condition of check constraint `ck_typed_in_range`"),
        ("in_range", "in_order", "check constraint `ck_typed_in_order` is not created"),
    ],
)
def test_a_default_a_condition_or_a_length_that_no_migration_makes_is_found(
    history: History, right: str, wrong: str, says: str
) -> None:
    history.add(
        f"""
def upgrade() -> None:
    op.create_table("typed", {TYPED})


def downgrade() -> None:
    op.drop_table("typed")
"""
    )
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    columns = eval(f"[{TYPED.replace(right, wrong) if right else TYPED}]", {"sa": sqlalchemy})
    Table("typed", metadata, *columns)
    facts = history.facts
    assert facts.database is not None
    facts.tables = collect_tables(metadata)
    found = [
        item
        for item in findings("BK501", facts)
        if "the default" in item.message
        or "type of" in item.message
        or "check constraint" in item.message
    ]
    if not says:
        assert found == []
        return
    (finding,) = found
    assert finding.subject == "typed"
    assert says in finding.message


LOCKING = """
    def upgrade() -> None:
        op.create_table(
            "fresh",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), nullable=False),
        )
        op.create_index("ix_fresh", "fresh", ["user_id"])
        op.add_column("users", sa.Column("nickname", sa.String(length=20)))
        op.create_index("ix_users_name", "users", ["name"])
        op.create_index("ix_built", "users", ["email"], if_not_exists=True)
        with op.batch_alter_table("users") as batch_op:
            batch_op.add_column(sa.Column("age", sa.Integer(), nullable=False))
        with op.batch_alter_table("emails") as batch_op:
            batch_op.alter_column(
                "subject", existing_type=sa.String(length=255), type_=sa.String(length=300)
            )
        with op.batch_alter_table("user_sessions") as batch_op:
            batch_op.alter_column(
                "ip_address", existing_type=sa.String(length=45), type_=sa.String(length=20)
            )


    def downgrade() -> None: ...
"""


def test_a_lock_on_a_live_table_is_found(history: History) -> None:
    path = history.add(LOCKING)
    index, age, narrower = sorted(history.found("BK504", path), key=lambda item: item.place)
    assert where(index) == history.line(path, 'op.create_index("ix_users_name"')
    assert index.level is Level.ADVICE
    assert "CONCURRENTLY" in index.remedy
    assert where(age) == history.line(path, 'with op.batch_alter_table("users")')
    assert age.level is Level.ERROR
    assert "server_default" in age.remedy
    assert where(narrower) == history.line(path, 'with op.batch_alter_table("user_sessions")')
    assert narrower.level is Level.ERROR


def test_locks_are_looked_for_where_postgresql_is_used(
    history: History, database_kind: str
) -> None:
    (history.root / "backend/pyproject.toml").write_text("[project]\n")
    path = history.add(LOCKING)
    assert uses_postgresql(history.root) == (database_kind == "postgresql")
    if database_kind == "sqlite":
        with pytest.raises(NotExamined, match="PostgreSQL is not used"):
            findings("BK504", history.facts)
    else:
        assert len(history.found("BK504", path)) == 3


def test_a_migration_that_reads_rows_is_named_as_one_that_could_not_be_looked_at(
    history: History,
) -> None:
    path = history.add(
        """
        def upgrade() -> None:
            op.create_index("ix_users_name", "users", ["name"])
            for row in op.get_bind().execute(sa.text("SELECT id FROM users")):
                raise AssertionError(row)


        def downgrade() -> None:
            op.drop_index("ix_users_name")
        """
    )
    facts = history.facts
    lines = [item.place.line for item in facts.unreadable if item.place.path == path]
    assert lines == [history.line(path, "for row in")[1]]
    assert re.search(r"; [1-9]\d* of them read rows", facts.examined)
    assert len(history.found("BK504", path)) == 1, "what comes before it is looked at"
    assert history.found("BK503", path) == []
