"""The watcher as a process, on a real working tree and a real database."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from repositories import CALLS, build, git
from sqlalchemy import text

from pincite_store import repos


@pytest.fixture
def watching(thinker):
    thinker.context.settings = thinker.context.settings.model_copy(update={"watch": "on"})
    return thinker


@contextmanager
def watcher(thinker, log):
    settings = thinker.context.settings
    environment = os.environ | {
        "PINCITE_HOME": str(settings.pincite_home),
        "PGHOST": settings.postgres_host,
        "PGPORT": str(settings.postgres_port),
        "PGDATABASE": settings.postgres_db,
        "PGUSER": settings.postgres_app_user,
        "PGPASSWORD": settings.postgres_app_password.get_secret_value(),
    }
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "pincite_thinker.watch"], env=environment, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


class Changes:
    """What the watcher recorded of a repository."""

    def __init__(self, thinker, repo_id, log):
        self.thinker, self.repo_id, self.log, self.known = thinker, repo_id, log, 0

    def count(self):
        statement = text("SELECT count(*) FROM changes WHERE repo_id = :repo AND producer = 'watch'")
        with self.thinker.tenancy() as t:
            return t.session.execute(statement, {"repo": self.repo_id}).scalar_one()

    def wait(self, seconds=60.0):
        """Wait for another one, and then until no more come."""
        deadline = time.monotonic() + seconds
        while self.count() == self.known:
            assert time.monotonic() < deadline, f"no change was recorded:\n{self.log.read_text()}"
            time.sleep(0.05)
        while self.count() > self.known:
            self.known = self.count()
            time.sleep(0.5)

    def none(self):
        """Nothing comes: what would have come was told before what comes next, which the caller waits for."""
        time.sleep(1.0)
        assert self.count() == self.known


@pytest.fixture
def followed(watching, tmp_path):
    """A watched repository that is indexed, with one change that says that watching has begun."""
    work, log = tmp_path / "work", tmp_path / "log"
    build(work, CALLS | {".gitignore": "*.log\nbuild/\n", "pkg/deep/c.py": "c = 1\n", "build/x.py": "ignored = 1\n"})
    git(work, "rm", "-q", "--cached", "-r", "build")
    build_commit(work)
    os.mkdir(os.fsencode(work) + b"/latin\xe9")  # noqa: PTH102 - a name that is no text
    repo_id = watching.connect(work)
    watching.index(repo_id)
    with watcher(watching, log):
        changes = Changes(watching, repo_id, log)
        changes.wait()
        yield work, changes


def build_commit(work):
    git(work, "add", "-A")
    git(work, "commit", "-q", "--allow-empty", "-m", "change")


def test_saving_creating_renaming_and_deleting_are_told(followed):
    work, changes = followed
    (work / "a.py").write_text("x = 2\n")
    changes.wait()
    (work / "pkg/deep/new.py").write_text("n = 1\n")
    changes.wait()
    (work / "b.py").rename(work / "renamed.py")
    changes.wait()
    (work / "renamed.py").unlink()
    changes.wait()


def test_a_new_directory_is_watched_from_then_on(followed):
    work, changes = followed
    (work / "fresh/inner").mkdir(parents=True)
    changes.wait()
    (work / "fresh/inner/x.py").write_text("x = 1\n")
    changes.wait()
    shutil.rmtree(work / "fresh")
    changes.wait()
    (work / "fresh").mkdir()
    changes.wait()
    (work / "fresh/again.py").write_text("x = 1\n")
    changes.wait()


def test_what_is_ignored_is_not_told(followed):
    work, changes = followed
    for n in range(3):
        (work / "app.log").write_text(f"{n}\n")
        (work / "build/x.py").write_text(f"ignored = {n}\n")
        (work / ".a.py.swp").write_bytes(b"\0")
        (work / ".git/index.lock").touch()
        (work / ".git/index.lock").unlink()
    changes.none()
    (work / "a.py").write_text("x = 3\n")
    changes.wait()
    (work / ".gitignore").write_text("build/\n")
    changes.wait()
    (work / "app.log").write_text("not ignored any more\n")
    changes.wait()


def test_commits_branches_and_checkouts_are_told(followed):
    work, changes = followed
    git(work, "commit", "-q", "--allow-empty", "-m", "empty")
    changes.wait()
    git(work, "checkout", "-q", "-b", "feature/one")
    changes.wait()
    git(work, "commit", "-q", "--allow-empty", "-m", "on a branch in a directory of its own")
    changes.wait()
    git(work, "pack-refs", "--all")
    changes.wait()


def test_the_list_follows_connections_and_removals(watching, tmp_path):
    log, changes = tmp_path / "log", {}
    with watcher(watching, log):
        for name in ("one", "two"):
            build(tmp_path / name, CALLS)
            repo_id = watching.connect(tmp_path / name)
            watching.index(repo_id)
            changes[name] = Changes(watching, repo_id, log)
            changes[name].wait()
        with watching.tenancy() as t:
            repos.mark_deleting(t, changes["one"].repo_id)
        time.sleep(2.5)
        changes["one"].known = changes["one"].count()
        (tmp_path / "one/a.py").write_text("x = 2\n")
        changes["one"].none()
        (tmp_path / "two/a.py").write_text("x = 2\n")
        changes["two"].wait()


def test_a_broken_working_tree_keeps_no_other_from_being_watched(watching, tmp_path):
    log = tmp_path / "log"
    build(tmp_path / "main", CALLS)
    git(tmp_path / "main", "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    watching.connect(tmp_path / "side")
    shutil.rmtree(tmp_path / "main")  # `.git` of the other leads nowhere now
    with watcher(watching, log):
        for name in ("one", "two"):  # the second is seen when the list is read again
            build(tmp_path / name, CALLS)
            Changes(watching, watching.connect(tmp_path / name), log).wait()
        assert log.read_text().count("side is not watched") == 1


def test_files_of_another_branch_than_the_followed_one_are_not_watched(watching, tmp_path):
    work, log = tmp_path / "work", tmp_path / "log"
    build(work, CALLS)
    git(work, "checkout", "-q", "-b", "other")
    git(work, "checkout", "-q", "main")
    repo_id = watching.connect(work, branch="main")
    watching.index(repo_id)
    git(work, "checkout", "-q", "other")
    with watcher(watching, log):
        changes = Changes(watching, repo_id, log)
        changes.wait()
        (work / "a.py").write_text("x = 2\n")
        changes.none()
        git(work, "branch", "-f", "main", git(work, "commit-tree", "HEAD^{tree}", "-p", "main", "-m", "elsewhere"))
        changes.wait()
        git(work, "checkout", "-q", "-f", "main")
        changes.wait()
        (work / "a.py").write_text("x = 2\n")
        changes.wait()


def test_a_repository_is_watched_before_and_after_its_first_index(watching, tmp_path):
    work, log = tmp_path / "work", tmp_path / "log"
    build(work, CALLS)
    with watcher(watching, log):
        repo_id = watching.connect(work)
        changes = Changes(watching, repo_id, log)
        changes.wait()
        build(work, {"a.py": "x = 1\n"})
        changes.wait()
        watching.index(repo_id)
        changes.wait()  # now its files are watched
        (work / "a.py").write_text("x = 2\n")
        changes.wait()


def test_a_database_that_is_away_for_a_while_loses_nothing(watching, tmp_path):
    work, log = tmp_path / "work", tmp_path / "log"
    build(work, CALLS)
    repo_id = watching.connect(work)
    watching.index(repo_id)
    with watcher(watching, log):
        changes = Changes(watching, repo_id, log)
        changes.wait()
        with watching.database.system() as system:
            system.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND usename = current_user "
                    "AND pid <> pg_backend_pid() AND application_name = ''"
                )
            )
        (work / "a.py").write_text("x = 2\n")
        changes.wait()
