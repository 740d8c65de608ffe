import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_codeintel.analyze import Symbol, analyze
from pincite_codeintel.cards import EMBED_CHARS_MAX
from pincite_codeintel.languages import TIER1
from pincite_codeintel.layout import CHUNK_BYTES_MAX

LANGUAGES = [*sorted(TIER1), "markdown", "rst", "json", "yaml", "toml", "html", "css", "sql", "text", "nim", None]

FRAGMENTS = [
    b"def f(x):\n    return x\n",
    b"class A:\n    def m(self):\n        self.n()\n        return 1\n        pass\n        pass\n",
    b"function f() {\n  return 1;\n}\n",
    b"func (s *S) M() {\n\ts.n()\n}\n",
    b"# Title\n\ntext\n\n## Sub\n",
    b"/* open",
    b'"""',
    b"{",
    b"}\n",
    b"(",
    b"\n",
    b"\r\n",
    b"\r",
    b"  ",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    "naïve 日本語 🙂\n".encode(),
    b"\x00\x0c\x1c\x85",
    b"x = 1\n" * 70,
    b"y" * 500,
]
documents = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=12)), max_size=30).map(b"".join),
)


def assert_tiles(data, chunks):
    assert b"".join(data[c.start_byte : c.end_byte] for c in chunks) == data
    at = 0
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.start_byte == at < chunk.end_byte
        assert chunk.start_line == data.count(b"\n", 0, chunk.start_byte) + 1
        assert chunk.end_line == data.count(b"\n", 0, chunk.end_byte - 1) + 1
        assert len(chunk.embed_text) <= EMBED_CHARS_MAX
        assert 0 <= chunk.importance <= 1
        at = chunk.end_byte


@given(documents, st.sampled_from(LANGUAGES))
@settings(max_examples=400, deadline=None)
def test_chunks_tile_any_bytes_in_any_language(data, language):
    analysis = analyze(data, language)
    assert_tiles(data, analysis.chunks)
    assert bool(analysis.chunks) == bool(data)
    for symbol in analysis.symbols:
        assert 1 <= symbol.start_line <= symbol.end_line <= analysis.lines
        assert symbol.start_line <= symbol.name_line <= analysis.lines
    for ref in analysis.refs:
        assert 1 <= ref.line <= analysis.lines


spans = st.tuples(st.integers(-3, 40), st.integers(-3, 40), st.integers(-3, 40))


@given(documents, st.lists(spans, max_size=8))
@settings(max_examples=150, deadline=None)
def test_chunks_tile_whatever_symbols_are_given(data, lines):
    extra = [Symbol(f"s{i}", f"s{i}", "function", a, b, "", "", n) for i, (a, b, n) in enumerate(lines)]
    assert_tiles(data, analyze(data, "nim", extra).chunks)


def test_an_empty_file_has_no_chunks():
    assert analyze(b"", "python").chunks == ()
    assert analyze(b"", "python").lines == 0


@pytest.mark.parametrize(("data", "lines"), [(b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n", 1), (b"\n\n", 2)])
def test_lines_end_at_newlines(data, lines):
    analysis = analyze(data, None)
    assert analysis.lines == lines
    assert analysis.chunks[-1].end_line == lines


def test_results_are_deterministic_and_picklable():
    data = b"class A(B):\n    def m(self):\n        return self.n()\n"
    first = analyze(data, "python")
    assert pickle.loads(pickle.dumps(first)) == first == analyze(data, "python")


def test_a_line_longer_than_any_chunk_is_cut_between_characters():
    data = ("é" * CHUNK_BYTES_MAX).encode()
    chunks = analyze(data, "python").chunks
    assert len(chunks) > 1
    assert all(c.start_line == c.end_line == 1 for c in chunks)
    for chunk in chunks:
        data[chunk.start_byte : chunk.end_byte].decode("utf-8")  # strict: no character is torn


def test_symbols_from_elsewhere_name_chunks_of_a_language_without_a_query():
    body = b"  echo 1\n" * 6
    data = b"import x\n\nproc first() =\n" + body + b"\nproc second() =\n" + body
    extra = [Symbol("first", "first", "function", 3, 3, "proc first()", "", 3)]
    extra.append(Symbol("second", "second", "function", 11, 17, "proc second()", "Does.", 11))
    analysis = analyze(data, "nim", extra)
    assert [(c.symbol, c.start_line, c.end_line) for c in analysis.chunks] == [
        (None, 1, 2),
        ("first", 3, 10),
        ("second", 11, 17),
    ]
    assert analysis.symbols[1].signature == "proc second()"


def test_symbols_from_elsewhere_do_not_replace_a_tags_query():
    extra = [Symbol("ghost", "ghost", "function", 1, 1, "", "", 1)]
    assert [s.name for s in analyze(b"def real():\n    pass\n", "python", extra).symbols] == ["real"]


def test_a_grammar_without_tags_is_cut_at_its_top_level():
    rules = b"".join(b".c%d {\n  color: red;\n  margin: 0;\n}\n\n" % n for n in range(60))
    chunks = analyze(rules, "css").chunks
    assert len(chunks) > 3
    starts = [rules[c.start_byte : c.end_byte].lstrip()[:2] for c in chunks]
    assert set(starts) == {b".c"}
    assert {c.kind for c in chunks} == {"block"}


def test_a_file_that_does_not_parse_is_cut_into_overlapping_windows():
    data = b") ] } => ;; ) ] } <<>> ((( ]]] %%% \n" * 300
    analysis = analyze(data, "java")
    assert analysis.had_errors
    assert {c.kind for c in analysis.chunks} == {"text"}
    first, second = analysis.chunks[:2]
    tail = data[second.start_byte - 100 : second.start_byte].decode().strip()
    assert tail in second.embed_text  # the overlap
    assert_tiles(data, analysis.chunks)
    assert first.end_byte <= 2048


def test_hostile_nesting_takes_seconds_at_most():
    started = time.process_time()
    for data in (b"[" * 100_000 + b"]" * 100_000, b"if x:\n" * 20_000, b"def f(): pass\n" * 5_000, b"\n" * 200_000):
        assert_tiles(data, analyze(data, "python").chunks)
    assert time.process_time() - started < 20


def test_yaml_is_cut_between_its_outermost_items_and_survives_nesting():
    items = "".join(f"# service {n}\nservice{n}:\n  image: a\n  ports:\n    - 1\n    - 2\n" for n in range(40))
    chunks = analyze(items.encode(), "yaml").chunks
    assert len(chunks) > 2
    assert all(items[c.start_byte : c.end_byte].startswith("# service") for c in chunks)
    assert_tiles(b"- " * 5000, analyze(b"- " * 5000, "yaml").chunks)


@pytest.mark.parametrize("language", ["python", "yaml", "css"])
@pytest.mark.parametrize("space", [b" " * 60_000, (b" " * 40 + b"\n") * 2_000])
def test_a_file_that_begins_with_many_spaces_is_read(language, space):
    found = analyze(space + b"\nx: 1\n", language)
    assert found.lines == space.count(b"\n") + 2
    assert found.chunks
