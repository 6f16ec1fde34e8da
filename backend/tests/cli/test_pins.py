"""What `bin/lock` wrote: a fresh clone gets the versions that were tested."""

import re
import tomllib
from pathlib import Path

BACKEND = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((BACKEND / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = (BACKEND / "requirements.txt").read_text(encoding="utf-8")
PINS = PYPROJECT["tool"]["uv"]["constraint-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", item)[0].lower() for item in requirements}


def test_every_direct_dependency_is_pinned() -> None:
    direct = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"]["dev"]]
    assert names(direct) - names(PINS) == set()


def test_images_get_the_pinned_versions_with_hashes() -> None:
    required = re.findall(r"^(\S+==[^\\]+?) \\\n    --hash=sha256:", REQUIREMENTS, re.MULTILINE)
    assert len(required) == len(re.findall(r"^\S+==", REQUIREMENTS, re.MULTILINE))
    assert set(required) <= set(PINS)
    assert names(PYPROJECT["project"]["dependencies"]) <= names(required)


def test_no_address_is_recorded() -> None:
    assert "://" not in REQUIREMENTS + "".join(PINS)
