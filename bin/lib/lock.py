"""Writes the versions that uv resolves to where a fresh clone finds them.

uv.lock is not kept in git, since it records where each file was downloaded. In its place stand
`constraint-dependencies` in pyproject.toml, which pin every package on every platform, and
requirements.txt, which adds the hashes of what the server needs at run time.
"""
# ruff: noqa: S603, T201 - it runs uv, and prints

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

CONSTRAINTS = re.compile(r"(?:^# [^\n]*\n)?^constraint-dependencies = \[\n.*?^\]\n", re.M | re.S)
CONSTRAINTS_NOTE = "# Every version, the indirect ones too. Written by bin/lock."
REQUIREMENTS_HEADER = """\
# What the server needs at run time, for images. Written by bin/lock.
# pip install --require-hashes --no-deps -r requirements.txt
"""
HASH = re.compile(r"sha256:[0-9a-f]{64}")


class Resolver:
    def __init__(self, uv: str, folder: Path) -> None:
        self.uv = uv
        self.folder = folder

    def run(self, *arguments: str) -> str:
        command = [self.uv, *arguments, "--quiet", "--project", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"Error: `uv {' '.join(arguments)}` failed.\n{done.stderr.strip()}")
        return done.stdout

    def resolve(self, pyproject: str, *options: str) -> None:
        (self.folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        self.run("lock", *options)

    def export(self, *options: str) -> str:
        layout = ["--frozen", "--no-emit-project", "--no-header", "--no-annotate"]
        return self.run("export", *layout, *options)

    def constraints(self) -> list[str]:
        return self.export("--all-groups", "--all-extras", "--no-hashes").splitlines()

    def requirements(self) -> str:
        return REQUIREMENTS_HEADER + self.export("--no-dev")


def with_constraints(pyproject: str, constraints: list[str]) -> str:
    block = "\n".join(
        [
            CONSTRAINTS_NOTE,
            "constraint-dependencies = [",
            *(f'    "{line}",' for line in constraints),
            "]\n",
        ]
    )
    if CONSTRAINTS.search(pyproject):
        return CONSTRAINTS.sub(lambda _match: block, pyproject)
    return pyproject.replace("[tool.uv]\n", f"[tool.uv]\n{block}", 1)


def without_hashes(requirements: str) -> str:
    return re.sub(r" \\\n +--hash=\S+", "", requirements)


def check(resolver: Resolver, backend: Path) -> None:
    """New files of an old version, for a newer Python say, are no disagreement."""
    pyproject = (backend / "pyproject.toml").read_text(encoding="utf-8")
    requirements = (backend / "requirements.txt").read_text(encoding="utf-8")
    resolver.resolve(pyproject)
    resolved, required = resolver.constraints(), resolver.requirements()
    pinned = tomllib.loads(pyproject)["tool"]["uv"].get("constraint-dependencies", [])
    findings = [
        *(
            f"pyproject.toml pins what is not needed: {line}"
            for line in pinned
            if line not in resolved
        ),
        *(f"pyproject.toml does not pin: {line}" for line in resolved if line not in pinned),
    ]
    if without_hashes(requirements) != without_hashes(required):
        findings.append("requirements.txt has other versions than pyproject.toml")
    elif unknown := set(HASH.findall(requirements)) - set(HASH.findall(required)):
        findings.append(f"requirements.txt has hashes of no known file: {', '.join(unknown)}")
    if findings:
        sys.exit("\n".join([*findings, "Run bin/lock, and commit both files."]))
    print(f"{len(pinned)} versions are pinned, and both files agree.")


def write(resolver: Resolver, backend: Path, *, upgrade: bool) -> None:
    source = backend / "pyproject.toml"
    pyproject = source.read_text(encoding="utf-8")
    before = set(tomllib.loads(pyproject)["tool"]["uv"].get("constraint-dependencies", []))
    if upgrade:
        resolver.resolve(with_constraints(pyproject, []))
    else:
        if not before and (backend / "uv.lock").is_file():
            shutil.copy(backend / "uv.lock", resolver.folder)
        resolver.resolve(pyproject)
    constraints = resolver.constraints()
    pyproject = with_constraints(pyproject, constraints)
    (resolver.folder / "uv.lock").unlink()
    resolver.resolve(pyproject)  # as a fresh clone will
    if resolver.constraints() != constraints:
        sys.exit("Error: the constraints do not lead to themselves. This is a mistake in bin/lock.")
    requirements = resolver.requirements()
    if "://" in requirements or "://" in "".join(constraints):
        sys.exit("Error: a dependency has an address in the place of a version.")
    source.write_text(pyproject, encoding="utf-8")
    (backend / "requirements.txt").write_text(requirements, encoding="utf-8")
    for line in sorted(before - set(constraints)):
        print(f"- {line}")
    for line in sorted(set(constraints) - before):
        print(f"+ {line}")
    print(f"{len(constraints)} versions are pinned.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/lock", description="Pins every version.")
    parser.add_argument("uv", help=argparse.SUPPRESS)
    parser.add_argument("backend", type=Path, help=argparse.SUPPRESS)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--upgrade", action="store_true", help="take the newest versions")
    action.add_argument("--check", action="store_true", help="write nothing; exit 1 if they differ")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        resolver = Resolver(arguments.uv, Path(folder))
        if arguments.check:
            check(resolver, arguments.backend)
        else:
            write(resolver, arguments.backend, upgrade=arguments.upgrade)


main()
