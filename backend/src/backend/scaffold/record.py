"""What was generated, kept beside the service: its fields, and each file's hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from backend.cli.errors import CommandError
from backend.scaffold.checkout import MIGRATIONS, SERVICES, Checkout
from backend.scaffold.spec import Owner

__all__ = ["Record", "digest", "path_of_record"]

VERSION = 1


@dataclass(frozen=True)
class Record:
    name: str
    owner: Owner
    fields: Sequence[str]
    """As they were typed."""
    files: Mapping[str, str]
    """Paths relative to `backend/`, and the hash of what the generator wrote."""

    @classmethod
    def read(cls, checkout: Checkout, name: str) -> "Record | None":
        """None for a service that was written by hand."""
        path = path_of_record(name)
        text = checkout.read(path)
        if text is None:
            return None
        try:
            return cls._from(json.loads(text), name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{path} cannot be used ({error}). Restore it from your version control; without "
                "it the service counts as written by hand."
            ) from None

    @classmethod
    def _from(cls, content: dict[str, Any], name: str) -> "Record":
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, and this one knows {VERSION}")
        if content["name"] != name:
            raise ValueError(f"it is of {content['name']!r}")
        if content["owner"] not in get_args(Owner):
            raise ValueError(f"owner {content['owner']!r}")
        fields, files = content["fields"], content["files"]
        if not all(isinstance(item, str) for item in [*fields, *files, *files.values()]):
            raise ValueError("fields and files are not texts")
        if any(not _is_inside(path, name) for path in files):
            raise ValueError("it names a file that is not of the service")
        return cls(name, content["owner"], list(fields), dict(files))

    def text(self) -> str:
        content = {
            "version": VERSION,
            "name": self.name,
            "owner": self.owner,
            "fields": list(self.fields),
            "files": dict(sorted(self.files.items())),
        }
        return json.dumps(content, indent=2) + "\n"

    def edited(self, checkout: Checkout) -> list[str]:
        """What is not as it was written, or is gone."""
        return [
            path
            for path, written in sorted(self.files.items())
            if (content := checkout.read(path)) is None or digest(content) != written
        ]

    def added(self, checkout: Checkout) -> list[str]:
        """What is in the service's folders, and was not generated."""
        there = checkout.files_in(f"{SERVICES}/{self.name}")
        there |= checkout.files_in(f"tests/services/{self.name}")
        return sorted(there - self.files.keys() - {path_of_record(self.name)})

    @property
    def migrations(self) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{MIGRATIONS}/"))


def path_of_record(name: str) -> str:
    return f"{SERVICES}/{name}/generated.json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _is_inside(path: str, name: str) -> bool:
    folders = (f"{SERVICES}/{name}/", f"tests/services/{name}/", f"{MIGRATIONS}/")
    return path.startswith(folders) and ".." not in path.split("/")
