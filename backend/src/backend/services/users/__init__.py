# check: allow BK801: tests/behaviours/test_addresses.py and test_users_routes.py have its tests
