"""Requests, and what each of them sends to the database."""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, TypeVar

from httpx2 import AsyncClient, Response

from tests.plans.measuring import Measured, measured_statements

__all__ = ["A_PAGE", "Calls"]

T = TypeVar("T")

A_PAGE = 60
"""Rows that a statement may read: twenty of a list and one more, and what comes with them."""


class Calls:
    """Each has a label: `GET /path`, and behind it a query, or a comma and what it is for."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.measured: dict[str, list[Measured]] = {}

    async def send(self, label: str, url: str = "", *, status: int = 0, **request: Any) -> Response:
        """Any success will do unless a `status` is said."""
        method, _, path = label.partition(",")[0].partition(" ")
        response = await self.record(label, self.client.request(method, url or path, **request))
        wanted = response.status_code == status if status else response.is_success
        assert wanted, f"{label}: {response.status_code} {response.text}"
        return response

    async def record(self, label: str, work: Awaitable[T]) -> T:
        assert label not in self.measured, f"{label} is there twice"
        async with measured_statements() as self.measured[label]:
            return await work

    @property
    def counts(self) -> dict[str, int]:
        return {label: len(statements) for label, statements in self.measured.items()}

    def too_much(self, bounds: Mapping[str, int] | None = None) -> Iterator[str]:
        """Each statement that reads more than a page, or than `bounds` allows its call."""
        for label, statements in self.measured.items():
            bound = (bounds or {}).get(label, A_PAGE)
            for statement in statements:
                if statement.reads > bound:
                    yield f"{label} reads {statement.reads}\n{statement.text}\n{statement.plan}\n"
