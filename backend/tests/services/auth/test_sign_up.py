from httpx2 import AsyncClient
from tests.support.accounts import Accounts


async def test_a_person_signs_up_confirms_and_signs_in(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    account = await accounts.verified("jane@example.com")
    me = await async_client.get("/api/users/me", headers=account.headers)
    assert me.json()["email"] == "jane@example.com"
    assert me.json()["is_verified"] is True
