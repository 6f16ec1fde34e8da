"""`backend config` and `backend doctor`: what is set, and what is wrong here."""

import json
import socket

import pytest

from backend.cli.masking import masked
from tests.cli.command import Command, free_port
from tests.cli.conftest import Invoke

SECRETS = {
    "SECRET_KEY": "".join(map(chr, range(48, 112))),
    "DATABASE_URL": "postgresql://app:word-one@127.0.0.1:1/app?password=word-two",
    "SMTP_URL": "smtps://app:word-three@127.0.0.1:465",
}


def test_config_shows_where_values_came_from_and_no_secret(fresh_backend: Command) -> None:
    done = fresh_backend("config", "--json", **SECRETS)
    shown = {item["name"]: item for item in json.loads(done.stdout)["settings"]}
    assert shown["SMTP_URL"]["value"] == "smtps://app:********@127.0.0.1:465"
    assert shown["SMTP_URL"]["origin"] == "environment"
    assert shown["BACKEND_PORT"]["value"] == "8000"
    assert shown["BACKEND_PORT"]["origin"] == "default"
    assert all(item["description"] for item in shown.values())
    assert "word-" not in done.stdout
    assert SECRETS["SECRET_KEY"] not in done.stdout


async def test_config_shows_what_production_would_refuse(invoke: Invoke) -> None:
    done = await invoke("config", "--production", "--json")
    assert done.returncode == 1
    problems = {item["setting"]: item for item in json.loads(done.stdout)["problems"]}
    assert problems["SMTP_URL"]["problem"] == "not set"
    assert problems["SMTP_URL"]["remedy"].startswith("SMTP_URL=smtps://")


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", ""),
        ("just a secret", "********"),
        ("postgresql://host/name", "postgresql://host/name"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("postgresql://user:p@ss/w:rd@host/name", "postgresql://user:********@host/name"),
        (
            "postgresql://host/name?sslpassword=x&a=b",
            "postgresql://host/name?sslpassword=********&a=b",
        ),
        ("sqlite:////srv/a@b/backend.db", "sqlite:////srv/a@b/backend.db"),
    ],
)
def test_addresses_are_shown_without_their_passwords(secret: str, shown: str) -> None:
    assert masked(secret) == shown


def statuses(done_stdout: str) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(done_stdout)["checks"]}


def test_doctor_finds_what_is_wrong_and_what_to_do(fresh_backend: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = fresh_backend(
            "doctor",
            "--json",
            BACKEND_PORT=str(taken.getsockname()[1]),
            DATABASE_URL=f"postgresql://app:secret-word@127.0.0.1:{free_port()}/app",
            SMTP_URL=f"smtp://127.0.0.1:{free_port()}",
        )
    assert done.returncode == 1
    found = statuses(done.stdout)
    assert (found["port"], found["database"], found["mail"]) == ("error", "error", "error")
    assert all(
        check["remedy"] for check in json.loads(done.stdout)["checks"] if check["status"] == "error"
    )
    assert "secret-word" not in done.stdout


def test_doctor_lives_with_settings_that_cannot_be_read(fresh_backend: Command) -> None:
    done = fresh_backend("doctor", "--json", ENVIRONMENT="holidays")
    assert statuses(done.stdout) == {"python": "ok", "settings": "error"}
    assert done.returncode == 1
