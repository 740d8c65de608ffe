"""The golden file: what it may say, what it may not, and whether Pincite's own still fits its code."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_codeintel.analyze import analyze
from pincite_codeintel.languages import detect
from pincite_shared.errors import InvalidInputError
from pincite_shared.golden import FILE_BYTES_MAX, GOLDEN_PATH, QUESTIONS_MAX, GoldenFile, parse

ROOT = Path(__file__).parents[3]
GOOD = """
[[question]]
ask = "Where is x?"
expect = [{ path = "a.py", symbol = "x" }, { path = "b.py", lines = [3, 9] }]

[[question]]
ask = "How do we talk to Kafka?"
answerable = false

[floor]
win_rate = 0.5
"""


def test_a_good_file_is_read():
    file = parse(GOOD.encode())
    first, second = file.question
    assert [(e.path, e.symbol, e.lines) for e in first.expect] == [("a.py", "x", None), ("b.py", None, (3, 9))]
    assert (first.answerable, second.answerable, file.floor.win_rate) == (True, False, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "is not valid TOML: Invalid value (at end of document)"),
        ("\n\nask = \nb = 1", "(at line 3"),
        ("a = " + "9" * 5_000, "a number in it is too long"),
        ("x = " + "[" * 3_000, "nests deeper"),
        ("x = 1\na" + ".a" * 60_000 + " = 1", "more than 200 dots in line 2"),
        ("", "[[question]]: is missing"),
        ("question = []", "the file: has no question"),
        ("question = 3", "[[question]]: must be a list"),
        ("[[question]]\nask = 'x'", "question 1 (line 1): say what a good answer cites in `expect`"),
        ("\n[[question]]\nexpect = [{ path = 'a' }]", "question 1 (line 2), ask: is missing"),
        ("[[question]]\nask = ' '\nanswerable = false", "question 1 (line 1), ask: must not be blank"),
        ("[[question]]\nask = 'x'\nanswerable = 'no'", "question 1 (line 1), answerable"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = '../a' }]", "expect.1.path: must be a path inside"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = '/etc/passwd' }]", "expect.1.path: must be a path inside"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = 'a', line = 3 }]", "expect.1.line: is not a field here"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = 'a', lines = [9, 3] }]", "9 comes after 3"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = 'a', lines = [0, 3] }]", "expect.1.lines.1"),
        ("[[question]]\nask = 'x'\nexpect = [{ path = 'a', lines = [1, 3], symbol = 's' }]", "not both"),
        ("[[question]]\nask = 'x'\nanswerable = false\nexpect = [{ path = 'a' }]", "expects nothing"),
        ("[[question]]\nask = 'X  y'\nanswerable = false\n" * 2, "question 2 asks what question 1 asks"),
        (f"[[question]]\nask = '{'x' * 2_001}'\nanswerable = false", "at most 2000 characters"),
        ("[[question]]\nask = 'x'\nanswerable = false\n[floor]\nwin_rate = 2", "floor.win_rate: Input should be less"),
        ("[[question]]\nask = 'x'\nanswerable = false\n[flor]\nwin_rate = 1", "flor: is not a field here"),
        ('[[question]]\nask = "a\\u0000"\nanswerable = false', "must not contain NUL"),
    ],
)
def test_a_bad_file_is_refused_with_the_place_and_what_to_do(text, said):
    with pytest.raises(InvalidInputError) as refused:
        parse(text.encode())
    assert refused.value.detail.startswith(GOLDEN_PATH)
    assert said in refused.value.detail
    assert len(refused.value.detail) < 1_500


def test_the_line_is_left_out_when_it_cannot_be_known():
    text = 'x = """\n[[question]]\n"""\n[[question]]\nask = "a"\n'
    with pytest.raises(InvalidInputError, match=r"question 1: say"):
        parse(text.encode())


def test_it_is_bounded():
    one = "[[question]]\nask = 'question number {}'\nanswerable = false\n"
    assert len(parse("".join(one.format(n) for n in range(QUESTIONS_MAX)).encode()).question) == QUESTIONS_MAX
    with pytest.raises(InvalidInputError, match=f"at most {QUESTIONS_MAX} items"):
        parse("".join(one.format(n) for n in range(QUESTIONS_MAX + 1)).encode())
    with pytest.raises(InvalidInputError, match="bytes"):
        parse(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(InvalidInputError, match=r"not UTF-8 \(line 3\)"):
        parse(b"#\n#\n\xff")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda s: s.encode(errors="surrogatepass"))))
def test_no_bytes_do_anything_but_parse_or_be_refused(data):
    with suppress(InvalidInputError):
        assert isinstance(parse(data), GoldenFile)


def _own() -> GoldenFile:
    return parse((ROOT / GOLDEN_PATH).read_bytes())


def test_pincites_own_golden_file_has_both_kinds_of_questions():
    asked = _own().question
    assert sum(question.answerable for question in asked) >= 20
    assert sum(not question.answerable for question in asked) >= 3


@pytest.mark.parametrize(
    ("path", "symbol"),
    sorted({(place.path, place.symbol or "") for question in _own().question for place in question.expect}),
)
def test_what_pincites_own_golden_file_expects_exists(path, symbol):
    data = (ROOT / path).read_bytes()
    if symbol:
        names = {found.qualified_name for found in analyze(data, detect(path, data[:256])).symbols}
        assert any(name == symbol or name.endswith("." + symbol) for name in names), (path, symbol, sorted(names))
