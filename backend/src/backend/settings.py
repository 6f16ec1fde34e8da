"""Every setting, read once from the environment.

Nothing has to be set in development. In production `problems()` names what is missing or unsafe,
and the commands refuse to start while it is not empty.
"""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as SourceError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["Problem", "Settings", "SettingsError", "generated_secret", "load_settings", "settings"]

MINIMUM_SECRET_LENGTH = 32


class SettingsError(Exception):
    """A setting cannot be used. The text is for the person who set it: no traceback is needed."""


@dataclass(frozen=True)
class Problem:
    """One setting that stops a production start."""

    setting: str
    problem: str
    remedy: str


def _split(value: object) -> object:
    """Accepts `a,b` as well as a list."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class SecretFileSource(EnvSettingsSource):
    """Reads `NAME` from the file that `NAME_FILE` names, as Docker and systemd hand out secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{field_name.upper()}_FILE: {path} cannot be read ({error}). "
                "Name a file that this user may read, or unset the variable."
            ) from error


def _project_directory() -> Path:
    """`backend/` in a checkout; the working directory for an installed package."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "alembic.ini").is_file() else Path.cwd()


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=os.environ.get("ENV_FILE", ".env"),
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        "development", description="`production` refuses what is unsafe."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs tokens and seals queued mail; at least 32 characters. "
        "Generated into DATA_DIR in development.",
    )
    product_name: str = Field("Backend", max_length=60, description="The name in pages and mails.")

    backend_host: str = Field("127.0.0.1", description="The address that the server binds to.")
    backend_port: int = Field(8000, ge=1, le=65535, description="The port that it listens on.")
    public_url: str = Field(
        "", description="Where this server is reached from outside; links in mails start with it."
    )
    frontend_url: str = Field(
        "",
        description="Where your own pages for `/verify-email` and `/reset-password` are; "
        "unset, the built-in ones are used.",
    )
    cors_origins: CommaSeparated = Field(
        default_factory=list, description="Origins whose scripts may call the API, by commas."
    )
    trusted_proxies: CommaSeparated = Field(
        default_factory=list,
        description="Addresses or networks whose X-Forwarded-For and -Proto are believed.",
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1024, description="The largest request body, in bytes."
    )

    data_dir: Path = Field(
        default_factory=lambda: _project_directory() / "var",
        description="The development database, secret and mailbox.",
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="`postgresql://…` or `sqlite:///…`; a file in DATA_DIR if unset."
    )
    database_pool_size: int = Field(
        10, ge=1, le=500, description="Connections that one server process keeps open at most."
    )
    database_pgbouncer: bool = Field(
        False, description="True behind PgBouncer in transaction mode: no prepared statements."
    )

    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="`smtp://`, `smtp+starttls://` or `smtps://user:password@host:port`; "
        "unset, mail goes to the built-in mailbox.",
    )
    mail_from: str = Field(
        "Backend <backend@localhost>", description="The sender, as `Name <address>`."
    )
    deliver_mail: bool = Field(
        True, description="False leaves the delivery to `backend worker` processes."
    )

    access_token_minutes: int = Field(
        720, ge=1, le=43_200, description="How long a sign-in lasts, in minutes."
    )
    verification_token_hours: int = Field(
        24, ge=1, le=168, description="How long a link that confirms an address works."
    )
    reset_token_minutes: int = Field(
        60, ge=5, le=1440, description="How long a password reset link works."
    )
    sign_in_requires_verification: bool = Field(
        True,
        description="False lets people sign in before they confirm their address; "
        "sign-up then tells whether an address is taken.",
    )
    argon2_memory_kib: int = Field(
        19_456, ge=8192, le=1_048_576, description="Argon2id memory, in KiB (OWASP: 19456)."
    )
    argon2_time_cost: int = Field(2, ge=1, le=20, description="Argon2id passes (OWASP: 2).")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe level that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="`auto` is text on a terminal and JSON elsewhere."
    )

    _given: frozenset[str] = PrivateAttr(default=frozenset())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, SecretFileSource(settings_cls), dotenv_settings)

    @field_validator("public_url", "frontend_url")
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be an http:// or https:// address")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("must have no query, fragment or credentials")
        return value.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in "/":
                raise ValueError(
                    f"{origin!r} is not an origin such as https://app.example.com "
                    "(a wildcard is not accepted)"
                )
        return [origin.rstrip("/") for origin in value]

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for network in value:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError(
                    f"{network!r} is not an address or network such as 10.0.0.0/8"
                ) from None
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_mailbox(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1] or "\n" in value or "\r" in value:
            raise ValueError("must be `Name <address>` or an address")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            parse_database_url(value.get_secret_value())
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            try:
                parts = urlsplit(text)
                usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
            except ValueError:
                usable = False
            if not usable or parts.scheme not in {"smtp", "smtps", "smtp+starttls"}:
                raise ValueError("must look like smtp://host:port, smtp+starttls:// or smtps://")
        return value

    @model_validator(mode="after")
    def _derive(self) -> "Settings":
        self._given = frozenset(self.model_fields_set)
        if not self.public_url:
            host = "127.0.0.1" if self.backend_host in {"0.0.0.0", "::"} else self.backend_host  # noqa: S104
            host = f"[{host}]" if ":" in host else host
            self.public_url = f"http://{host}:{self.backend_port}"
        if not self.database_url.get_secret_value():
            path = self.data_dir.resolve() / "backend.db"
            self.database_url = SecretStr(f"sqlite:///{path.as_posix()}")
        if not self.secret_key.get_secret_value() and self.is_development:
            self.secret_key = SecretStr(generated_secret(self.data_dir / "secret_key"))
        return self

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    @cached_property
    def database(self) -> URL:
        """The database's address with an async driver."""
        return parse_database_url(self.database_url.get_secret_value())

    @property
    def account_pages_url(self) -> str:
        """Where the pages stand that links in mails lead to."""
        return self.frontend_url or f"{self.public_url}/account"

    def problems(self) -> list[Problem]:
        """What stops a production start; to be asked whatever the environment."""
        found: list[Problem] = []
        given = self._given

        def report(name: str, problem: str, remedy: str) -> None:
            found.append(Problem(name.upper(), problem, remedy))

        secret = self.secret_key.get_secret_value()
        if "secret_key" not in given or not secret:
            report("secret_key", "not set", "SECRET_KEY=$(openssl rand -base64 48)")
        elif len(secret) < MINIMUM_SECRET_LENGTH or len(set(secret)) < MINIMUM_SECRET_LENGTH // 4:
            report("secret_key", "too easy to guess", "SECRET_KEY=$(openssl rand -base64 48)")
        if "database_url" not in given:
            report(
                "database_url",
                "not set",
                "DATABASE_URL=postgresql://user:password@host/name, or "
                "sqlite:////absolute/path.db for one machine",
            )
        if "public_url" not in given:
            report("public_url", "not set", "PUBLIC_URL=https://api.example.com")
        for name in ("public_url", "frontend_url"):
            if name in given and _is_plain_http(getattr(self, name)):
                report(name, "plain http would send tokens in the clear", "use https://")
        if any(_is_plain_http(origin) for origin in self.cors_origins):
            report("cors_origins", "an origin is plain http", "use https:// origins")
        if "smtp_url" not in given:
            report("smtp_url", "not set", "SMTP_URL=smtps://user:password@mail.example.com:465")
        if "mail_from" not in given:
            report("mail_from", "not set", "MAIL_FROM='Example <no-reply@example.com>'")
        return found

    def warnings(self) -> list[str]:
        """What is allowed and dangerous, to be said at every start."""
        said: list[str] = []
        if not self.sign_in_requires_verification:
            said.append(
                "SIGN_IN_REQUIRES_VERIFICATION is off: sign-up tells whether an address is taken."
            )
        return said

    def origin_of(self, name: str) -> str:
        """Where the value of a setting came from, for `backend config`."""
        variable = name.upper()
        environment = {key.upper(): value for key, value in os.environ.items()}
        if environment.get(variable):
            return "environment"
        if environment.get(f"{variable}_FILE"):
            return f"file {environment[f'{variable}_FILE']}"
        if name in self.__class__._dotenv_names():  # noqa: SLF001
            return ".env"
        if name == "secret_key" and self.secret_key.get_secret_value():
            return f"generated into {self.data_dir / 'secret_key'}"
        return "default"

    @classmethod
    def _dotenv_names(cls) -> frozenset[str]:
        return frozenset(DotEnvSettingsSource(cls)())


def _is_plain_http(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def generated_secret(path: Path, size: int = 48) -> str:
    """A secret of development, of `size` random bytes, made when it is first asked for and kept.

    Written to a file of its own and linked into place, so that two processes that start together
    end with the same one.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        pass  # it is made now, or what is in the way is named below
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(size), encoding="ascii")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR: {path.parent} cannot be written ({error}). "
            "Set DATA_DIR to a folder that this user may write, or set SECRET_KEY."
        ) from error


_DRIVERS: Mapping[str, str] = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}


def parse_database_url(text: str) -> URL:
    """An SQLAlchemy address with an async driver, from an address as providers write it.

    Raises ValueError for what is not SQLite or PostgreSQL, or would not outlive a connection.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            "must be an address such as postgresql://user:password@host/name"
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(f"{url.drivername}:// is not supported; use postgresql:// or sqlite:///")
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file, such as sqlite:////absolute/path.db")
    return url.set(drivername=driver)


def load_settings(**values: Any) -> Settings:
    """Reads the settings; SettingsError says in one line a setting what is wrong with it."""
    try:
        return Settings(**values)
    except SourceError as error:
        raise (error.__cause__ or SettingsError(str(error))) from None
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0]).upper() if item["loc"] else "settings"
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {message}. Correct or unset the variable {name}.")
        raise SettingsError("\n".join(lines)) from None


settings = load_settings()
