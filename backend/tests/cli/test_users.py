"""`backend user`: accounts made at the terminal are those of the API."""

import json

from httpx2 import AsyncClient

from tests.cli.command import Command
from tests.cli.conftest import Invoke
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import Mailbox, text_of, token_in


async def test_an_administrator_signs_in_with_the_password_from_stdin(
    backend: Command, accounts: Accounts
) -> None:
    options = ("--superuser", "--password-stdin")
    done = backend("user", "create", "Ada@Example.com", *options, stdin=f"{PASSWORD}\n")
    assert done.stdout == "Created Ada@example.com, a superuser.\n"

    account = await accounts.signed_in("ada@example.com")
    listed = await accounts.client.get("/api/users", headers=account.headers)
    assert [user["email"] for user in listed.json()["items"]] == ["Ada@example.com"]


async def test_without_a_password_the_owner_is_mailed_a_link_to_choose_it(
    invoke: Invoke, async_client: AsyncClient, accounts: Accounts, mailbox: Mailbox
) -> None:
    done = await invoke("user", "create", "bob@example.com", "--name", "Bob", "--json")
    created = json.loads(done.stdout)
    assert created["password_link_mailed"] is True
    assert created["is_verified"] is True

    mail = await mailbox.last("bob@example.com")
    assert "Bob" in text_of(mail)
    body = {"token": token_in(mail), "password": PASSWORD}
    assert (await async_client.post("/api/auth/reset-password", json=body)).status_code == 200
    assert (await accounts.signed_in("bob@example.com")).id == created["id"]


async def test_promotion_counts_on_the_next_request(invoke: Invoke, accounts: Accounts) -> None:
    account = await accounts.verified("eve@example.com")

    async def list_users() -> int:
        answer = await accounts.client.get("/api/users", headers=account.headers)
        return answer.status_code

    assert await list_users() == 403
    assert (await invoke("user", "promote", "EVE@example.com")).returncode == 0
    assert await list_users() == 200
    assert (await invoke("user", "promote", "eve@example.com", "--revoke")).returncode == 0
    assert await list_users() == 403


async def test_the_list_goes_on_where_it_stopped(invoke: Invoke, accounts: Accounts) -> None:
    for email in ("ada@example.com", "adam@example.com", "bob@example.com"):
        await accounts.register(email)
    options = ("user", "list", "--search", "AD", "--limit", "1", "--json")
    first = json.loads((await invoke(*options)).stdout)
    second = json.loads((await invoke(*options, "--cursor", first["next_cursor"])).stdout)
    assert [user["email"] for user in first["items"]] == ["ada@example.com"]
    assert [user["email"] for user in second["items"]] == ["adam@example.com"]
    assert second["next_cursor"] is None

    refused = await invoke(*options, "--cursor", "nonsense")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Leave --cursor out" in refused.stderr


async def test_what_is_refused_makes_nothing(invoke: Invoke, accounts: Accounts) -> None:
    await accounts.verified("taken@example.com")
    for address, password, reason in (
        ("new@example.com", "password", "one of the most common"),
        ("new@example.com", "", "at least 8 characters"),
        ("TAKEN@example.com", PASSWORD, "has an account already"),
        ("nowhere", PASSWORD, "The email cannot be used"),
    ):
        done = await invoke("user", "create", address, "--password-stdin", stdin=f"{password}\n")
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert reason in done.stderr
    done = await invoke("user", "promote", "new@example.com")
    assert done.returncode == 1
    assert "Nobody has the address new@example.com" in done.stderr
