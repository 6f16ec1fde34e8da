"""People with accounts, made as people make them: over HTTP and through their mail."""

import itertools
from dataclasses import dataclass

from httpx2 import AsyncClient, Response
from sqlalchemy import update

from backend.db import async_session_maker
from backend.services.users.models import User
from tests.support.mail import Mailbox, token_in

__all__ = ["PASSWORD", "Account", "Accounts"]

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Account:
    id: str
    email: str
    password: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Accounts:
    def __init__(self, client: AsyncClient, mailbox: Mailbox) -> None:
        self.client = client
        self.mailbox = mailbox
        self.numbers = itertools.count(1)

    async def register(self, email: str, password: str = PASSWORD, **more: object) -> Response:
        body = {"email": email, "password": password, **more}
        return await self.client.post("/api/auth/register", json=body)

    async def login(self, email: str, password: str = PASSWORD) -> Response:
        form = {"username": email, "password": password}
        return await self.client.post("/api/auth/jwt/login", data=form)

    async def verified(self, email: str | None = None, password: str = PASSWORD) -> Account:
        """Signs up, follows the mailed link, and signs in."""
        email = email or f"user{next(self.numbers)}@example.com"
        registered = await self.register(email, password)
        assert registered.status_code == 201, registered.text
        body = {"token": token_in(await self.mailbox.last(email))}
        confirmed = await self.client.post("/api/auth/verify", json=body)
        assert confirmed.status_code == 200, confirmed.text
        return await self.signed_in(email, password)

    async def signed_in(self, email: str, password: str = PASSWORD) -> Account:
        """Another sign-in of an account that exists."""
        response = await self.login(email, password)
        assert response.status_code == 200, response.text
        token = response.json()["access_token"]
        me = await self.client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200, me.text
        return Account(me.json()["id"], email, password, token)

    async def superuser(self, email: str = "admin@example.com") -> Account:
        """An administrator, who is made with the command and not over HTTP."""
        account = await self.verified(email)
        async with async_session_maker() as session:
            await session.execute(
                update(User).where(User.email_key == email).values(is_superuser=True)
            )
            await session.commit()
        return account
