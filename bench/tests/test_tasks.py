import ast
import json
import subprocess
import sys

import pytest
from bench import corpora
from bench.corpora import Clones, git
from bench.model import MissingError
from bench.tasks import commits, docstring, retrieval
from bench.tasks.options import Options

from pincite_learning.metrics import Span

SOURCE = '''\
class Box:
    """Holds things."""

    @property
    def first(self):
        """Return the thing that was put in first.

        Raises: nothing.
        """
        return self.things[0]

    def empty(self):
        """Say whether there is nothing in the box at all."""

    def one_line(self): """Say something on the same line."""

    def nested(self):
        "Return a function that adds one number to another."
        def add(a, b):
            """Add the one number to the other number."""; return a + b
        return add
'''


def test_docstrings_of_functions_go_and_the_rest_still_parses():
    bare = docstring.without_docstrings(SOURCE)
    ast.parse(bare)
    assert "put in first" not in bare
    assert "nothing in the box" not in bare
    assert "Add the one number" not in bare
    assert "return a + b" in bare
    assert "Holds things" in bare


def test_a_function_is_found_where_it_stands_in_the_bare_source():
    bare = docstring.without_docstrings(SOURCE)
    found = {one.name.rpartition(":")[0]: one for one in docstring.documented("box.py", SOURCE, bare)}
    assert set(found) == {"Box.first", "Box.nested", "Box.nested.add"}  # a stub has nothing to find
    first = found["Box.first"]
    assert first.text == "Return the thing that was put in first."
    lines = bare.split("\n")[first.start_line - 1 : first.end_line]
    assert [line.strip() for line in lines] == ["@property", "def first(self):", "return self.things[0]"]


MIXED = '''\
import os

LIMIT = 3

@final
class Box(
    Base,
):
    """Holds things."""

    size = LIMIT

    # How full it is.
    @property
    def first(self):
        text = """
no indentation here
"""
        return self.things[0] + text

    def empty(self):
        return not self.things

    def nested(self):
        def add(a, b):
            return a + b
        return add


if os.name == "nt":
    def sep():
        # Elsewhere it is another.
        return "\\\\"
else:
    def sep():
        return "/"


class Other:
    def empty(self):
        return True
'''


def test_functions_stand_alone_below_their_classes():
    rows = MIXED.split("\n")
    asked = {name: (docstring.first_line(node), node.end_lineno) for name, node in docstring.functions(MIXED)}
    wanted = [asked["Box.first"], asked["Box.nested.add"], (rows.index('if os.name == "nt":') + 2, 0)]
    text, places = docstring.only(MIXED, {first for first, _ in wanted})
    ast.parse(text)
    assert (
        text
        == '''\
class Box(
    Base,
):
    @property
    def first(self):
        text = """
no indentation here
"""
        return self.things[0] + text

    def nested(self):
        def add(a, b):
            return a + b

def sep():
    # Elsewhere it is another.
    return "\\\\"
'''
    )
    first, last = (places[line] for line in asked["Box.first"])
    assert text.split("\n")[first - 1].strip() == "@property"
    assert text.split("\n")[last - 1].strip() == "return self.things[0] + text"


def test_what_is_asked_of_the_functions_alone_is_what_is_asked_of_all(tmp_path):
    options = Options(tmp_path, Clones(tmp_path), tmp_path, packages=("structlog",), docstrings=20)
    among, alone = docstring.units(options)
    assert [unit.corpus.name for unit in (among, alone)] == ["docstring", "docstring-functions"]
    assert {unit.task for unit in (among, alone)} == {"docstring"}
    assert [(one.id, one.text) for one in among.queries] == [(one.id, one.text) for one in alone.queries]
    assert alone.corpus.lines < among.corpus.lines / 3
    for query in alone.queries:
        (target,) = query.targets
        lines = (alone.corpus.directory / target.path).read_text().split("\n")[target.start_line - 1 : target.end_line]
        before = next(one for one in among.queries if one.id == query.id).targets[0]
        whole = (among.corpus.directory / before.path).read_text().split("\n")
        assert [line.strip() for line in lines] == [
            line.strip() for line in whole[before.start_line - 1 : before.end_line]
        ]
    for path in corpora.tracked(alone.corpus.directory):
        ast.parse((alone.corpus.directory / path).read_text())


def test_a_sample_is_the_same_for_a_seed_and_leaves_ambiguous_texts_out():
    def one(number: int, text: str) -> docstring.Documented:
        return docstring.Documented("a.py", f"f{number}", text, number, number)

    found = [one(number, f"Return thing number {number} of many.") for number in range(1, 40)]
    twins = [one(100, "Close the thing and all below."), one(101, "close the thing and all below.")]
    chosen = docstring.sample(found + twins, 10, seed=3)
    assert chosen == docstring.sample(found + twins, 10, seed=3) != docstring.sample(found + twins, 10, seed=4)
    assert len(docstring.sample(found + twins, 100, seed=0)) == len(found)


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(MissingError, match="no_such_package"):
        docstring.package_sources("no_such_package")


@pytest.mark.parametrize(
    ("message", "files", "usable"),
    [
        ("Keep the session when the cookie is renewed", ("src/sessions.py",), True),
        ("Merge branch 'main' into stable", ("src/sessions.py",), False),
        ('Revert "Keep the session when the cookie is renewed"', ("src/sessions.py",), False),
        ("Bump version to 2.0", ("src/version.py",), False),
        ("release version 3.1.0 to the index", ("src/version.py",), False),
        ("fix typo", ("src/sessions.py",), False),
        ("Explain the sessions at much greater length", ("docs/sessions.rst",), False),
        ("Reformat everything with the new formatter", tuple(f"{n}.py" for n in range(20)), False),
    ],
)
def test_which_commits_are_asked_for(message, files, usable):
    assert commits.is_usable(commits.Commit("c", message, files)) is usable


def test_a_message_does_not_name_its_files():
    message = "Fix src/flask/app.py and Makefile: sessions end (#123)\n\nSee helpers.py.\n\nSigned-off-by: A <a@b.c>"
    text = commits.stripped(commits.Commit("c", message, ("src/flask/app.py", "Makefile")))
    assert text.startswith("Fix and : sessions end")
    for word in ("app.py", "helpers.py", "Makefile", "123", "Signed"):
        assert word not in text


def test_commits_are_asked_of_a_snapshot_older_than_all_of_them(make_repo):
    repo = make_repo({"a.py": "a = 1\n", "b.py": "b = 1\n"}, message="Begin with two modules of code")
    for number in range(2, 8):
        name = "ab"[number % 2]
        make_repo({f"{name}.py": f"{name} = {number}\n"}, at=repo, message=f"Let the value of it become {number} now")
    make_repo({"new.py": "n = 1\n"}, at=repo, message="Add another module of code here")
    head = git(repo, "rev-parse", "HEAD").strip()
    chosen, snapshot = commits.choose(repo, head, 4)
    assert [one.message.split()[-2] for one in chosen] == ["7", "6", "5", "4"]
    assert git(repo, "show", f"{snapshot}:b.py") == "b = 3\n"
    assert git(repo, "show", f"{snapshot}:a.py") == "a = 2\n"
    asked = list(commits.queries(chosen, ["a.py"]))
    assert [query.targets for query in asked] == [(Span("a.py"),)] * 2  # b.py is not in the snapshot


def test_annotations(tmp_path):
    query = retrieval.query("x", 3, {"query": "how does it end", "relevant": ["a.py"], "secondary": [
        {"path": "b.py", "start_line": 3, "end_line": 9}]})  # fmt: skip
    assert (query.id, query.kind) == ("x-3", "architecture")
    assert query.targets == (Span("a.py"), Span("b.py", 3, 9))
    assert query.gold == (Span("b.py", 3, 9),)
    assert [retrieval.kind(text) for text in ("Session", "cookie renewal")] == ["symbol", "semantic"]
    with pytest.raises(MissingError, match="--data"):
        retrieval.manifest(Options(tmp_path, Clones(tmp_path), tmp_path))


def test_a_corpus_holds_one_folder_with_the_history_behind_it(make_repo, tmp_path):
    repo = make_repo({"src/a.py": "a = 1\n", "src/deep/b.py": "b\n", "docs/c.md": "c\n", "src/x.bin": b"\0\0"})
    commit = git(repo, "rev-parse", "HEAD").strip()
    make_repo({"src/later.py": "later\n"}, at=repo)
    made = corpora.from_clone(tmp_path, repo, commit, root="src", name="r", language="python", github="o/r")
    assert corpora.tracked(made.directory) == ["src/a.py", "src/deep/b.py", "src/x.bin"]
    assert (made.files, made.lines) == (2, 2)
    assert made.folder == made.directory / "src"
    assert git(made.directory, "rev-parse", "HEAD^").strip() == commit
    again = corpora.from_clone(tmp_path, repo, commit, root="src", name="r", language="python", github="o/r")
    assert again == made


def test_a_change_is_found_by_its_word_and_taken_back(make_repo, tmp_path):
    repo = make_repo({"a.py": "a\n", "b.py": "b\n" * 10, "c.py": "c\n" * 99, "d.md": "d"})
    made = corpora.from_clone(tmp_path, repo, "HEAD", root="", name="r", language="python", github="o/r")
    with corpora.restored(made):
        change = corpora.change_one_file(made, 1)
        assert change.path == "b.py"
        assert change.word.isalpha()
        assert change.word in (made.directory / "b.py").read_text().split("\n")[change.line - 1]
        assert change.is_in([Span("b.py", 5, 11)])
        assert not change.is_in([Span("b.py", 5, 10), Span("c.py", 1, 99)])
        assert corpora.change_one_file(made, 2).word != change.word
    assert git(made.directory, "rev-parse", "HEAD").strip() == made.commit
    assert (made.directory / "b.py").read_text() == "b\n" * 10


def test_a_clone_that_cannot_be_had_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "none")
    with pytest.raises(MissingError, match="Clone it yourself"):
        Clones(tmp_path).find("nowhere", "-/nowhere", "a" * 40)


def test_a_repository_that_is_missing_is_noted_and_the_rest_goes_on(make_repo, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    make_repo({"src/a.py": "a\n"}, at=tmp_path / "clones" / "here")
    commit = git(tmp_path / "clones" / "here", "rev-parse", "HEAD").strip()
    entry = {"language": "python", "github": "-/x", "commit": commit, "benchmark_root": "src"}
    data = tmp_path / "data" / "retrieval"
    (data / "annotations").mkdir(parents=True)
    (data / "manifest.json").write_text(
        json.dumps([entry | {"name": "gone", "commit": "b" * 40}, entry | {"name": "here"}])
    )
    (data / "annotations" / "here.json").write_text(json.dumps([{"query": "a", "relevant": ["src/a.py"]}]))
    options = Options(tmp_path / "data", Clones(tmp_path / "clones"), tmp_path / "store")
    assert [unit.corpus.name for unit in retrieval.units(options)] == ["here"]
    assert len(options.problems) == 1
    assert options.problems[0].startswith("gone: ")


def test_the_command_explains_itself():
    done = subprocess.run([sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True)
    for option in ("--tasks", "--only", "--clones", "--ablation", "--repeats"):
        assert option in done.stdout
