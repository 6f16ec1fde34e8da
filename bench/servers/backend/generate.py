"""Writes services into this copy of the project as `backend service new` does, without the tests
and checks that it runs: NAME FIELD… [, NAME FIELD…]…"""

import itertools
import subprocess
import sys
from pathlib import Path

from backend.scaffold.grammar import parse_service
from backend.scaffold.registration import add_router
from backend.scaffold.render import render_service

app = Path("src/backend/app.py")
words = sys.argv[1:]
for is_comma, group in itertools.groupby(words, lambda word: word == ","):
    if is_comma:
        continue
    name, *fields = group
    for path, text in render_service(parse_service(name, fields, "user"), {}).items():
        if path.startswith("src/"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
    app.write_text(add_router(app.read_text(encoding="utf-8"), name), encoding="utf-8")
subprocess.run(
    [sys.executable, "-m", "alembic", "revision", "--autogenerate", "-m", "Add services"],
    check=True,
)
