"""Signs up, confirms the address with the mailed token, signs in, and reads the account.

`backend_client` is generated beside this file; in this repository it is not there.
"""

# ruff: noqa: T201
# mypy: disable-error-code="import-not-found"

import json
import sys

from backend_client import AuthenticatedClient, Client
from backend_client.api.auth import auth_login, auth_register, auth_verify
from backend_client.api.users import users_get_me, users_list_users, users_update_me
from backend_client.models import (
    AccessToken,
    AuthLoginForm,
    Problem,
    TokenRequest,
    UserCreate,
    UserRead,
    UserSort,
    UserUpdate,
)

base_url, email = sys.argv[1:]
password = "correct horse battery"
client = Client(base_url)


def sign_in() -> AuthenticatedClient | Problem:
    answer = auth_login.sync(client=client, body=AuthLoginForm(username=email, password=password))
    if isinstance(answer, AccessToken):
        return AuthenticatedClient(base_url, token=answer.access_token)
    assert answer is not None
    return answer


registered = auth_register.sync(
    client=client, body=UserCreate(email=email, password=password, name="Jane")
)
assert isinstance(registered, UserRead), registered
refusal = sign_in()
assert isinstance(refusal, Problem), "signed in without a confirmed address"
print(f"{registered.email}: {refusal.code}. The mailed token?", flush=True)

verified = auth_verify.sync(client=client, body=TokenRequest(token=input()))
assert isinstance(verified, UserRead), verified
signed_in = sign_in()
assert isinstance(signed_in, AuthenticatedClient), signed_in
me = users_get_me.sync(client=signed_in)
renamed = users_update_me.sync(client=signed_in, body=UserUpdate(name=None))
refused = users_list_users.sync(client=signed_in, is_active=True, sort=UserSort("-email"), limit=5)
assert isinstance(me, UserRead)
assert isinstance(renamed, UserRead)
assert isinstance(refused, Problem)
print(json.dumps({"me": me.to_dict(), "renamed": renamed.to_dict(), "refused": refused.status}))
