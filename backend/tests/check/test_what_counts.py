"""Baseline, files that changed, and the cache."""

import json
import subprocess
from pathlib import Path

import pytest

from backend.check.baseline import apply_baseline, baseline_path, read_baseline, write_baseline
from backend.check.cache import cache_folder, fingerprint
from backend.check.changed import changed_files, services_in
from backend.check.checking import Request, check
from backend.check.engine import LeftOut, Report
from backend.check.finding import Finding, Place
from backend.check.mend import outcomes, try_to_mend
from backend.cli.errors import CommandError
from tests.check.trees import make_tree, service

READS = "import os\n\nlimit = os.environ['LIMIT']\n"
JOBS = "src/backend/services/clients/jobs.py"
OTHER = "src/backend/services/invoices/jobs.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path, service("clients") | service("invoices") | {JOBS: READS})


def ask(root: Path, *services: str, **options: bool) -> Report:
    return check(Request(root, services, ("BK101", "BK702"), **options))


def paths(report: Report) -> list[str]:
    return [finding.place.path for finding in report.findings]


def test_what_is_in_the_baseline_ends_nothing_and_what_is_new_does(root: Path) -> None:
    assert write_baseline(root, ask(root, baseline=False).findings) == 1
    known = ask(root)
    assert (known.exit_code, known.findings, known.in_baseline) == (0, [], 1)
    make_tree(root, {JOBS: f"# moved down\n\n{READS}", OTHER: READS})
    report = ask(root)
    assert paths(report) == [f"backend/{OTHER}"]
    assert (report.exit_code, report.in_baseline) == (1, 1)


def test_the_baseline_has_no_line_numbers(root: Path) -> None:
    write_baseline(root, ask(root, baseline=False).findings)
    (entry,) = json.loads(baseline_path(root).read_text(encoding="utf-8"))["findings"]
    assert entry == {
        "rule": "BK702",
        "path": f"backend/{JOBS}",
        "subject": "backend.services.clients.jobs: os.environ",
    }


def test_what_was_mended_is_stale(root: Path) -> None:
    write_baseline(root, ask(root, baseline=False).findings)
    make_tree(root, {JOBS: "limit = 3\n"})
    new, stale = apply_baseline(ask(root, baseline=False).findings, read_baseline(root))
    assert (new, [entry[0] for entry in stale]) == ([], ["BK702"])
    assert ask(root).stale == []  # a part of the rules cannot tell


def test_a_baseline_without_findings_is_no_file(root: Path) -> None:
    write_baseline(root, ask(root, baseline=False).findings)
    assert write_baseline(root, []) == 0
    assert not baseline_path(root).exists()


def test_a_baseline_that_cannot_be_read_is_a_sentence(root: Path) -> None:
    baseline_path(root).write_text("[]", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"check-baseline\.json cannot be read .* --write-baseline"
    ):
        ask(root)


# What git says


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    settings = ("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
    subprocess.run(
        ["git", *identity, *settings, *arguments], cwd=root, check=True, capture_output=True
    )


@pytest.fixture
def repository(root: Path) -> Path:
    (root / ".gitignore").write_text(".check_cache/\n", encoding="utf-8")
    git(root, "init", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "-m", "first")
    return root


def test_nothing_changed_is_nothing_to_check(repository: Path) -> None:
    report = check(Request(repository, changed=True))
    assert report.exit_code == 0
    assert [item.text for item in report.examined] == ["git: no file differs from the main branch"]


def test_changed_files_are_those_of_the_branch_and_those_git_does_not_know(
    repository: Path,
) -> None:
    git(repository, "switch", "-c", "feature")
    make_tree(repository, {"src/backend/services/clients/service.py": "async def a(): ...\n"})
    git(repository, "commit", "-a", "-m", "second")
    make_tree(repository, {OTHER: READS, "src/backend/services/clients/routes.py": "r = 2\n"})
    assert changed_files(repository) == {
        "backend/src/backend/services/clients/service.py",
        "backend/src/backend/services/clients/routes.py",
        f"backend/{OTHER}",
    }
    git(repository, "switch", "main")


def test_only_findings_in_changed_files_count(repository: Path) -> None:
    assert paths(ask(repository)) == [f"backend/{JOBS}"]
    make_tree(repository, {OTHER: READS})
    report = ask(repository, changed=True)
    assert paths(report) == [f"backend/{OTHER}"]
    assert report.exit_code == 1


def test_what_main_did_since_is_not_this_branchs(repository: Path) -> None:
    git(repository, "switch", "-c", "feature")
    git(repository, "switch", "main")
    make_tree(repository, {OTHER: READS})
    git(repository, "add", "--all")
    git(repository, "commit", "-m", "on main")
    git(repository, "switch", "feature")
    assert changed_files(repository) == frozenset()


def test_a_deleted_file_is_a_changed_one(repository: Path) -> None:
    (repository / "backend/src/backend/services/clients/schemas.py").unlink()
    report = ask(repository, changed=True)
    assert paths(report) == ["backend/src/backend/services/clients/schemas.py"]


def test_a_repository_without_commits_has_only_new_files(root: Path) -> None:
    git(root, "init")
    assert f"backend/{JOBS}" in changed_files(root)


def test_without_git_it_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    with pytest.raises(ValueError, match="no git repository"):
        changed_files(root)


def test_files_outside_of_services_concern_all_of_them() -> None:
    of_clients = f"backend/{JOBS}"
    assert services_in(frozenset({of_clients})) == frozenset({"clients"})
    assert services_in(frozenset({of_clients, "docs/guide.md"})) is None


# The cache


def test_an_unchanged_project_answers_from_the_cache(root: Path) -> None:
    first, second = ask(root), ask(root)
    assert (first.cached, second.cached) == (False, True)
    assert second.findings == first.findings
    assert second.examined == first.examined
    assert second.exit_code == first.exit_code == 1


def test_one_service_answers_from_the_check_of_all(root: Path) -> None:
    make_tree(root, {OTHER: READS})
    assert len(ask(root).findings) == 2
    one = ask(root, "invoices")
    assert one.cached
    assert paths(one) == [f"backend/{OTHER}"]
    assert not ask(root, "invoices", cache=False).cached


@pytest.mark.parametrize(
    "file",
    [
        JOBS,
        "src/backend/services/clients/new.py",
        "src/backend/services/clients/templates/mail.txt",
        "tests/services/clients/test_clients_routes.py",
        "migrations/versions/1_first.py",
        "pyproject.toml",
        "alembic.ini",
        "/docs/guide.md",
        "/README.md",
        ".check_cache/tests.json",
    ],
)
def test_any_change_of_what_it_read_makes_it_look_again(root: Path, file: str) -> None:
    ask(root)
    make_tree(root, {file: "x = 1\n"})
    assert not ask(root).cached
    assert ask(root).cached


def test_what_was_asked_for_is_part_of_the_key(root: Path) -> None:
    keys = {
        fingerprint(root, rules, only)
        for rules in (["BK101"], ["BK101", "BK702"])
        for only in (None, ["clients"], ["invoices"], ["clients", "invoices"])
    }
    assert len(keys) == 8
    assert fingerprint(root, ["BK101"], None) in keys


def test_a_broken_cache_is_made_anew(root: Path) -> None:
    ask(root)
    for path in cache_folder(root).glob("*.json"):
        path.write_text("{", encoding="utf-8")
    assert not ask(root).cached


def test_the_cache_keeps_a_few_reports(root: Path) -> None:
    for number in range(24):
        make_tree(root, {JOBS: f"x = {number}\n"})
        ask(root)
    assert len(list(cache_folder(root).glob("*.json"))) == 20


def test_what_can_be_mended_is_still_known_to_the_cache(root: Path) -> None:
    make_tree(root, {"pyproject.toml": "[project]\nname='x'\n", JOBS: "import os\n"})
    first = check(Request(root, rules=("ruff",)))
    second = check(Request(root, rules=("ruff",)))
    assert second.cached
    assert [item.fix is not None for item in first.findings] == [
        item.fix is not None for item in second.findings
    ]
    assert any(item.fix for item in first.findings)


@pytest.mark.parametrize(
    ("services", "rules", "message"),
    [
        (("client",), (), "There is no service client; did you mean clients"),
        (("zzz",), (), r"There is no service zzz\. There are: clients, invoices\."),
        ((), ("BK70",), r"There is no rule BK70; did you mean BK70\d"),
    ],
)
def test_what_there_is_none_of_is_a_sentence_with_the_nearest(
    root: Path, services: tuple[str, ...], rules: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(Request(root, services, rules))


# What is mended


def test_a_mend_that_cannot_be_made_is_said_and_holds_up_no_other(root: Path) -> None:
    def cannot(_root: Path) -> None:
        raise CommandError("the table is made by a function.")

    def can(given: Path) -> None:
        make_tree(given, {JOBS: "import   uuid\nimport abc\n"})

    place = Place(f"backend/{JOBS}", 1)
    findings = [
        Finding("BK403", place, "a.b", "x", "y", fix=cannot),
        Finding("BK404", place, "c.d", "x", "y", fix=can),
        Finding("BK404", place, "e.f", "x", "y"),
    ]
    attempts = try_to_mend(root, findings)
    after = Report(findings=[findings[0], findings[2]])
    assert list(outcomes(attempts, findings, after)) == [
        f"Not mended: backend/{JOBS}:1: BK403 a.b: the table is made by a function.",
        f"Mended: backend/{JOBS}:1: BK404 c.d",
    ]
    written = (root / "backend" / JOBS).read_text(encoding="utf-8")
    assert written == "import abc\nimport uuid\n"


def test_mended_is_what_is_found_no_more(root: Path) -> None:
    def nothing(_root: Path) -> None:
        """As a mend that knows no more what to write."""

    place = Place(f"backend/{JOBS}", 3)
    found = [Finding("BK304", place, "POST /x", "x", "Write 201.", fix=nothing)]
    attempts = try_to_mend(root, found)
    moved = Finding("BK304", Place(place.path, 9), "POST /x", "x", "Write 201.")
    said = f"mended: backend/{JOBS}:3: BK304 POST /x"
    assert list(outcomes(attempts, found, Report(findings=[moved]))) == [
        f"Not {said}: it is still found. Write 201."
    ]
    assert list(outcomes(attempts, found, Report())) == [f"M{said[1:]}"]
    blind = Report(left_out=[LeftOut("routes", "the app cannot be imported (BK003)", fails=True)])
    assert list(outcomes(attempts, found, blind)) == [
        f"Perhaps {said}: the check after it could not look at everything."
    ]


def test_every_file_that_a_mend_touched_is_formatted(root: Path) -> None:
    def elsewhere(given: Path) -> None:
        make_tree(given, {OTHER: "x   = 1\nimport uuid\nimport abc\n"})

    untouched = "import   uuid\n"
    make_tree(root, {"src/backend/services/clients/more.py": untouched})
    place = Place(f"backend/{JOBS}", 1)
    try_to_mend(root, [Finding("BK102", place, "a", "x", "y", fix=elsewhere)])
    written = (root / "backend" / OTHER).read_text(encoding="utf-8")
    assert "x = 1\n" in written
    assert written.index("import abc") < written.index("import uuid")
    more = root / "backend/src/backend/services/clients/more.py"
    assert more.read_text(encoding="utf-8") == untouched
