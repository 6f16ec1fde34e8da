from fastapi_users.password import PasswordHelper
from timing import main

helper = PasswordHelper()
main(helper.hash, lambda password, hashed: helper.verify_and_update(password, hashed)[0])
