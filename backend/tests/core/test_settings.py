"""Settings: nothing to set in development, and nothing unsafe in production."""

import stat
from pathlib import Path

import pytest

from backend.settings import Settings, SettingsError, load_settings

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "q8Zc0n3v7Lw1Xr5Ty9Bu2Ka6Md4Pe8Hj",
    "DATABASE_URL": "postgresql://app:hunter2@db.example/app",
    "PUBLIC_URL": "https://api.example.com",
    "SMTP_URL": "smtps://app:hunter2@mail.example.com",
    "MAIL_FROM": "Example <no-reply@example.com>",
}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """As on a machine where nothing is set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    return monkeypatch


def test_in_development_nothing_has_to_be_set(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.is_development
    assert settings.database.drivername == "sqlite+aiosqlite"
    assert settings.public_url == "http://127.0.0.1:8000"
    secret = settings.secret_key.get_secret_value()
    assert len(secret) >= 64
    kept = tmp_path / "var" / "secret_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load_settings().secret_key.get_secret_value() == secret, "kept over restarts"


def test_the_public_address_follows_host_and_port(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("BACKEND_PORT", "9000")
    clean.setenv("BACKEND_HOST", "0.0.0.0")
    assert load_settings().public_url == "http://127.0.0.1:9000"
    clean.setenv("BACKEND_HOST", "::1")
    assert load_settings().public_url == "http://[::1]:9000"


def test_production_names_everything_that_is_missing(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ENVIRONMENT", "production")
    problems = {problem.setting: problem for problem in load_settings().problems()}
    assert set(problems) == {"SECRET_KEY", "DATABASE_URL", "PUBLIC_URL", "SMTP_URL", "MAIL_FROM"}
    assert all(problem.problem and problem.remedy for problem in problems.values())


def test_production_is_content_with_good_settings(clean: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        clean.setenv(name, value)
    assert load_settings().problems() == []
    assert load_settings().warnings() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "changeme" * 8),
        ("PUBLIC_URL", "http://api.example.com"),
        ("FRONTEND_URL", "http://app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com,http://app.example.com"),
        ("SMTP_URL", ""),
        ("MAIL_FROM", ""),
        ("DATABASE_URL", ""),
    ],
)
def test_production_refuses_what_is_unsafe(
    clean: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for setting, good in PRODUCTION.items():
        clean.setenv(setting, good)
    clean.setenv(name, value)
    assert [problem.setting for problem in load_settings().problems()] == [name]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BACKEND_PORT", "eighty", "BACKEND_PORT"),
        ("BACKEND_PORT", "70000", "BACKEND_PORT"),
        ("ENVIRONMENT", "prod", "ENVIRONMENT"),
        ("DATABASE_URL", "mysql://x/y", "not supported"),
        ("DATABASE_URL", "nonsense", "postgresql://"),
        ("DATABASE_URL", "sqlite://", "needs a file"),
        ("SMTP_URL", "http://mail", "smtp://"),
        ("SMTP_URL", "smtp://mail:port", "smtp://"),
        ("CORS_ORIGINS", "*", "wildcard"),
        ("CORS_ORIGINS", "https://app.example.com/path", "not an origin"),
        ("TRUSTED_PROXIES", "everybody", "not an address"),
        ("PUBLIC_URL", "api.example.com", "http"),
        ("PUBLIC_URL", "https://u:p@api.example.com", "credentials"),
        ("MAIL_FROM", "nobody", "MAIL_FROM"),
        ("SECRET_KEY_FILE", "/does/not/exist", "SECRET_KEY_FILE"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_setting(
    clean: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    clean.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert name.removesuffix("_FILE") in str(raised.value)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_text_of_an_error_shows_no_secret(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("DATABASE_URL", "mysql://user:hunter2@host/name")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


def test_a_secret_can_come_from_a_file(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file, with a newline at the end\n")
    clean.setenv("SECRET_KEY_FILE", str(file))
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == "from the file, with a newline at the end"
    assert "from the file" not in repr(settings)
    assert settings.origin_of("secret_key") == f"file {file}"


def test_a_data_directory_that_cannot_be_written(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    clean.setenv("DATA_DIR", str(in_the_way))
    with pytest.raises(SettingsError, match="DATA_DIR"):
        load_settings()


def test_what_is_allowed_and_dangerous_is_said(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("SIGN_IN_REQUIRES_VERIFICATION", "false")
    assert "SIGN_IN_REQUIRES_VERIFICATION" in load_settings().warnings()[0]
