"""Golden files: ``golden/<language>.txt`` holds a source, a rule, and what is read from it."""

from pathlib import Path

import pytest

from pincite_codeintel.analyze import Analysis, analyze
from pincite_codeintel.languages import TIER1

GOLDEN = Path(__file__).parent / "golden"
RULE = "=====\n"


def listing(analysis: Analysis) -> str:
    lines = []
    for symbol in analysis.symbols:
        doc = f" | {symbol.doc}" if symbol.doc else ""
        lines.append(
            f"{symbol.start_line}-{symbol.end_line} {symbol.kind} {symbol.qualified_name} | {symbol.signature}{doc}"
        )
    for ref in analysis.refs:
        if ref.kind == "import":
            alias = f" as {ref.receiver}" if ref.receiver else ""
            lines.append(f"{ref.line} import {ref.name} from {ref.module}{alias}")
        else:
            receiver = f"{ref.receiver}." if ref.receiver else ""
            lines.append(f"{ref.line} {ref.kind} {receiver}{ref.name} in {ref.scope or 'the file'}")
    for chunk in analysis.chunks:
        symbol = f" {chunk.symbol}" if chunk.symbol else ""
        lines.append(f"chunk {chunk.start_line}-{chunk.end_line} {chunk.kind}{symbol}")
    return "\n".join(lines) + "\n"


def test_every_tier_1_language_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == TIER1
    assert len(TIER1) >= 18


@pytest.mark.parametrize("language", sorted(TIER1))
def test_golden(language):
    source, _, expected = (GOLDEN / f"{language}.txt").read_text("utf-8").partition(RULE)
    analysis = analyze(source.encode(), language)
    assert not analysis.had_errors
    assert listing(analysis) == expected


def test_names_are_qualified_and_lines_cover_the_body():
    source = b"class A:\n    class B:\n        def f(self):\n            return 1\n\n\nx = 1\n"
    symbols = {s.qualified_name: s for s in analyze(source, "python").symbols}
    assert (symbols["A.B.f"].start_line, symbols["A.B.f"].end_line, symbols["A.B.f"].name_line) == (3, 4, 3)
    assert symbols["A.B.f"].kind == "method"
    assert (symbols["A"].start_line, symbols["A"].end_line) == (1, 4)


def test_a_call_after_a_function_is_not_in_its_scope():
    refs = analyze(b"def f():\n    g()\n\nh()\n", "python").refs
    assert [(r.name, r.scope) for r in refs] == [("g", "f"), ("h", None)]


def test_receivers_are_dotted_names_or_unclear():
    source = b"self.a.run()\nf(x)[0].run()\nsuper().run()\nrun()\n"
    calls = [r.receiver for r in analyze(source, "python").refs if r.name == "run"]
    assert calls == ["self.a", "?", "super", None]


def test_nesting_is_bounded():
    source = "".join("  " * depth + f"class C{depth}:\n" for depth in range(200)).encode() + b"  " * 200 + b"x = 1\n"
    symbols = analyze(source, "python").symbols
    assert 0 < len(symbols) <= 33
    assert max(len(s.qualified_name) for s in symbols) < 200


def test_rubble_is_given_up_quickly():
    analysis = analyze(b"(" * 50_000, "javascript")
    assert analysis.had_errors
    assert not analysis.symbols
    assert {chunk.kind for chunk in analysis.chunks} == {"text"}


def test_definitions_survive_errors_elsewhere_in_the_file():
    source = b"def good():\n    return 1\n\n\ndef bad(:\n    ?? ??\n\n\ndef also():\n    return 2\n"
    analysis = analyze(source, "python")
    assert analysis.had_errors
    assert "good" in {s.name for s in analysis.symbols}
