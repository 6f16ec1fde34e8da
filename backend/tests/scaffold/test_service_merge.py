"""Additions to code that was edited by hand: placed where they belong, or refused by line."""

import ast
import re

import pytest

from backend.scaffold.merge import merge

BASE = '''\
from sqlalchemy import Index, String


class Project(Base):
    """One of the projects of a user."""

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("owner_id", "title"),
        Index(None, "owner_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


async def find(session: Session, owner_id: uuid.UUID, *, limit: int = 20) -> Slice[Project]:
    statement = _owned(owner_id)
    return await paginate(session, statement, limit=limit)


async def test_values_out_of_bounds_are_refused() -> None:
    wrong: list[tuple[str, Any]] = [
        ("title", ""),
        ("title", None),
    ]
    assert await create(client, {"title": "Sailing"}) == {"title": "Sailing"}
    assert wrong
'''
NEW = '''\
from sqlalchemy import CheckConstraint, Index, Numeric, String

BUDGET_LIMIT = 10


class Project(Base):
    """One of the projects of a user."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("budget >= 0", name="budget"),
        UniqueConstraint("owner_id", "title"),
        Index(None, "owner_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    budget: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime]


async def find(
    session: Session,
    owner_id: uuid.UUID,
    *,
    budget: Decimal | None = None,
    limit: int = 20,
) -> Slice[Project]:
    statement = _owned(owner_id)
    if budget is not None:
        statement = statement.where(Project.budget == budget)
    return await paginate(session, statement, limit=limit)


async def test_values_out_of_bounds_are_refused() -> None:
    wrong: list[tuple[str, Any]] = [
        ("title", ""),
        ("title", None),
        ("budget", "-1"),
    ]
    assert await create(client, {"title": "Sailing", "budget": "5"}) == {
        "title": "Sailing",
        "budget": "5",
    }
    assert wrong


async def test_a_budget_is_not_below_zero() -> None:
    assert budget
'''


ADDITIONS = [
    "CheckConstraint",
    "Numeric",
    "BUDGET_LIMIT = 10",
    'CheckConstraint("budget >= 0", name="budget"),',
    "budget: Mapped[Decimal] = mapped_column(Numeric(12, 2))",
    "budget: Decimal | None = None,",
    "if budget is not None:\n        statement = statement.where(Project.budget == budget)",
    '("budget", "-1")',
    '"budget": "5"}) == {',
    "async def test_a_budget_is_not_below_zero() -> None:\n    assert budget",
]
EDITS = [
    ("import Index, String", "import Boolean, Index, String"),
    ("class Project(Base):", "@audited\nclass Project(Base, Tagged):"),
    ("One of the projects of a user.", "What a user works on."),
    ('Index(None, "owner_id", "id")', 'Index(None, "id"),  # ours\n        Index(None, "title")'),
    ("    id: Mapped", "    # The key.\n    id: Mapped"),
    ("mapped_column(String(120))", 'mapped_column(String(120), comment="shown")'),
    ("owner_id: uuid.UUID, *, limit", "owner_id: uuid.UUID, *, archived: bool = False, limit"),
    ("    statement = _owned", "    log.info('find')  # who asks\n    statement = _owned"),
    ('("title", ""),\n', '("title", ""),\n        ("title", "x" * 121),\n'),
    ('{"title": "Sailing"})', '{"title": "Rowing", "tag": "a"})'),
]


def replaced(text: str, before: str, after: str) -> str:
    assert text.count(before) == 1, before
    return text.replace(before, after)


def flat(text: str) -> str:
    """Without layout, which Ruff makes anew."""
    return re.sub(r",([)}\]])", r"\1", "".join(text.split()))


def test_what_nobody_touched_is_what_would_be_generated() -> None:
    merged, conflicts = merge(BASE, NEW, BASE)
    assert not conflicts
    assert flat(merged) == flat(NEW)


@pytest.mark.parametrize("edits", [*([edit] for edit in EDITS), EDITS])
def test_an_edit_stays_beside_the_additions(edits: list[tuple[str, str]]) -> None:
    edited = BASE
    for before, after in edits:
        edited = replaced(edited, before, after)
    merged, conflicts = merge(BASE, NEW, edited)
    assert not conflicts
    ast.parse(merged)
    for wanted in (*ADDITIONS, *(after for _before, after in edits)):
        words = re.findall(r"\w+", wanted)
        assert re.search(r"\W+(?:\w+\W+){0,6}?".join(words), merged), wanted
    assert merged.count("budget") == NEW.count("budget")


def test_layout_and_comments_of_what_is_not_touched_stay() -> None:
    title = "    title: Mapped[str] = mapped_column(String(120))\n"
    odd = replaced(BASE, title, "    title : Mapped [str]=mapped_column( String( 120 ) ) # odd\n")
    merged, conflicts = merge(BASE, NEW, odd)
    assert not conflicts
    assert "    title : Mapped [str]=mapped_column( String( 120 ) ) # odd\n    budget" in merged


@pytest.mark.parametrize(
    ("before", "after", "line", "wanted"),
    [
        # What belongs into it is gone.
        (
            BASE[BASE.index("async def find") : BASE.index("async def test_")],
            "",
            1,
            "budget: Decimal | None = None",
        ),
        # The same place says something else on both sides.
        ('Sailing"}) ==', 'Sailing", "budget": 1}) ==', 28, '"budget": "5"'),
        # The name is taken.
        (
            "    created_at",
            "    budget: Mapped[int]\n    created_at",
            15,
            "budget: Mapped[Decimal]",
        ),
    ],
)
def test_what_cannot_be_placed_is_named(before: str, after: str, line: int, wanted: str) -> None:
    _merged, conflicts = merge(BASE, NEW, replaced(BASE, before, after))
    assert [conflict.line for conflict in conflicts] == [line]
    assert wanted in conflicts[0].wanted


def test_what_somebody_added_already_is_not_added_again() -> None:
    column = "    budget: Mapped[Decimal] = mapped_column(Numeric(12, 2))\n"
    edited = replaced(BASE, "    created_at", column + "    created_at")
    merged, conflicts = merge(BASE, NEW, edited)
    assert not conflicts
    assert merged.count(column) == 1
