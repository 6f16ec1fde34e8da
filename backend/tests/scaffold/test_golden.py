"""What is written stays what it was; `UPDATE_GOLDEN=1` writes it anew, for review in the diff."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from backend.scaffold.grammar import NAME_MAX_LENGTH, parse_service
from backend.scaffold.render import render_service
from backend.scaffold.spec import Owner
from tests.scaffold.services import render_all
from tests.support.databases import BACKEND

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """As Ruff leaves it, by its place in the golden folder: `.txt`, since it is no code of ours."""
    folder = tmp_path_factory.mktemp("project")
    # Ruff sorts imports by what there is.
    shutil.copytree(BACKEND / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(BACKEND / "pyproject.toml", folder)
    files = render_all()
    tidy(folder, files)
    return {f"{path}.txt": (folder / path).read_text(encoding="utf-8") for path in files}


def tidy(folder: Path, files: Mapping[str, str]) -> None:
    """Ruff must have nothing to say in the end."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for command in ("format", "check --fix", "format", "check"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command.split(), "--quiet", "--no-cache", *files],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_as_it_was(written: dict[str, str]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        _update(written)
    golden = {
        path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8")
        for path in GOLDEN.rglob("*.txt")
    }
    assert sorted(written) == sorted(golden)
    for path, text in written.items():
        assert text == golden[path], path


def _update(written: dict[str, str]) -> None:
    for path in GOLDEN.rglob("*.txt"):
        path.unlink()
    for name, text in written.items():
        file = GOLDEN / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def test_ruff_changes_nothing_but_the_layout(written: dict[str, str]) -> None:
    """A name less would be an import that nothing uses."""
    for path, text in render_all().items():
        assert _words(text) == _words(written[f"{path}.txt"]), path


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"\w+", text))


def longest(begin: str) -> str:
    return (begin + "_" + "abcdefghi_" * 3)[: NAME_MAX_LENGTH - 1] + "s"


@pytest.mark.parametrize("owner", ["user", "none"])
def test_the_longest_names_fit_into_the_lines(tmp_path: Path, owner: Owner) -> None:
    name, target = longest("a"), longest("b")
    values = ["v" * 30, "w" * 30, *(f"{number}".join("xy") * 7 for number in range(9))]
    fields = [
        f"{longest('s')}:str:min=3:max=500:unique:search:filter:sort",
        f"{longest('t')}:text:search:optional",
        f"{longest('d')}:str:default={'x' * 50}:immutable",
        f"{longest('i')}:int:min=-1000000:max=20000000:sort:filter",
        f"{longest('g')}:bigint:unique:min=-9000000000000000000:max=9000000000000000000",
        f"{longest('n')}:decimal:15.7:min=-99999999.1234567:max=99999999.1234567:unique:filter",
        f"{longest('f')}:float:min=-9007199254740992:max=9007199254740992:sort",
        f"{longest('b')}:bool:default=true:private",
        f"{longest('m')}:datetime:unique:filter:sort",
        f"{longest('u')}:url:unique:filter:search:sort",
        f"{longest('e')}:enum:{','.join(values)}:default={values[0]}:sort",
        f"{longest('r')}:ref:{target}",
        f"{longest('o')}:ref:{target}:optional:setnull:immutable",
        f"{longest('p')}:ref:{name}:optional:cascade",
    ]
    if owner == "none":
        fields = [field.replace(":search", "") for field in fields]
    shutil.copytree(BACKEND / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(BACKEND / "pyproject.toml", tmp_path)
    referred = parse_service(target, ["a:str"], owner)
    written = render_service(
        parse_service(name, fields, owner), {target: referred.as_target}
    ) | render_service(referred, {})
    tidy(tmp_path, written)
