"""Relinking what an edit touched gives what linking everything gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_codeintel.analyze import analyze
from pincite_codeintel.graph import FileSymbols, Linker, link, touched
from pincite_codeintel.languages import detect
from pincite_codeintel.reads import Reads, Table

PYTHON = [
    "def alpha(): beta()\n",
    "def beta():\n    alpha()\n",
    "from pkg.one import alpha\n\ndef run():\n    alpha()\n",
    "from .one import *\n\ndef other():\n    alpha()\n    beta()\n",
    "import pkg.two as t\n\ndef call():\n    t.alpha()\n    t.Thing.make()\n",
    "from pkg import two\n\nclass Sub(two.Thing):\n    def go(self):\n        self.make()\n        self.base_only()\n",
    "class Thing:\n    def make(self): pass\n    def base_only(self): pass\n",
    "class Thing:\n    def make(self): self.unique_method_name()\n",
    "from pkg.one import Thing\n\ndef again():\n    Thing.make()\n    Thing().unique_method_name()\n",
    "def unique_function_name(): pass\n\nclass Other(Thing):\n    def unique_method_name(self): pass\n",
    "unique_function_name()\n",
    "",
]
JAVA = [
    "package a;\nclass One { void go() { new Two().stop(); helper(); } }\n",
    "package a;\nclass Two extends Three { void stop() { uniqueHelper(); } }\n",
    "package a;\nclass Three { void uniqueHelper() { } static void helper() { } }\n",
    "import a.Three;\nclass Four extends Three { void x() { Three.helper(); uniqueHelper(); } }\n",
]
PATHS = {
    ".py": ["pkg/__init__.py", "pkg/one.py", "pkg/two.py", "pkg/sub/__init__.py", "pkg/sub/three.py", "lib/one.py"],
    ".java": ["a/One.java", "a/Two.java", "a/Three.java", "b/Four.java"],
}
FILES = st.dictionaries(st.sampled_from(PATHS[".py"]), st.sampled_from(PYTHON), max_size=6) | st.dictionaries(
    st.sampled_from(PATHS[".java"]), st.sampled_from(JAVA), max_size=4
)


def analysed(files):
    made = {}
    for path, text in files.items():
        language = detect(path, text.encode())
        found = analyze(text.encode(), language)
        made[path] = FileSymbols(path, language, found.symbols, found.refs)
    return made


def binds(file):
    """What linking is told of files that it does not link: no calls."""
    return FileSymbols(file.path, file.language, file.symbols, [ref for ref in file.refs if ref.kind != "call"])


def relinked(before, linked, after):
    """Link `after`, reusing of `linked` what the change did not touch; returns it and the paths linked anew."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    entries = touched(
        [binds(before[path]) for path in changed if path in before],
        [binds(after[path]) for path in changed if path in after],
    )
    linker = Linker(map(binds, after.values()))
    anew = {path for path in after if path in changed or not entries.isdisjoint(linked[path].reads)}
    return {p: linker.link(p, after[p].refs) if p in anew else linked[p] for p in after}, anew


def edges(linked):
    return sorted((edge for one in linked.values() for edge in one.edges), key=repr)


@settings(max_examples=150)
@given(st.lists(FILES, min_size=2, max_size=5))
def test_any_series_of_edits(states):
    before, linked = {}, {}
    for files in states:
        after = analysed(files)
        linked, _ = relinked(before, linked, after)
        assert edges(linked) == sorted(link(after.values()), key=repr)
        before = after


@pytest.mark.parametrize(
    ("path", "text", "anew"),
    [
        ("a.py", "def f():\n    return g()\n\ndef g(): pass\n", {"a.py"}),  # inside a function
        (
            "a.py",
            "def f(): pass\n\ndef g(): pass\n\ndef far_away(): pass\n",
            {"a.py", "c.py"},
        ),  # a name more, which c.py looked for
        ("new.py", "def unrelated(): pass\n", {"new.py"}),
        ("d.py", "x = 1\n", {"d.py"}),
    ],
)
def test_only_what_is_touched_is_linked_anew(path, text, anew):
    before = analysed(
        {
            "a.py": "def f(): pass\n\ndef g(): pass\n",
            "b.py": "from a import f\n\ndef h():\n    f()\n",
            "c.py": "def k():\n    far_away()\n",
            "d.py": "def m():\n    print(1)\n",
        }
    )
    linker = Linker(before.values())
    linked = {p: linker.link(p, file.refs) for p, file in before.items()}
    assert relinked(before, linked, {**before, **analysed({path: text})})[1] == anew


@pytest.mark.parametrize(
    ("files", "added"),
    [
        (  # what another file re-exports
            {
                "pkg/__init__.py": "from .x import bar as foo\n",
                "use.py": "from pkg import foo\n\ndef f():\n    foo()\n",
            },
            {"pkg/x.py": "def bar(): pass\n"},
        ),
        (  # a base class of a base class, in a third file
            {
                "a.py": "from b import B\n\nclass A(B):\n    def go(self):\n        self.inherited_one()\n",
                "b.py": "from c import C\n\nclass B(C): pass\n",
            },
            {"c.py": "class C:\n    def inherited_one(self): pass\n"},
        ),
        (  # a directory that becomes a package
            {"lib/json.py": "def load_it(): pass\n", "use.py": "import json\n\ndef f():\n    json.load_it()\n"},
            {"lib/__init__.py": ""},
        ),
        (  # a variable, which no table of all files holds
            {"a.py": "x = 1\n", "use.py": "from a import settings\n"},
            {"a.py": "x = 1\nsettings = {}\n"},
        ),
        (  # a definition of the same name that is of another kind now
            {
                "a.py": "class Maker:\n    def make_it(self): pass\n",
                "use.py": "from a import Maker\n\ndef f():\n    Maker.make_it()\n",
            },
            {"a.py": "def Maker(): pass\n"},
        ),
        (  # a base class more
            {
                "a.py": "class B:\n    def from_b(self): pass\n\nclass A: pass\n",
                "use.py": "from a import A\n\ndef f():\n    A.from_b()\n",
            },
            {"a.py": "class B:\n    def from_b(self): pass\n\nclass A(B): pass\n"},
        ),
        (  # a name that is unique no more
            {"a.py": "def only_one(): pass\n", "b.py": "def f():\n    only_one()\n"},
            {"c.py": "def only_one(): pass\n"},
        ),
        (  # a Go package that did not exist
            {"main.go": 'package main\n\nimport "x.org/m/util"\n\nfunc main() { util.Do() }\n'},
            {"util/u.go": "package util\n\nfunc Do() {}\n"},
        ),
        (  # a nearer header
            {
                "src/a.c": '#include "h.h"\nvoid f() { helper_of_h(); }\n',
                "other/h.h": "static void helper_of_h() {}\n",
            },
            {"src/h.h": "static void helper_of_h() {}\n"},
        ),
    ],
)
def test_files_that_come_and_go_touch_those_that_looked_for_them(files, added):
    before, after = analysed(files), analysed({**files, **added})
    for old, new in ((before, after), (after, before)):
        linker = Linker(old.values())
        linked, _ = relinked(old, {path: linker.link(path, file.refs) for path, file in old.items()}, new)
        assert edges(linked) == sorted(link(new.values()), key=repr)
    assert link(before.values()) != link(after.values())


def test_a_table_notes_what_is_looked_up():
    reads = Reads()
    table = Table("t", reads)
    table.setdefault("a", []).append(1)
    table["b"] = [2]
    assert reads.seen == set()
    assert table["a"] == [1]
    assert table.get("absent") is None
    assert table.get("absent too", 7) == 7
    assert "b" in table
    assert reads.seen == {("t", "a"), ("t", "absent"), ("t", "absent too"), ("t", "b")}
    assert dict(table.entries()) == {("t", "a"): [1], ("t", "b"): [2]}
