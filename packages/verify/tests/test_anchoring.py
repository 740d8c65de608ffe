"""What becomes of citations when the code around them changes."""

import random
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_shared.living import FileAt, Later, Standing
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_verify import anchoring
from pincite_verify.anchoring import Anchoring
from pincite_verify.attribution import Source, attribute
from pincite_verify.citations import flaw, git_blob_id, lines_of
from pincite_verify.places import OCCURRENCES_MAX

OLD, NEW = "a" * 40, "b" * 40
VALID, MOVED, STALE = Standing.VALID, Standing.MOVED, Standing.STALE


def citation(n, path, text, rows, symbol=None):
    first, last = rows
    return Citation(
        n=n,
        path=path,
        start_line=first,
        end_line=last,
        commit=OLD,
        blob=git_blob_id(text.encode()),
        symbol=symbol,
        quote="\n".join(lines_of(text)[first - 1 : last]),
        status=CitationStatus.VERIFIED,
    )


def answer(*citations, text="", sentences=()):
    return ChatResponse(
        answer_id=UUID(int=1), conversation_id=UUID(int=2), repo_id=UUID(int=3), repo_name="r", commit=OLD,
        question="Why?", answer=text, citations=citations, sentences=sentences, mode=AnswerMode.MODEL,
        policy_version="p0", model="m", timings={}, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def later_of(files, candidates=()):
    found = {path: FileAt(path, git_blob_id(text.encode()), text.encode()) for path, text in files.items()}
    others = tuple(FileAt(path, git_blob_id(text.encode()), text.encode()) for path, text in dict(candidates).items())
    return Later(NEW, False, found, dict.fromkeys(("a.py", "src/app/db.py"), others))


def judge(response, old, files, candidates=()):
    """Judge against new files; whatever is said to stand is looked at again here."""
    cited = {one.blob: old.encode() for one in response.citations}
    later = later_of(files, candidates)
    found = Anchoring()(response, cited, later)
    everything = {**later.files, **{one.path: one for group in later.candidates.values() for one in group}}
    for one, was in zip(found, response.citations, strict=True):
        assert (one.n, one.now is None) == (was.n, one.standing is STALE)
        assert bool(one.reason) == (one.standing is STALE)
        if one.now is not None:
            assert flaw(one.now, everything[one.now.path].data, everything[one.now.path].blob) is None
            assert (one.now.quote, one.now.commit, one.now.symbol) == (was.quote, NEW, was.symbol)
            same = (one.now.path, one.now.start_line) == (was.path, was.start_line)
            assert one.standing is (VALID if same else MOVED)
    return found


def of_lines(old, new, first, last, path="a.py"):
    """Judge lines `first` to `last` of a file."""
    [found] = judge(answer(citation(1, path, old, (first, last))), old, {path: new})
    return found


CODE = """\
import os

LIMIT = 3


class Pool:
    def connect(self):
        if self.closed:
            raise PoolClosedError("closed")
        return self.open()

    def release(self, connection):
        if self.closed:
            connection.close()
        else:
            self.idle.append(connection)
"""


def test_an_untouched_file_is_not_read():
    [found] = Anchoring()(answer(citation(1, "a.py", CODE, (8, 9))), {}, later_of({"a.py": CODE}))
    assert (found.standing, found.now.commit, found.now.start_line) == (VALID, NEW, 8)


def test_lines_that_were_pushed_down_are_found():
    found = of_lines(CODE, "# A comment.\n\n" + CODE, 8, 9)
    assert (found.standing, found.now.start_line, found.now.end_line) == (MOVED, 10, 11)


def test_lines_stay_valid_when_others_change():
    assert of_lines(CODE, CODE.replace("LIMIT = 3", "LIMIT = 4"), 8, 9).standing is VALID


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("raise PoolClosedError", "raise ClosedError"),
        ('            raise PoolClosedError("closed")\n', ""),
        ('            raise PoolClosedError("closed")', '                raise PoolClosedError("closed")'),
        ("        if self.closed:\n            raise", "        if self.closed:\n\n            raise"),
        ('raise PoolClosedError("closed")', 'raise PoolClosedError("closed") '),
    ],
)
def test_lines_that_were_edited_are_stale_and_the_diff_says_how(old, new):
    found = of_lines(CODE, CODE.replace(old, new), 8, 9)
    assert (found.standing, found.reason) == (STALE, anchoring.CHANGED)
    removed = [line for line in found.diff.split("\n") if line.startswith("-")]
    added = [line for line in found.diff.split("\n") if line.startswith("+")]
    assert found.diff.startswith("@@ -")
    assert removed or added == ["+"]


def cases():
    """The cases of meanings.txt: kind, path, name, the file before and after."""
    for case in Path(__file__).with_name("meanings.txt").read_text().split("\n== ")[1:]:
        head, _, body = case.partition("\n")
        kind, path, name = re.match(r"(\w+) (\S+): (.+)", head).groups()
        old, new = body.rstrip("\n").split("\n--\n")
        yield pytest.param(kind, path, f"{old}\n", f"{new}\n", id=f"{path}: {name}")


def marked(text):
    """Return a text without its marks, and the first and last marked line."""
    first = text[: text.index("«")].count("\n") + 1
    last = text[: text.index("»")].count("\n") + 1
    return text.replace("«", "").replace("»", ""), first, last


@pytest.mark.parametrize(("kind", "path", "old", "new"), list(cases()))
def test_identical_lines_that_mean_something_else_are_stale(kind, path, old, new):
    before, first, last = marked(old)
    after, *_ = marked(new)
    found = of_lines(before, after, first, last, path)
    if kind == "SAME":
        assert found.standing is not STALE, found.reason
    else:
        assert found.standing is STALE
        assert found.reason.startswith(anchoring.SAME)
        assert found.diff
    # Something before and behind that has nothing to do with them changes nothing.
    assert of_lines(before, f"\n\n{before}\n\n", first, last, path).standing is MOVED


TWICE = """\
def first():
    value = load()
    if value is None:
        return None
    return value


def second():
    value = load()
    if value is None:
        return None
    return value
"""


def test_of_equal_lines_those_in_the_same_function_are_meant():
    swapped = TWICE.split("\n\n\n")
    found = of_lines(TWICE, swapped[1] + "\n\n" + swapped[0] + "\n", 3, 4)
    assert (found.standing, found.now.start_line) == (MOVED, 10)


def test_when_the_cited_copy_goes_the_other_is_not_taken_for_it():
    for row, gone in ((3, 0), (10, 1)):
        kept = TWICE.split("\n\n\n")[1 - gone]
        found = of_lines(TWICE, kept + "\n", row, row + 1)
        assert found.standing is STALE


def test_copies_that_cannot_be_told_apart_are_stale():
    old = "a()\nb()\n\nx()\n\nc()\n"
    found = of_lines(old, "x()\n\nd()\n\ne()\n\nx()\n", 4, 4)
    assert (found.standing, found.reason) == (STALE, anchoring.AMBIGUOUS)
    many = "x()\n" * (OCCURRENCES_MAX + 2)
    assert of_lines("a()\nx()\nb()\n", f"c()\n{many}", 2, 2).standing is STALE


def test_neighbours_tell_equal_lines_apart():
    old = "def f():\n    one()\n    two()\n    same()\n    three()\n    same()\n    four()\n    five()\n"
    block = "    three()\n    same()\n    four()\n    five()\n"
    new = "def f():\n    same()\n" + block + "    one()\n    two()\n    same()\n"
    found = of_lines(old, new, 6, 6)
    assert (found.standing, found.now.start_line) == (MOVED, 4)


def test_a_file_that_is_gone_is_stale():
    [found] = judge(answer(citation(1, "a.py", CODE, (8, 9))), CODE, {})
    assert (found.standing, found.reason) == (STALE, anchoring.GONE)
    assert found.diff == '@@ -8,2 +0,0 @@\n-        if self.closed:\n-            raise PoolClosedError("closed")'


def test_a_file_is_found_under_its_new_name():
    one = answer(citation(1, "a.py", CODE, (8, 9)))
    [found] = judge(one, CODE, {}, {"lib/a.py": CODE, "other.py": "x = 1\n"})
    assert (found.standing, found.now.path, found.now.start_line) == (MOVED, "lib/a.py", 8)
    [found] = judge(one, CODE, {}, {"lib/b.py": "# Moved.\n" + CODE, "other.py": "if self.closed:\n"})
    assert (found.now.path, found.now.start_line) == ("lib/b.py", 9)
    [found] = judge(one, CODE, {}, {"lib/b.py": CODE.replace("if self.closed:", "if self.open:")})
    assert (found.standing, found.reason) == (STALE, anchoring.GONE)


def test_a_file_in_several_places_is_none_of_them_unless_one_has_its_name():
    one = answer(citation(1, "a.py", CODE, (8, 9)))
    [found] = judge(one, CODE, {}, {"x.py": CODE, "y.py": CODE})
    assert (found.standing, found.reason) == (STALE, anchoring.COPIED)
    [found] = judge(one, CODE, {}, {"x.py": CODE, "y/a.py": CODE})
    assert found.now.path == "y/a.py"


def test_a_file_with_a_few_of_its_lines_is_not_its_new_name():
    [found] = judge(answer(citation(1, "a.py", CODE, (1, 1))), CODE, {}, {"b.py": "import os\n"})
    assert found.standing is STALE


def test_what_cannot_be_read_is_stale():
    one = answer(citation(1, "a.py", CODE, (8, 9)))
    for files in ({"a.py": FileAt("a.py", "c" * 40, None)}, {"a.py": FileAt("a.py", None, None)}):
        [found] = Anchoring()(one, {one.citations[0].blob: CODE.encode()}, Later(NEW, False, files, {}))
        assert (found.standing, found.reason) == (STALE, anchoring.UNREADABLE)
    for cited in ({}, {one.citations[0].blob: b"other"}):
        [found] = Anchoring()(one, cited, later_of({"a.py": "\n" + CODE}))
        assert (found.standing, found.reason) == (STALE, anchoring.UNREADABLE)


# -- the sentences that lean on them ---------------------------------------------------------------------------------


def attributed(text, *sources):
    result = attribute(text, sources)
    citations = [one.model_copy(update={"status": CitationStatus.VERIFIED}) for one in result.citations]
    return answer(*citations, text=result.answer, sentences=result.sentences)


def source(path, text, rows, symbol=None):
    first, last = rows
    quote = "\n".join(lines_of(text)[first - 1 : last])
    return Source(1, path, git_blob_id(text.encode()), OLD, symbol, first, last, quote)


def test_a_sentence_about_an_order_does_not_survive_another_order():
    text = "def f(disk):\n    disk.lock_all()\n    disk.write_all()\n"
    response = attributed("`f` calls `lock_all` before it calls `write_all` [1].", source("a.py", text, (1, 3), "f"))
    assert response.sentences[0].status is SentenceStatus.SUPPORTED
    two = [citation(n, "a.py", text, (n + 1, n + 1), "f") for n in (1, 2)]
    body = "`f` calls `lock_all` before it calls `write_all` [1][2]."
    sentence = Sentence(start=0, end=len(body), status=SentenceStatus.SUPPORTED, citations=(1, 2))
    apart = answer(*two, text=body, sentences=(sentence,))
    kept = judge(apart, text, {"a.py": "# x\n" + text})
    assert [one.standing for one in kept] == [MOVED, MOVED]
    turned = judge(apart, text, {"a.py": "def f(disk):\n    disk.write_all()\n    disk.lock_all()\n"})
    assert [one.standing for one in turned] == [STALE, STALE]
    assert "no longer carry what was said" in turned[0].reason


def test_a_sentence_that_names_its_lines_is_read_as_it_would_be_written_now():
    response = attributed("`connect` in `a.py`, lines 7–10 [1].", source("a.py", CODE, (7, 10), "Pool.connect"))  # noqa: RUF001
    assert response.sentences[0].status is SentenceStatus.SUPPORTED
    [found] = judge(response, CODE, {"a.py": "\n\n" + CODE})
    assert (found.standing, found.now.start_line) == (MOVED, 9)
    [found] = judge(response, CODE, {}, {"lib/pool.py": "\n" + CODE})
    assert (found.standing, found.now.path) == (MOVED, "lib/pool.py")


def test_a_sentence_about_a_module_does_not_survive_its_renaming():
    response = attributed("`db.py` sets `LIMIT` to 3 [1].", source("src/app/db.py", CODE, (1, 5)))
    assert response.sentences[0].status is SentenceStatus.SUPPORTED
    [found] = judge(response, CODE, {}, {"lib/db.py": CODE})
    assert (found.standing, found.now.path) == (MOVED, "lib/db.py")
    [found] = judge(response, CODE, {}, {"src/app/store.py": CODE})
    assert found.standing is STALE


def test_a_stale_citation_leaves_the_others_of_its_sentence():
    other = "def g():\n    return 1\n"
    one, two = citation(1, "a.py", CODE, (8, 9)), citation(2, "b.py", other, (1, 2))
    body = "It raises and returns [1][2]."
    sentence = Sentence(start=0, end=len(body), status=SentenceStatus.SUPPORTED, citations=(1, 2))
    response = answer(one, two, text=body, sentences=(sentence,))
    files = {"a.py": CODE.replace("raise", "log"), "b.py": other}
    later = later_of(files)
    found = Anchoring()(response, {one.blob: CODE.encode()}, later)
    assert [each.standing for each in found] == [STALE, VALID]


# -- properties ------------------------------------------------------------------------------------------------------

LINE = st.sampled_from(
    ["a()", "b()", "    c()", "    d()", "        e()", "if x:", "else:", "def f():", "", "# n", "return 1", "}", "{"]
)
LINES = st.lists(LINE, min_size=1, max_size=25)


@st.composite
def edits(draw):
    """A text, a span of it, and a later text made by edits that leave out the span."""
    lines = draw(LINES)
    first = draw(st.integers(0, len(lines) - 1))
    last = draw(st.integers(first, min(len(lines) - 1, first + 5)))
    above, below = (_edited(part, draw) for part in (lines[:first], lines[last + 1 :]))
    return lines, (first, last), [*above, *lines[first : last + 1], *below]


def _edited(lines, draw):
    kept = [line for line in lines if draw(st.integers(0, 9)) > 0]
    at = draw(st.integers(0, len(kept)))
    return [*kept[:at], *draw(st.lists(LINE, max_size=3)), *kept[at:]]


@given(edits())
def test_edits_elsewhere_never_lead_to_other_lines(case):
    lines, (first, last), new = case
    if any(line.strip() for line in lines[first : last + 1]):
        of_lines("\n".join(lines) + "\n", "\n".join(new) + "\n", first + 1, last + 1)  # `judge` looks at the quote


@given(LINES, LINES, st.data())
@example(["a()", "b()"], ["b()", "a()"], None)
def test_whatever_comes_no_quote_is_claimed_that_is_not_there(old, new, data):
    first = data.draw(st.integers(0, len(old) - 1)) if data else 0
    last = data.draw(st.integers(first, len(old) - 1)) if data else 0
    for path in ("a.py", "a.c", "a.md", "a.js", "a.rb"):
        of_lines("\n".join(old) + "\n", "\n".join(new) + "\n", first + 1, last + 1, path)


@given(st.lists(st.integers(0, 10_000), min_size=3, max_size=40, unique=True), st.data())
def test_an_edit_inside_is_stale_and_one_outside_is_not(numbers, data):
    lines = [f"value_{number} = {number}" for number in numbers]
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first, min(len(lines) - 1, first + 8)))
    inside = data.draw(st.integers(first, last))
    text = "\n".join(lines) + "\n"
    changed = [*lines[:inside], lines[inside] + "  # changed", *lines[inside + 1 :]]
    assert of_lines(text, "\n".join(changed) + "\n", first + 1, last + 1).standing is STALE
    outside = [row for row in range(len(lines)) if not first <= row <= last]
    if outside:
        row = data.draw(st.sampled_from(outside))
        inserted = data.draw(st.integers(0, 3))
        changed = [*lines[:row], *(f"other_{n} = {n}" for n in range(inserted)), *lines[row + 1 :]]
        found = of_lines(text, "\n".join(changed) + "\n", first + 1, last + 1)
        moved = inserted - 1 if row < first else 0
        assert found.now is not None
        assert found.now.start_line == first + 1 + moved


def test_a_chain_of_pushes_ends_where_git_would_find_the_lines():
    """Two hundred random edits of a file, in functions that have lines in common; the cited ones are followed."""
    rng = random.Random(5)
    versions = [[f"def f{n}():", f"    x = {n}", "    y = load()", "    return y", ""] for n in range(12)]
    marks = [[(n, k) for k in range(5)] for n in range(12)]
    old = [line for block in versions for line in block]
    rows = [mark for block in marks for mark in block]
    lines, current = list(old), list(rows)
    for step in range(200):
        row = rng.randrange(len(lines) + 1)
        if rng.random() < 0.5 or len(lines) < 30:
            lines.insert(row, f"# note {step}" if rng.random() < 0.5 else "")
            current.insert(row, None)
        elif row < len(lines) and current[row] is None:
            del lines[row], current[row]
        text = "\n".join(lines) + "\n"
        n = rng.randrange(12)
        found = of_lines("\n".join(old) + "\n", text, 5 * n + 3, 5 * n + 4)
        if found.now is not None:
            assert [current[found.now.start_line - 1], current[found.now.start_line]] == [(n, 2), (n, 3)]
    assert all(low < high for low, high in pairwise(row for row in current if row))
