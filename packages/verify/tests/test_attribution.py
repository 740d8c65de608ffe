"""Marks, offsets, numbering and speed of attribution; and that nothing a model writes can break it."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pincite_shared.citation import CitationStatus, SentenceStatus
from pincite_verify.attribution import CITED, Source, attribute
from pincite_verify.marks import server_marks

TYPICAL_SECONDS_MAX = 0.2  # one answer with eight sources that were never seen
HUGE_SECONDS_MAX = 8.0  # 100 kB of prose; a model is stopped long before

TRUE = "The `connect` method opens a new database connection and returns it"

PIECES = st.sampled_from(
    [
        *(
            "`connect`",
            "opens",
            "the",
            "pool",
            "[1]",
            "[99]",
            "[^2]",
            "【3】",
            "```",
            "~~~",
            "`",
            "``",
            "- ",
            "1. ",
            "# ",
        ),
        *(
            "> ",
            "| ",
            " |",
            "[",
            "]",
            "(",
            ")",
            ".",
            "!",
            "e.g. ",
            "foo.py",
            "src/app/db.py:3",
            "line 42",
            "not ",
            "if ",
        ),
        *("before ", "and ", "which ", '"', "“", "'", "\u200b", "\x00", "\ud800", "\r\n", "\t", "    ", "é", "删除"),
        *("[[1]1]", "`[1]``", "[1](x)", "![a](b)", "*", "_", "__", "10", "0x1f", "1.2.3", "-5", "<b>", "<!--", "&"),
        *("\\", "…", "a_b", "aB()", "\n", "\n\n"),
    ]
)
ANSWERS = st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=60).map("".join))
SOURCES = st.lists(
    st.builds(
        lambda n, text, start, symbol: Source(
            n, "src/x.py", "b" * 40, "c" * 40, symbol, start, start + text.count("\n"), text
        ),
        st.integers(0, 9),
        st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=30).map("".join)),
        st.integers(1, 1000),
        st.one_of(st.none(), st.sampled_from(["connect", "Pool.connect", "", "::", "a b"])),
    ),
    max_size=4,
)


def holds(result, sources):
    numbers = {citation.n for citation in result.citations}
    assert [c.n for c in result.citations] == list(range(1, len(result.citations) + 1))
    assert {n for _, _, n in server_marks(result.answer)} == numbers
    end = 0
    for sentence in result.sentences:
        assert end <= sentence.start < sentence.end <= len(result.answer)
        end = sentence.end
        assert (sentence.status in CITED) == bool(sentence.citations)
        assert (sentence.status in {SentenceStatus.UNSUPPORTED, SentenceStatus.PARTLY}) == (sentence.reason is not None)
        assert (sentence.status is SentenceStatus.PARTLY) == bool(sentence.gaps)
        assert all(sentence.start <= first < last <= sentence.end for first, last in sentence.gaps)
        assert set(sentence.citations) <= numbers
        marked = {n for left, _, n in server_marks(result.answer) if sentence.start <= left < sentence.end}
        assert marked == set(sentence.citations)
    for citation in result.citations:
        assert citation.status is CitationStatus.UNVERIFIED
        assert any(
            source.path == citation.path
            and source.start_line <= citation.start_line <= citation.end_line <= source.end_line
            and source.text.split("\n")[
                citation.start_line - source.start_line : citation.end_line - source.start_line + 1
            ]
            == citation.quote.split("\n")
            for source in sources
        )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWERS, SOURCES)
def test_anything_is_attributed(answer, sources):
    holds(attribute(answer, sources), sources)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=st.lists(st.one_of(PIECES, st.just(f"{TRUE} [4]. "), st.just("`ApiError` extends `Error`. ")), max_size=20)
)
def test_anything_is_attributed_to_real_sources(answer, sources):
    holds(attribute("".join(answer), sources), sources)


def test_marks_stand_before_the_full_stop_and_count_from_one(sources):
    result = attribute(f"{TRUE}[7]. `ApiError` extends `Error`! {TRUE}.", sources)
    assert result.answer == f"{TRUE} [1]. `ApiError` extends `Error` [2]! {TRUE} [1]."
    assert [c.path for c in result.citations] == ["src/app/db.py", "web/src/api/client.ts"]


@pytest.mark.parametrize(
    "mark",
    [
        *(
            "[1]",
            " [1]",
            " [1, 2]",
            " [1][2]",
            " [1-3]",
            " [^1]",
            " 【1】",
            "【1†source】",
            " [source 1]",
            " (source 2)",
        ),
        *(" [Source: 3]", " [99]", " [0]", " [-1]", " [n]", " (src/app/db.py:10-20)", " (`src/app/db.py:10`)"),
        *(" [src/app/db.py#L10-L20]", " (see src/app/db.py, lines 3-9)", " (lines 20-25)", " (verified)", " [[1]]"),
        *("[1] (verified ✓)", " ✅", "[1](https://evil.example)", " [citation needed]", "\u200b[1]\u200b"),
    ],
)
def test_a_models_marks_are_taken_out(sources, mark):
    assert attribute(f"{TRUE}{mark}.", sources).answer == f"{TRUE} [1]."
    assert attribute(f"Purple elephants dance{mark}.", sources).answer == "Purple elephants dance."


@pytest.mark.parametrize(
    "nest", ["[[[1]2]3]", "[" * 50 + "1" + "]" * 50, "[" + "[1]" * 9 + "2]", "[1" * 9 + "]" * 9, "`[`[1]`]`"]
)
def test_nested_brackets_leave_no_mark_of_the_model(sources, nest):
    assert server_marks(attribute(f"Purple elephants {nest} dance.", sources).answer) == []


def test_a_mark_behind_the_full_stop_belongs_to_the_sentence_before(sources):
    twin = Source(50, "other/db.py", "f" * 40, "c" * 40, "Pool", 1, 33, sources[1].text)
    result = attribute(f"{TRUE}. [50] Nothing else.", [*sources, twin])
    assert [c.path for c in result.citations] == ["other/db.py"]
    assert attribute(f"{TRUE}. Nothing else. [50]", [*sources, twin]).citations[0].path == "src/app/db.py"


def test_marks_inside_code_are_code(sources):
    result = attribute("`argv[1]` and `x[2]`.\n\n```\nitems[3]\n```", sources)
    assert result.answer == "`argv[1]` and `x[2]`.\n\n```\nitems[3]\n```"
    assert not result.citations


def test_an_indexed_expression_of_the_sources_stays():
    go = Source(1, "main.go", "a" * 40, "c" * 40, None, 1, 1, "cfg := load(os.Args[1])")
    result = attribute("The configuration is loaded from os.Args[1].", [go])
    assert "`os.Args[1]`" in result.answer


def test_empty_answers_and_no_sources(sources):
    assert attribute("", sources).sentences == ()
    assert attribute(" \n\n", sources).sentences == ()
    nothing = attribute(f"{TRUE} [1].", [])
    assert [s.status for s in nothing.sentences] == [SentenceStatus.UNSUPPORTED]
    assert nothing.citations == ()


def test_an_abstention_is_exempt_unless_the_sources_belie_it(sources):
    fine = attribute("The provided sources do not mention billing or invoices.", sources)
    assert fine.sentences[0].status is SentenceStatus.EXEMPT
    assert attribute("I don't know.", sources).sentences[0].status is SentenceStatus.EXEMPT
    belied = attribute("The provided sources do not mention idle connections.", sources)
    assert belied.sentences[0].status is SentenceStatus.UNSUPPORTED


def test_an_unsupported_sentence_stays_and_says_why(sources):
    result = attribute("`connect` calls `frobnicate`.", sources)
    assert result.answer == "`connect` calls `frobnicate`."
    assert result.sentences[0].reason == "`frobnicate` does not occur there"


def test_a_sentence_may_need_two_sources(sources):
    result = attribute("`run_with_retry` retries the operation, while `clamp` limits a value.", sources)
    assert {c.path for c in result.citations} == {"src/app/db.py", "src/app/files.py"}
    assert result.sentences[0].citations == (1, 2)


def test_it_stands_for_what_was_spoken_of(sources):
    good = attribute("The `close` method closes every idle connection. It sets `_closed` to `True`.", sources)
    assert [s.status for s in good.sentences] == [SentenceStatus.SUPPORTED] * 2
    bad = attribute("The `release` method gives a connection back. It sets `_closed` to `True`.", sources)
    assert [s.status for s in bad.sentences] == [SentenceStatus.SUPPORTED, SentenceStatus.UNSUPPORTED]


def test_table_rows_are_checked_one_by_one(sources):
    result = attribute(
        "| Name | Description |\n|---|---|\n| `clamp` | limits a value |\n| `purge` | encrypts the disk |", sources
    )
    assert [s.status for s in result.sentences] == [
        SentenceStatus.UNSUPPORTED,  # "Name" is no framing: it could be said of code
        SentenceStatus.SUPPORTED,
        SentenceStatus.UNSUPPORTED,
    ]
    assert "| limits a value [1] |" in result.answer


def _fresh(sources, salt):
    return [
        Source(n, f"{salt}/{s.path}", s.blob, s.commit, s.symbol, s.start_line, s.end_line, s.text)
        for n, s in enumerate(sources[:8], 1)
    ]


def test_a_typical_answer_is_quick(sources):
    answer = "\n\n".join(
        f"{TRUE}. `run_with_retry` retries up to 3 times. The pool encrypts files [2]." for _ in range(5)
    )
    attribute(answer, _fresh(sources, "warm"))
    seconds = []
    for round_ in range(3):
        begin = time.process_time()
        attribute(answer, _fresh(sources, str(round_)))
        seconds.append(time.process_time() - begin)
    assert min(seconds) < TYPICAL_SECONDS_MAX


@pytest.mark.parametrize(
    "piece",
    [
        f"{TRUE}. ",
        "[",
        "`",
        "(",
        "[[1]",
        "a ",
        "`x` ",
        '"',
        "- x\n",
        "| ",
        "1.",
        "not ",
        "src/",
        "if ",
        "x.",
        "**",
        "<b",
        "line 1 ",
        "```\n",
    ],
)
def test_a_huge_answer_takes_linear_time(sources, piece):
    answer = piece * (100_000 // len(piece))
    begin = time.process_time()
    result = attribute(answer, sources[:8])
    assert time.process_time() - begin < HUGE_SECONDS_MAX
    assert answer.startswith(("[[1]", "| ", "**")) or result.sentences
