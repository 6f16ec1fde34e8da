"""M1: one account an address."""

import asyncio

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from backend.db import async_session_maker
from backend.services.users.models import User
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import token_in

VARIANTS = [
    "jane.doe@example.com",
    "Jane.Doe@example.com",
    "JANE.DOE@EXAMPLE.COM",
    "jane.doe@Example.Com",
    " jane.doe@example.com",
    "jane.doe@example.com ",
    "jAnE.dOe@eXaMpLe.CoM",
    "jane.DOE@example.com",
]


async def test_m1_case_variants_signing_up_at_once_give_one_account(accounts: Accounts) -> None:
    answers = await asyncio.gather(*(accounts.register(variant) for variant in VARIANTS))
    assert {answer.status_code for answer in answers} == {201}
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 1
    mails = await accounts.mailbox.to("jane.doe@example.com")
    links = [mail for mail in mails if "Confirm" in str(mail["Subject"])]
    assert len(links) == 1
    body = {"token": token_in(links[0])}
    assert (await accounts.client.post("/api/auth/verify", json=body)).status_code == 200
    statuses = [(await accounts.login(variant)).status_code for variant in VARIANTS]
    assert set(statuses) == {200}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("jürgen@example.com", "JÜRGEN@example.com"),
        ("jürgen@example.com", "ju\u0308rgen@example.com"),
        ("user@bücher.example.com", "user@xn--bcher-kva.example.com"),
        ("ni\u03ba\u03bf\u03c3@example.com", "ni\u03ba\u03bf\u03a3@example.com"),
    ],
)
async def test_m1_international_addresses_are_compared_normalised(
    accounts: Accounts, first: str, second: str
) -> None:
    await accounts.register(first)
    await accounts.register(second)
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 1


@pytest.mark.parametrize("address", ["a@xn--mnchen-3ya.example.com", "b@example\u3002com"])
async def test_m1_one_signs_in_with_what_one_signed_up_with(
    accounts: Accounts, async_client: AsyncClient, address: str
) -> None:
    stored = (await accounts.register(address)).json()["email"]
    body = {"token": token_in((await accounts.mailbox.all())[-1])}
    assert (await async_client.post("/api/auth/verify", json=body)).status_code == 200
    for written in (address, stored):
        assert (await accounts.login(written)).status_code == 200


async def test_m1_holds_for_administrators_and_changes_too(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    await accounts.verified("john@example.com")
    taken = await async_client.patch(
        f"/api/users/{jane.id}", json={"email": "JOHN@example.com"}, headers=admin.headers
    )
    assert taken.status_code == 400
    assert taken.json()["code"] == "UPDATE_USER_EMAIL_ALREADY_EXISTS"
    own = await async_client.patch(
        f"/api/users/{jane.id}", json={"email": "Jane@example.com"}, headers=admin.headers
    )
    assert own.status_code == 200
    assert own.json()["email"] == "Jane@example.com"
    assert own.json()["is_verified"] is True, "the same address in other letters stays confirmed"


async def test_two_accounts_moving_to_one_address_at_once(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    tokens = []
    for name in ("jane", "john"):
        account = await accounts.verified(f"{name}@example.com")
        await async_client.patch(
            "/api/users/me", json={"email": "wanted@example.com"}, headers=account.headers
        )
        tokens.append(token_in((await accounts.mailbox.to("wanted@example.com"))[-1]))
    answers = await asyncio.gather(
        *(async_client.post("/api/auth/verify", json={"token": token}) for token in tokens)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert (await accounts.login("wanted@example.com", PASSWORD)).status_code == 200
