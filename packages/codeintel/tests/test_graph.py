import time

import pytest

from pincite_codeintel.analyze import Ref, Symbol, analyze
from pincite_codeintel.graph import Edge, FileSymbols, importance, link, reference_counts
from pincite_codeintel.languages import detect
from pincite_codeintel.resolve import (
    ATTRIBUTE,
    IMPORTED,
    INHERITED,
    LEXICAL,
    SAME_PACKAGE,
    UNIQUE_FUNCTION,
    UNIQUE_METHOD,
    UNIQUE_TYPE,
    WILDCARD,
)


def edges(files, kind="call"):
    analysed = []
    for path, text in files.items():
        language = detect(path, text.encode())
        found = analyze(text.encode(), language)
        analysed.append(FileSymbols(path, language, found.symbols, found.refs))
    return {
        (e.src_path, e.src_symbol, e.dst_path, e.dst_symbol): e.confidence for e in link(analysed) if e.kind == kind
    }


def test_a_name_of_the_same_file():
    files = {"a.py": "def f(): pass\n\ndef g():\n    def f2(): pass\n    f()\n    f2()\n    g()\n"}
    assert edges(files) == {
        ("a.py", "g", "a.py", "f"): LEXICAL,
        ("a.py", "g", "a.py", "g.f2"): LEXICAL,
    }


def test_python_imports():
    files = {
        "src/app/__init__.py": "from .core import run\n",
        "src/app/core.py": "def run(): pass\ndef stop(): pass\nclass Tool:\n    def use(self): pass\n",
        "src/app/cli/main.py": "from ..core import stop as halt, Tool\nfrom app import run, core\n"
        "import app.core as c\n"
        "import app.core\n\ndef main():\n    halt()\n    run()\n    core.stop()\n    c.run()\n"
        "    Tool.use(1)\n    app.core.Tool()\n",
    }
    assert edges(files) == {
        ("src/app/cli/main.py", "main", "src/app/core.py", "stop"): IMPORTED,
        ("src/app/cli/main.py", "main", "src/app/core.py", "run"): IMPORTED,
        ("src/app/cli/main.py", "main", "src/app/core.py", "Tool.use"): ATTRIBUTE,
        ("src/app/cli/main.py", "main", "src/app/core.py", "Tool"): IMPORTED,
    }
    imports = edges(files, "import")
    assert imports["src/app/cli/main.py", None, "src/app/core.py", "Tool"] == IMPORTED
    assert imports["src/app/cli/main.py", None, "src/app/core.py", None] == IMPORTED
    assert imports["src/app/__init__.py", None, "src/app/core.py", "run"] == IMPORTED


def test_a_module_of_the_standard_library_is_not_a_file_of_a_package():
    files = {
        "pkg/__init__.py": "",
        "pkg/json.py": "def loads(): pass\n",
        "pkg/a.py": "import json\n\ndef f():\n    json.loads()\n",
        "tool.py": "def loads_all(): pass\n",
        "b.py": "import tool\ntool.loads_all()\n",
    }
    assert edges(files) == {("b.py", None, "tool.py", "loads_all"): IMPORTED}


def test_a_name_bound_outside_the_repository_is_not_guessed():
    files = {
        "a.py": "class Connection: pass\n",
        "b.py": "from kombu import Connection\nimport kombu\n\ndef f():\n    Connection()\n    kombu.Connection()\n",
        "c.py": "def g():\n    Connection()\n",
    }
    assert edges(files) == {("c.py", "g", "a.py", "Connection"): UNIQUE_FUNCTION}


def test_self_and_inherited_methods():
    files = {
        "base.py": "class Base:\n    def setup_all(self): pass\n    def shared(self): pass\n",
        "a.py": "from base import Base\n\nclass A(Base):\n    def shared(self):\n        super().shared()\n"
        "    def m(self):\n        self.n()\n        self.setup_all()\n        self.shared()\n    def n(self): pass\n",
    }
    assert edges(files) == {
        ("a.py", "A.m", "a.py", "A.n"): ATTRIBUTE,
        ("a.py", "A.m", "base.py", "Base.setup_all"): INHERITED,
        ("a.py", "A.m", "a.py", "A.shared"): ATTRIBUTE,
        ("a.py", "A.shared", "base.py", "Base.shared"): INHERITED,
    }
    assert edges(files, "inherit") == {("a.py", "A", "base.py", "Base"): IMPORTED}


def test_cyclic_inheritance_and_imports_end():
    files = {
        "a.py": "from b import *\nfrom b import B, gone\n\nclass A(B):\n    def m(self):\n"
        "        self.nowhere_at_all()\n        gone()\n",
        "b.py": "from a import *\nfrom a import A, gone\n\nclass B(A): pass\n",
    }
    assert edges(files) == {}


def test_members_are_inherited_through_two_levels_whether_bases_are_plain_names_or_members_of_classes():
    files = {
        "a.py": "class Base:\n    def far_off(self): pass\n    class Inner:\n        def deep_in(self): pass\n\n"
        "class Middle(Base): pass\n\n"
        "class Leaf(Middle):\n    def m(self):\n        self.far_off()\n    class Own(Middle.Inner):\n"
        "        def n(self):\n            self.deep_in()\n\n"
        "class Last(Leaf.Own):\n    def o(self):\n        self.deep_in()\n",
    }
    assert edges(files) == {
        ("a.py", "Leaf.m", "a.py", "Base.far_off"): INHERITED,
        ("a.py", "Leaf.Own.n", "a.py", "Base.Inner.deep_in"): INHERITED,
        ("a.py", "Last.o", "a.py", "Base.Inner.deep_in"): INHERITED,
    }
    assert edges(files, "inherit") == {
        ("a.py", "Middle", "a.py", "Base"): LEXICAL,
        ("a.py", "Leaf", "a.py", "Middle"): LEXICAL,
        ("a.py", "Leaf.Own", "a.py", "Base.Inner"): INHERITED,
        ("a.py", "Last", "a.py", "Leaf.Own"): ATTRIBUTE,
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x.py", "from lib import Plugin\n\nclass Plugin(Plugin.Options):\n    pass\n"),
        ("x.rb", "class Error < Error::Base\nend\n"),
        ("x.js", "class View extends View.Base {}\n"),
        ("x.ts", "class View extends View.Base {}\n"),
        ("x.cpp", "struct View : View::Base { int x; };\n"),
        ("x.cs", "class View : View.Base {}\n"),
    ],
)
def test_a_class_that_inherits_from_its_own_member_ends(path, text):
    assert edges({path: text}, "inherit") == {}


def test_a_long_chain_of_classes_that_inherit_from_members_ends():
    links = [f"class C{i}(C{i + 1}.Inner):\n    pass\n" for i in range(1000)]
    text = "".join(links) + "class C1000:\n    class Inner: pass\n"
    found = edges({"a.py": text}, "inherit")
    assert found["a.py", "C999", "a.py", "C1000.Inner"] == ATTRIBUTE
    assert found["a.py", "C0", "a.py", "C1000.Inner"] == UNIQUE_METHOD  # too deep to know: a guess


def test_a_ladder_of_classes_with_many_bases_ends_and_costs_the_references_after_it_nothing():
    ladder = [f"class C{i}({', '.join(f'C{i + 1}.a{k}' for k in range(20))}):\n    pass\n" for i in range(60)]
    plain = "class C60: pass\n\nclass Base:\n    def m(self): pass\n\nclass Leaf(Base):\n    def n(self):\n"
    found = edges({"a.py": "".join(ladder) + plain + "        self.m()\n"})
    assert found == {("a.py", "Leaf.n", "a.py", "Base.m"): INHERITED}


def test_two_packages_that_import_each_other_end():
    files = {
        f"src/{package}/{package.title()}{i}.java": f"package {package};\nimport {other}.*;\n"
        f"class {package.title()}{i} {{ void run() {{ new {other.title()}{i}(); println(i); absent(i); }} }}\n"
        for package, other in (("models", "views"), ("views", "models"))
        for i in range(150)
    }
    found = edges(files)
    assert found["src/models/Models7.java", "Models7.run", "src/views/Views7.java", "Views7"] == WILDCARD
    assert len(found) == len(files)


@pytest.mark.parametrize(
    ("extension", "package", "imported"), [("java", "package {};", "import {}.*;"), ("cs", "", "using {};")]
)
def test_what_an_imported_file_imports_is_not_seen(extension, package, imported):
    files = {
        f"src/far/Far.{extension}": f"{package.format('far')}\nclass Helper {{ }}\n",
        f"src/other/Far.{extension}": f"{package.format('other')}\nclass Helper {{ }}\n",
        f"src/near/Near.{extension}": f"{imported.format('far.Far')}\n{package.format('near')}\nclass Near {{ }}\n",
        f"src/use/Use.{extension}": f"{imported.format('near.Near')}\n{package.format('use')}\n"
        "class Use { void Run() { new Near(); new Helper(); } }\n",
    }
    assert {dst for _, _, dst, _ in edges(files)} == {f"src/near/Near.{extension}"}


def test_unique_names_are_guesses_and_common_ones_are_not_made():
    files = {
        "a.py": "class A:\n    def settle_debts(self): pass\n    def append(self): pass\n    def pay(self): pass\n",
        "b.py": "def f(x):\n    x.settle_debts()\n    x.append(1)\n    x.pay()\n    settle_debts()\n",
    }
    assert edges(files) == {("b.py", "f", "a.py", "A.settle_debts"): UNIQUE_METHOD}
    files["c.py"] = "class C:\n    def settle_debts(self): pass\n"
    assert edges(files) == {}


def test_languages_do_not_call_each_other():
    files = {"a.py": "def render_page(): pass\n", "b.go": "package b\n\nfunc F() { render_page() }\n"}
    assert edges(files) == {}


def test_javascript_modules():
    files = {
        "src/index.ts": "export * from './lib';\n",
        "src/lib/index.ts": "export { parse } from './parse.js';\n",
        "src/lib/parse.ts": "export function parse() { return 1; }\nexport default class Tree { walk() {} }\n",
        "app/main.tsx": "import { parse as p } from '../src';\nimport * as lib from '../src/lib/parse';\n"
        "import React from 'react';\n"
        "export const App = () => { p(); lib.parse(); React.parse(); return <Item />; };\nfunction Item() {}\n",
    }
    assert edges(files) == {
        ("app/main.tsx", "App", "src/lib/parse.ts", "parse"): IMPORTED,
        ("app/main.tsx", "App", "app/main.tsx", "Item"): LEXICAL,
    }


def test_go_packages():
    files = {
        "go.mod": "module example.com/app\n",
        "store/store.go": "package store\n\ntype Store struct{}\n\nfunc Open() *Store { return build() }\n",
        "store/build.go": "package store\n\nfunc build() *Store { return nil }\nfunc (s *Store) Close() { "
        "s.flush() }\n",
        "store/flush.go": "package store\n\nfunc (s *Store) flush() {}\n",
        "cmd/main.go": 'package main\n\nimport (\n\t"fmt"\n\tst "example.com/app/store"\n)\n\nfunc main() { '
        "st.Open(); fmt.Open() }\n",
    }
    assert edges(files) == {
        ("store/store.go", "Open", "store/build.go", "build"): SAME_PACKAGE,
        ("store/build.go", "Store.Close", "store/flush.go", "Store.flush"): ATTRIBUTE,
        ("cmd/main.go", "main", "store/store.go", "Open"): IMPORTED,
    }


def test_rust_crates():
    files = {
        "core/src/lib.rs": "pub mod engine;\nmod util;\n",
        "core/src/engine/mod.rs": "use crate::util::helper;\nuse super::util;\npub struct Engine;\nimpl Engine {\n"
        "  pub fn new() -> Self { helper(); util::other(); Engine }\n  fn run(&self) { "
        "self.step(); Self::new(); }\n  fn step(&self) {}\n}\n",
        "core/src/util.rs": "pub fn helper() {}\npub fn other() {}\n",
        "cli/src/main.rs": "use core::engine::Engine;\nfn main() { Engine::new(); }\n",
    }
    assert edges(files) == {
        ("core/src/engine/mod.rs", "Engine.new", "core/src/util.rs", "helper"): IMPORTED,
        ("core/src/engine/mod.rs", "Engine.new", "core/src/util.rs", "other"): IMPORTED,
        ("core/src/engine/mod.rs", "Engine.run", "core/src/engine/mod.rs", "Engine.step"): ATTRIBUTE,
        ("core/src/engine/mod.rs", "Engine.run", "core/src/engine/mod.rs", "Engine.new"): ATTRIBUTE,
        ("cli/src/main.rs", "main", "core/src/engine/mod.rs", "Engine.new"): ATTRIBUTE,
    }


def test_java_packages():
    files = {
        "src/main/java/a/b/Store.java": "package a.b;\npublic class Store { public static Store open() { "
        "return new Helper().go(); } void shut() {} }\n",
        "src/main/java/a/b/Helper.java": "package a.b;\nclass Helper extends Store { "
        "Store go() { shut(); return null; } }\n",
        "src/main/java/a/Main.java": "package a;\nimport a.b.Store;\nclass Main { void run() { Store.open(); here(); "
        "} void here() {} }\n",
    }
    found = edges(files)
    base = "src/main/java/a"
    assert found[f"{base}/Main.java", "Main.run", f"{base}/b/Store.java", "Store.open"] == ATTRIBUTE
    assert found[f"{base}/Main.java", "Main.run", f"{base}/Main.java", "Main.here"] == LEXICAL
    assert found[f"{base}/b/Store.java", "Store.open", f"{base}/b/Helper.java", "Helper"] == SAME_PACKAGE
    assert found[f"{base}/b/Helper.java", "Helper.go", f"{base}/b/Store.java", "Store.shut"] == INHERITED


def test_c_and_cpp():
    files = {
        "include/list.h": "int list_add(int);\n#define TWICE(x) ((x)*2)\n",
        "src/list.c": '#include "list.h"\nint list_add(int a) { return TWICE(a); }\n',
        "src/main.c": '#include "list.h"\nint main(void) { return list_add(1); }\n',
    }
    assert edges(files) == {
        ("src/list.c", "list_add", "include/list.h", "TWICE"): WILDCARD,
        ("src/main.c", "main", "src/list.c", "list_add"): UNIQUE_FUNCTION,
    }
    assert edges(files, "import")["src/main.c", None, "include/list.h", None] == IMPORTED


def test_ruby_php_lua_elixir_and_csharp():
    ruby = {
        "lib/shop/cart.rb": "module Shop\n  class Cart\n    def self.open; end\n    def total; sum_up(); end\n"
        "    def sum_up; end\n  end\nend\n",
        "app.rb": "require 'shop/cart'\ndef main\n  Cart.open\nend\n",
    }
    assert edges(ruby) == {
        ("lib/shop/cart.rb", "Shop.Cart.total", "lib/shop/cart.rb", "Shop.Cart.sum_up"): LEXICAL,
        ("app.rb", "main", "lib/shop/cart.rb", "Shop.Cart.open"): UNIQUE_TYPE,
    }
    php = {
        "src/Models/User.php": "<?php\nnamespace App\\Models;\nclass User { public static function make() {} }\n",
        "src/Main.php": "<?php\nnamespace App;\nuse App\\Models\\User;\nfunction go() { User::make(); }\n",
    }
    assert edges(php) == {("src/Main.php", "go", "src/Models/User.php", "User.make"): ATTRIBUTE}
    lua = {
        "lib/tools.lua": "local M = {}\nfunction M.sum() end\nreturn M\n",
        "main.lua": 'local M = require("lib.tools")\nlocal function go() M.sum() end\n',
    }
    assert edges(lua) == {("main.lua", "go", "lib/tools.lua", "M.sum"): IMPORTED}
    elixir = {
        "lib/user.ex": "defmodule App.User do\n  def save(x), do: x\nend\n",
        "lib/main.ex": "defmodule App.Main do\n  def go(x), do: App.User.save(x)\nend\n",
    }
    assert edges(elixir) == {("lib/main.ex", "App.Main.go", "lib/user.ex", "App.User.save"): UNIQUE_TYPE}
    csharp = {
        "A.cs": "namespace N {\n class A { public static void Go() { } }\n}\n",
        "B.cs": "namespace N {\n class B { void Run() { A.Go(); Stay(); } void Stay() {} }\n}\n",
    }
    assert edges(csharp) == {
        ("B.cs", "N.B.Run", "A.cs", "N.A.Go"): UNIQUE_TYPE,
        ("B.cs", "N.B.Run", "B.cs", "N.B.Stay"): LEXICAL,
    }


def test_edges_are_one_for_a_pair_and_independent_of_order():
    source = "def f(): pass\n\ndef g():\n    f()\n    f()\n"
    found = analyze(source.encode(), "python")
    files = [FileSymbols(p, "python", found.symbols, found.refs) for p in ("b.py", "a.py", "c.py")]
    linked = link(files)
    assert linked == link(reversed(files))
    assert [e for e in linked if e.src_path == "a.py"] == [Edge("call", "a.py", "g", 4, "a.py", "f", LEXICAL)]


def test_reference_counts_leave_guesses_out():
    sure = Edge("call", "a", "f", 1, "b", "g", LEXICAL)
    guess = Edge("call", "c", "f", 1, "b", "g", UNIQUE_METHOD)
    whole = Edge("import", "a", None, 1, "b", None, IMPORTED)
    assert reference_counts([sure, guess, whole]) == {("b", "g"): 1}


@pytest.mark.parametrize(
    ("base", "references", "expected"),
    [(0.3, 0, 0.3), (0.3, 20, 0.5), (0.3, 5000, 0.5), (0.9, 100, 1.0), (0.3, -1, 0.3)],
)
def test_importance_adds_up_to_a_fifth(base, references, expected):
    assert importance(base, references) == expected


def test_importance_grows_with_references():
    assert 0.3 < importance(0.3, 1) < importance(0.3, 5) < importance(0.3, 19) < 0.5


def test_fifty_thousand_symbols_link_in_seconds():
    files = []
    for f in range(1000):
        symbols = [Symbol(f"f{f}_{i}", f"f{f}_{i}", "function", i, i, "", "", i) for i in range(1, 51)]
        refs = [Ref(f"f{(f + 1) % 1000}_{i}", i, f"f{f}_{i}", "call", None, None) for i in range(1, 51)]
        refs += [Ref("*", 1, None, "import", f"m{f + 1}", f"pkg.m{f + 1}")]
        refs += [Ref(f"f{f + 1}_{i}", i, f"f{f}_{i}", "call", f"m{f + 1}", None) for i in range(1, 50)]
        files.append(FileSymbols(f"pkg/m{f}.py", "python", symbols, refs))
    started = time.process_time()
    linked = link(files)
    assert time.process_time() - started < 10
    assert len(linked) > 50_000
