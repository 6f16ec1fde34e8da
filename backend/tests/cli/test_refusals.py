"""What a person can mend is one clear sentence with the remedy, and exit code 1."""

import socket
from pathlib import Path

from tests.cli.command import Command, free_port


def test_a_taken_port(fresh_backend: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken_port = listener.getsockname()[1]
        said = fresh_backend.refused("dev", "--port", str(taken_port))
    assert f"Port {taken_port} is taken" in said
    assert "--port or BACKEND_PORT" in said


def test_an_unreachable_database(fresh_backend: Command) -> None:
    """Which the serving process finds out, and the watching one says no more about."""
    port = free_port()
    said = fresh_backend.refused(
        "dev",
        DATABASE_URL=f"postgresql://someone:secret-word@127.0.0.1:{port}/name",
        BACKEND_PORT=str(free_port()),
    )
    assert f"The database at 127.0.0.1:{port} cannot be reached (Connection refused)" in said
    assert "DATABASE_URL" in said
    assert "secret-word" not in said


def test_a_bad_setting(fresh_backend: Command) -> None:
    said = fresh_backend.refused(BACKEND_PORT="many")
    assert "BACKEND_PORT: Input should be a valid integer" in said


def test_a_folder_that_cannot_be_written(fresh_backend: Command, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    said = fresh_backend.refused("serve", DATA_DIR=str(file / "var"))
    assert f"{file / 'var'} cannot be written" in said
    assert "Set DATA_DIR" in said


def test_a_file_that_is_no_database(fresh_backend: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes\n" * 100, encoding="utf-8")
    said = fresh_backend.refused("db", "status", DATABASE_URL=f"sqlite:///{file}")
    assert f"{file} is not an SQLite database" in said


def test_production_with_nothing_set(fresh_backend: Command) -> None:
    said = fresh_backend.refused(ENVIRONMENT="production", MAIL_FROM="")
    assert "setting       problem  how to set it" in said
    rows = [line.split()[0] for line in said.splitlines()[4:]]
    assert rows == ["SECRET_KEY", "DATABASE_URL", "PUBLIC_URL", "SMTP_URL", "MAIL_FROM"]


def test_production_with_pending_migrations(fresh_backend: Command, tmp_path: Path) -> None:
    said = fresh_backend.refused(
        "worker",
        ENVIRONMENT="production",
        SECRET_KEY="".join(map(chr, range(40, 90))),
        DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}",
        PUBLIC_URL="https://api.example.com",
        SMTP_URL="smtp://127.0.0.1:1",
    )
    assert "behind this version" in said
    assert "Run `backend db migrate`" in said


def test_what_is_for_development_only(fresh_backend: Command) -> None:
    said = fresh_backend.refused("db", "reset", "--yes", ENVIRONMENT="production")
    assert "is for development, and ENVIRONMENT is production" in said
