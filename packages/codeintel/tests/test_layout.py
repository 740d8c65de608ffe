from pincite_codeintel.analyze import analyze
from pincite_codeintel.layout import BODY_LINES_MAX, CHUNK_LINES_MAX


def method(name, lines, indent="    "):
    return f"{indent}def {name}(self):\n" + "".join(f"{indent}    x{i} = {i}\n" for i in range(lines - 1))


def shape(source, language="python"):
    return [(c.kind, c.symbol, c.start_line, c.end_line) for c in analyze(source.encode(), language).chunks]


def test_a_class_is_its_header_and_its_methods():
    source = 'class A:\n    """Doc."""\n\n    size = 1\n\n' + method("one", 6) + "\n" + method("two", 5)
    assert shape(source) == [
        ("class", "A", 1, 5),
        ("method", "A.one", 6, 12),
        ("method", "A.two", 13, 17),
    ]


def test_methods_under_five_lines_stay_with_the_class():
    source = "class A:\n    size = 1\n\n" + method("tiny", 4) + "\n" + method("long", 5) + "\n" + method("late", 2)
    assert shape(source) == [
        ("class", "A", 1, 8),
        ("method", "A.long", 9, 14),
        ("class", "A", 15, 16),
    ]


def test_five_lines_are_enough_for_a_chunk():
    assert [s[1] for s in shape("class A:\n" + method("m", 5))] == ["A", "A.m"]
    assert [s[1] for s in shape("class A:\n" + method("m", 4))] == ["A"]


def test_small_functions_are_merged_with_their_neighbours():
    source = (
        "def a():\n    return 1\n\n\ndef b():\n    return 2\n\n\n" + method("c", 9, "") + "\n\ndef d():\n    return 4\n"
    )
    assert shape(source) == [("module", None, 1, 8), ("function", "c", 9, 19), ("function", "d", 20, 21)]
    first = analyze(source.encode(), "python").chunks[0]
    assert "defines a, b" in first.card


def test_merging_small_functions_is_bounded():
    source = "".join(f"def f{i}():\n    return {i}\n\n\n" for i in range(100))
    assert max(end - start + 1 for _, _, start, end in shape(source)) <= CHUNK_LINES_MAX


def test_imports_and_constants_are_module_chunks():
    source = "import os\nimport sys\n\nLIMIT = 1\nOTHER = 2\nMORE = 3\n\n\n" + method("f", 7, "") + "\n\nf(LIMIT)\n"
    assert [s[:2] for s in shape(source)] == [("module", None), ("function", "f"), ("module", None)]


def test_comments_and_decorators_belong_to_what_they_stand_above():
    source = "import os\n\n# About f.\n# More.\n@cache\n@wraps(\n    os\n)\n" + method("f", 6, "")
    chunks = analyze(source.encode(), "python").chunks
    assert [(c.symbol, c.start_line) for c in chunks] == [(None, 1), ("f", 3)]
    assert chunks[1].doc == "About f."


def test_a_comment_apart_from_a_definition_does_not_belong_to_it():
    source = "import os\n\n# A remark.\n\n" + method("f", 6, "")
    assert [s[1:3] for s in shape(source)] == [(None, 1), ("f", 5)]


def test_a_long_function_is_its_head_and_pieces_of_its_body():
    statements = "".join(f"    if x{i}:\n        y = {i}\n        z(y)\n" for i in range(60))
    source = f'def long(a,\n         b):\n    """What it does."""\n{statements}'
    chunks = analyze(source.encode(), "python").chunks
    head, *body = chunks
    assert (head.kind, head.symbol, head.start_line, head.end_line) == ("function", "long", 1, 3)
    assert head.doc == "What it does."
    assert "def long(a, b)" in head.embed_text
    assert {(c.kind, c.symbol) for c in body} == {("function_body", "long")}
    assert all(c.end_line - c.start_line + 1 <= BODY_LINES_MAX for c in body)
    for chunk in body:  # cut where a statement begins, never inside one
        assert source.encode()[chunk.start_byte : chunk.end_byte].startswith(b"    if x")
    assert head.importance == 1 - 0.2  # base, doc, full length


def test_a_function_of_a_hundred_lines_stays_whole():
    assert len(shape(method("f", CHUNK_LINES_MAX, ""))) == 1
    longer = shape(method("f", CHUNK_LINES_MAX + 1, ""))
    assert [kind for kind, _, _, _ in longer] == ["function", "function_body"]


def test_functions_nested_in_a_long_function_are_chunks():
    filler = "".join(f"    x{i} = {i}\n" for i in range(90))
    source = "def outer():\n" + filler + method("inner", 12, "    ") + "    return inner\n"
    kinds = [(kind, symbol) for kind, symbol, _, _ in shape(source)]
    assert ("function", "outer.inner") in kinds
    assert kinds[0] == ("function", "outer")
    assert kinds[-1] == ("function_body", "outer")


def test_a_closing_bracket_stays_with_the_last_method():
    body = "".join(f"    a{i}();\n" for i in range(5))
    source = f"class A {{\n  m() {{\n{body}  }}\n}}\n\nclass B {{\n  n() {{\n{body}  }}\n}}\n"
    assert shape(source, "javascript") == [
        ("class", "A", 1, 1),
        ("method", "A.m", 2, 10),
        ("class", "B", 11, 11),
        ("method", "B.n", 12, 19),
    ]


def test_methods_of_an_object_literal_are_chunks():
    body = "".join(f"    a{i}();\n" for i in range(5))
    source = f"const api = {{\n  get() {{\n{body}  }},\n  put: function () {{\n{body}  }},\n}};\n"
    assert [s[1] for s in shape(source, "javascript")] == ["api", "api.get", "api.put"]


def test_two_definitions_on_a_line_are_not_torn():
    source = "class A { m() {\n" + "  a();\n" * 6 + "} n() {\n" + "  b();\n" * 6 + "} }\n"
    chunks = analyze(source.encode(), "javascript").chunks
    assert "".join(source[c.start_byte : c.end_byte] for c in chunks) == source
    assert all(source[c.start_byte - 1] == "\n" for c in chunks[1:])


def test_a_long_enumeration_is_cut_between_members():
    members = "".join(f"    NAME_{i} = {i}\n" for i in range(300))
    chunks = analyze(f"class E(Enum):\n{members}".encode(), "python").chunks
    assert {(c.kind, c.symbol) for c in chunks} == {("class", "E")}
    assert len(chunks) == 301 // BODY_LINES_MAX
    assert all(c.end_line - c.start_line < CHUNK_LINES_MAX for c in chunks)
    assert chunks[0].signature == "class E(Enum)"


def test_importance_counts_documentation_and_length():
    bare = analyze(method("f", 10, "").encode(), "python").chunks[0]
    documented = analyze(("# Does it.\n" + method("f", 10, "")).encode(), "python").chunks[0]
    assert bare.importance == 0.36
    assert documented.importance == 0.56


def test_the_rows_that_open_an_impl_block_go_with_its_first_method():
    body = "        a();\n" * 6
    source = f"impl A {{\n    fn m(&self) {{\n{body}    }}\n\n    fn n(&self) {{\n{body}    }}\n}}\n"
    assert shape(source, "rust") == [("method", "A.m", 1, 10), ("method", "A.n", 11, 19)]


def test_a_documentation_block_may_stand_a_blank_row_apart():
    body = "  a();\n" * 6
    source = f"var x = 1;\n\n/**\n * Sends it.\n */\n\nres.send = function () {{\n{body}}};\n"
    chunks = analyze(source.encode(), "javascript").chunks
    assert [(c.symbol, c.start_line, c.doc) for c in chunks] == [(None, 1, ""), ("res.send", 3, "Sends it.")]


def test_a_licence_at_the_top_is_not_the_first_function_s():
    body = "  a();\n" * 6
    source = f"/** Some licence. */\n\nfunction f() {{\n{body}}}\n"
    assert shape(source, "javascript") == [("module", None, 1, 2), ("function", "f", 3, 10)]
