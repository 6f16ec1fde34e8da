# check: allow BK101: its logic is in sessions.py, tokens.py, passwords.py and manager.py
