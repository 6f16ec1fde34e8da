"""Two requests change one row at the same time."""

from collections.abc import AsyncIterator

import pytest_asyncio
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import delete

from backend.core.problems import install_problem_handlers
from backend.db import SessionDep, async_session_maker
from backend.services.users.models import User
from backend.services.users.service import UserService


@pytest_asyncio.fixture
async def client(database: None) -> AsyncIterator[AsyncClient]:
    """A route that changes an account which another request deletes in the meantime."""
    app = FastAPI()
    install_problem_handlers(app)

    @app.patch("/")
    async def change(session: SessionDep) -> None:
        user = await UserService.get_by_email(session, "jane@example.com")
        assert user is not None
        async with async_session_maker() as other:
            await other.execute(delete(User).where(User.id == user.id))
            await other.commit()
        user.name = "Jane"
        await session.commit()

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_changing_a_row_that_is_gone_is_a_conflict(client: AsyncClient) -> None:
    async with async_session_maker() as session:
        await UserService.add(session, email="jane@example.com", hashed_password="!")
        await session.commit()
    response = await client.patch("/")
    assert response.status_code == 409, response.text
    assert response.json()["code"] == "conflict"
