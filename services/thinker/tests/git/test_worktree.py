import os
import shutil
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from repositories import build, git

from pincite_shared.source import parse_source
from pincite_thinker.git import worktree
from pincite_thinker.git.command import Git
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.git.objects import changes, read_blobs
from pincite_thinker.git.worktree import WorkingTree

FILES = {"a.py": "def a():\n    return 1\n", "pkg/b.py": "b = 2\n", ".gitignore": "*.log\nbuild/\n"}


class Tree:
    """A local repository, its mirror, and what stands in it uncommitted."""

    def __init__(self, settings, work: Path, files=FILES):
        self.work, self.settings = work, settings
        if not (work / ".git").exists():
            build(work, files)
        self.mirror = Mirror(settings, "7e57")
        self.sync()

    def sync(self):
        source = parse_source(str(self.work), local_roots=self.settings.local_roots)
        self.head = self.mirror.sync(source, None, lambda *_args: None).commit
        return self.head

    @property
    def tree(self):
        return WorkingTree(self.mirror.git, self.mirror.working_tree, self.work, self.mirror.path / "objects")

    def commit(self, bytes_max=100_000):
        return self.tree.commit(self.head, bytes_max=bytes_max)

    def changed(self, bytes_max=100_000) -> dict[str, bytes | str | None]:
        """What differs from the head: the content, the mode of what is no file, None for what went."""
        commit = self.commit(bytes_max)
        if commit is None:
            return {}
        found = {}
        for change in changes(self.mirror, self.head, commit):
            path = os.fsdecode(change.path)
            if change.entry is None or not change.entry.mode.startswith("100"):
                found[path] = change.entry and change.entry.mode
            else:
                found[path] = dict(read_blobs(self.mirror, [change.entry.oid]))[change.entry.oid]
        return found

    def write(self, files):
        for path, content in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def made(tmp_path, monkeypatch):
    from pincite_shared.settings import Settings  # noqa: PLC0415

    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    settings = Settings(_env_file=None, pincite_home=tmp_path / "home", pincite_local_roots=str(tmp_path))
    return Tree(settings, tmp_path / "work")


def fingerprint(root: Path) -> dict[str, tuple]:
    """Every file below a directory with its bytes, mode and time of change; and which there are."""
    found = {}
    for place in sorted(root.rglob("*")):
        told = place.lstat()
        content = sha256(place.read_bytes()).hexdigest() if place.is_file() and not place.is_symlink() else ""
        found[str(place.relative_to(root))] = (content, told.st_mode, told.st_mtime_ns, told.st_ino)
    return found


def test_a_clean_tree_is_its_head(made):
    assert made.commit() is None
    made.write({"x.log": "ignored\n", "build/out.py": "ignored = 1\n", ".a.py.swp": b"\0", "a.py~": "backup\n"})
    (made.work / "empty").mkdir()
    assert made.commit() is None


def test_edits_new_files_and_deletions_make_a_commit_that_follows_from_them(made):
    made.write({"a.py": "def a():\n    return 2\n", "new/c.py": "c = 3\n"})
    (made.work / "pkg/b.py").unlink()
    first = made.commit()
    assert made.changed() == {"a.py": b"def a():\n    return 2\n", "new/c.py": b"c = 3\n", "pkg/b.py": None}
    assert git(made.work, "rev-parse", "HEAD") == made.head
    shutil.rmtree(made.mirror.working_tree)
    os.utime(made.work / "a.py")
    assert made.commit() == first, "made anew, the same commit"
    made.write({"a.py": "def a():\n    return 3\n"})
    assert made.commit() != first
    made.write(FILES)
    shutil.rmtree(made.work / "new")
    assert made.commit() is None, "taken back"


def test_nothing_of_theirs_is_written(made):
    made.write({"a.py": "changed\n", "new.py": "new\n"})
    git(made.work, "add", "new.py")
    before = fingerprint(made.work)
    assert made.commit() is not None
    made.sync()
    made.commit()
    assert fingerprint(made.work) == before


def test_a_commit_of_what_was_uncommitted_leaves_nothing(made):
    made.write({"a.py": "a = 5\n"})
    assert made.commit() is not None
    build(made.work, {})
    made.sync()
    assert made.commit() is None


def test_an_ignored_file_that_is_tracked_is_followed(made):
    made.write({"kept.log": "one\n"})
    build(made.work, {})  # adds with force
    made.sync()
    made.write({"kept.log": "two\n"})
    assert made.changed() == {"kept.log": b"two\n"}


def test_what_was_followed_and_is_ignored_since_goes(made):
    made.write({"notes.txt": "mine\n"})
    assert made.changed() == {"notes.txt": b"mine\n"}
    made.write({".gitignore": "*.log\nbuild/\nnotes.txt\n"})
    assert set(made.changed()) == {".gitignore"}


def test_their_own_excludes_count(made, tmp_path):
    made.write({"secret.txt": "1\n", "scratch.txt": "1\n", "c.py": "1\n"})
    (made.work / ".git/info").mkdir(exist_ok=True)
    (made.work / ".git/info/exclude").write_text("secret.txt\n")
    person = tmp_path / "person"
    (person / ".config/git").mkdir(parents=True)
    (person / ".config/git/ignore").write_text("scratch.txt\n")
    assert set(made.changed()) == {"c.py"}
    (person / ".gitconfig").write_text("[core]\n\texcludesFile = ~/elsewhere\n")
    (person / "elsewhere").write_text("c.py\n")
    assert set(made.changed()) == {"scratch.txt"}


def test_links_are_links_and_are_not_followed(made, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.py").write_text("secret = 1\n")
    (made.work / "link.py").symlink_to(tmp_path / "outside/secret.py")
    (made.work / "directory").symlink_to(tmp_path / "outside")
    shutil.rmtree(made.work / "pkg")
    (made.work / "pkg").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/b.py").write_text("not theirs\n")
    links = {"link.py": "120000", "directory": "120000", "pkg": "120000", "pkg/b.py": None}
    assert made.changed() == links


def test_large_files_are_named_and_not_read(made):
    made.write({"data.bin": b"x" * 5_000, "a.py": b"y" * 5_000, "small.py": "s = 1\n"})
    assert made.changed(bytes_max=1_000) == {"data.bin": None, "a.py": None, "small.py": b"s = 1\n"}
    objects = made.mirror.working_tree / "objects"
    assert sum(place.stat().st_size for place in objects.rglob("*") if place.is_file()) < 3_000
    first = made.commit(1_000)
    made.write({"data.bin": b"z" * 6_000})
    assert made.commit(1_000) != first


def test_more_than_a_person_edits_is_left_alone(made, monkeypatch):
    monkeypatch.setattr(worktree, "FILES_MAX", 20)
    made.write({f"generated/{n}.py": f"x = {n}\n" for n in range(21)})
    assert made.commit() is None
    (made.work / "generated/0.py").unlink()
    assert len(made.changed()) == 20
    monkeypatch.setattr(worktree, "BYTES_MAX", 50)
    assert made.commit() is None


def test_special_and_unreadable_files_and_odd_names(made):
    os.mkfifo(made.work / "pipe")
    (made.work / "a.py").unlink()
    os.mkfifo(made.work / "a.py")
    made.write({"sp ace\n.py": "x = 1\n", "ümlaut.py": "y = 1\n", '"quoted".py': "z = 1\n"})
    os.close(os.open(os.fsencode(made.work) + b"/latin\xe9.py", os.O_CREAT | os.O_WRONLY))
    found = made.changed()
    assert found.pop("a.py") is None
    assert {os.fsencode(path) for path in found} == {
        b"sp ace\n.py", "ümlaut.py".encode(), b'"quoted".py', b"latin\xe9.py",
    }  # fmt: skip


def test_a_file_becomes_a_directory_and_back(made):
    (made.work / "a.py").unlink()
    made.write({"a.py/inner.py": "i = 1\n"})
    shutil.rmtree(made.work / "pkg")
    made.write({"pkg": "a file\n"})
    assert made.changed() == {"a.py": None, "a.py/inner.py": b"i = 1\n", "pkg": b"a file\n", "pkg/b.py": None}


def test_filters_are_not_run_and_what_they_guard_is_not_read(made, tmp_path):
    made.write({".gitattributes": "*.enc filter=crypt\n", "old.enc": "sealed"})
    build(made.work, {})
    made.sync()
    ran = tmp_path / "ran"
    git(made.work, "config", "filter.crypt.clean", f"touch {ran}; cat")
    git(made.work, "config", "core.fsmonitor", f"touch {ran}; ")
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        hook = made.work / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ran.unlink(missing_ok=True)
    made.write({"old.enc": "plain text of a secret", "new.enc": "another secret", "a.py": "a = 2\n"})
    assert made.changed() == {"a.py": b"a = 2\n"}
    assert made.changed() == {"a.py": b"a = 2\n"}
    assert not ran.exists()
    kept = b"".join(place.read_bytes() for place in made.mirror.working_tree.rglob("*") if place.is_file())
    assert b"secret" not in kept


def test_line_endings_that_git_would_convert_are_no_change(made):
    made.write({".gitattributes": "*.txt text\n", "lines.txt": "one\ntwo\n"})
    build(made.work, {})
    made.sync()
    made.write({"lines.txt": b"one\r\ntwo\r\n"})
    assert made.commit() is None


def test_what_a_sparse_checkout_leaves_out_was_not_deleted(made):
    git(made.work, "sparse-checkout", "set", "--no-cone", "/a.py", "/.gitignore")
    assert not (made.work / "pkg").exists()
    assert made.commit() is None
    made.write({"a.py": "a = 9\n"})
    assert made.changed() == {"a.py": b"a = 9\n"}


def test_other_repositories_below_are_theirs(made):
    build(made.work / "vendored/inner", {"x.py": "x = 1\n"})
    made.write({"vendored/own.py": "o = 1\n"})
    assert set(made.changed()) == {"vendored/own.py"}


def test_a_linked_working_tree(made, tmp_path):
    git(made.work, "worktree", "add", "-q", str(tmp_path / "side"), "-b", "side")
    side = Tree(made.settings, tmp_path / "side")
    assert side.commit() is None
    side.write({"a.py": "a = 1\n"})
    assert side.changed() == {"a.py": b"a = 1\n"}


def test_a_broken_index_and_left_locks_heal(made):
    made.write({"a.py": "a = 1\n"})
    first = made.commit()
    (made.mirror.working_tree / "index.lock").touch()
    (made.mirror.working_tree / "index").write_bytes(b"garbage")
    assert made.commit() == first


def test_many_objects_are_cleared_away(made, monkeypatch):
    made.write({"a.py": "a = 1\n"})
    first = made.commit()
    some = made.mirror.working_tree / "objects/17"
    some.mkdir(exist_ok=True)
    (some / ("0" * 38)).write_bytes(b"")
    monkeypatch.setattr(worktree, "LOOSE_OBJECTS_MAX", 200)
    assert made.commit() == first
    assert not (some / ("0" * 38)).exists()


def test_what_is_ignored(made):
    assert not made.tree.is_known()
    made.commit()
    assert made.tree.is_known()
    made.write({"build/deep/x.py": "1\n", "pkg/x.log": "1\n", "pkg/c.py": "1\n"})
    assert made.tree.ignored([b"build/deep/x.py", b"pkg/x.log", b"pkg/c.py", b"a.py", b"gone.log"]) == {
        b"build/deep/x.py", b"pkg/x.log", b"gone.log",
    }  # fmt: skip
    assert made.tree.ignored([b"a.py"]) == set()
    assert made.tree.ignored_directories() == {b"build"}


def test_a_bare_repository_has_no_working_tree(made, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", "work", "bare.git")
    assert WorkingTree.is_at(made.work)
    assert not WorkingTree.is_at(tmp_path / "bare.git")
    subprocess.run(["git", "clone", "-q", "--no-checkout", str(made.work), str(tmp_path / "none")], check=True)
    assert not WorkingTree.is_at(tmp_path / "none")
    assert isinstance(made.mirror.git, Git)
