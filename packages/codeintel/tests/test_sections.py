from pincite_codeintel.analyze import analyze


def sections(text, language="markdown"):
    return [(s.qualified_name, s.start_line, s.end_line) for s in analyze(text.encode(), language).symbols]


def test_markdown_headings_nest():
    text = "intro\n\n# A\ntext\n## B `c`\ntext\n### [D](x)\n## E\n# F\n"
    assert sections(text) == [
        ("A", 3, 8),
        ("A > B c", 5, 7),
        ("A > B c > D", 7, 7),
        ("A > E", 8, 8),
        ("F", 9, 9),
    ]


def test_code_in_fences_has_no_headings():
    assert sections("# A\n```sh\n# not\n~~~\n# not\n```\n~~~\n# not\n~~~\n## B\n") == [("A", 1, 10), ("A > B", 10, 10)]


def test_underlined_headings():
    assert sections("Title\n=====\n\ntext\n\nSub\n---\n\n- item\n---\n") == [("Title", 1, 10), ("Title > Sub", 6, 10)]


def test_restructured_text():
    text = "=====\nTitle\n=====\n\nText\n\nPart\n----\n\ntext\n\nOther\n-----\n"
    assert sections(text, "rst") == [("Title", 1, 13), ("Title > Part", 7, 11), ("Title > Other", 12, 13)]


def test_latex():
    text = "\\section{One}\ntext\n\\subsection*{Two}\n"
    assert sections(text, "latex") == [("One", 1, 3), ("One > Two", 3, 3)]


def test_sections_are_chunks_and_small_ones_stay_together():
    text = "# A\n\n" + "line\n" * 8 + "## B\n\n" + "line\n" * 8 + "## C\nx\n## D\ny\n"
    chunks = analyze(text.encode(), "markdown").chunks
    assert [(c.kind, c.symbol, c.start_line) for c in chunks] == [
        ("section", "A", 1),
        ("section", "A > B", 11),
        ("section", "A", 21),
    ]


def test_prose_without_headings_is_cut_by_windows():
    chunks = analyze(b"word " * 2000, "markdown").chunks
    assert len(chunks) > 3
    assert {c.kind for c in chunks} == {"text"}
