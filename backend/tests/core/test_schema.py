"""The order of the migrations, read from their files, is the one that Alembic knows."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from backend.core.schema import alembic_config, read_history

BACKEND = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of a folder without migrations, which are written by the template of this project."""
    (tmp_path / "versions").mkdir()
    for name in ("env.py", "script.py.mako"):
        (tmp_path / name).write_bytes((BACKEND / "migrations" / name).read_bytes())
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("path_separator", "os")
    return config


def known_to_alembic(config: Config) -> dict[str, tuple[str, ...]]:
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    return {script.revision: script._versioned_down_revisions for script in reversed(scripts)}


def test_of_this_project() -> None:
    assert read_history(BACKEND / "migrations/versions") == known_to_alembic(alembic_config())


def test_of_branches_that_are_merged(config: Config, tmp_path: Path) -> None:
    command.revision(config, "first", rev_id="first")
    command.revision(config, "left", rev_id="left", head="first")
    command.revision(config, "right", rev_id="right", head="first", splice=True)
    command.merge(config, ["left", "right"], rev_id="merged")
    command.revision(config, "last", rev_id="last")
    (tmp_path / "versions/plain.py").write_text("revision = 'plain'\ndown_revision = 'last'\n")

    history = read_history(tmp_path / "versions")

    assert history == known_to_alembic(config)
    assert list(history) in (
        ["first", "left", "right", "merged", "last", "plain"],
        ["first", "right", "left", "merged", "last", "plain"],
    )


def test_of_none(tmp_path: Path) -> None:
    assert read_history(tmp_path) == {}
