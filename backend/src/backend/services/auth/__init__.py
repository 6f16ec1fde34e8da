# check: allow BK101: its logic is in sessions.py, tokens.py, passwords.py and manager.py
# check: allow BK801: tests/behaviours has its tests, by what they defend
