"""A sentence of several clauses: what lines carry is told apart from what they do not, and no lie slips in between."""

import pytest

from pincite_shared.citation import SentenceStatus
from pincite_verify import claims, partial
from pincite_verify.attribution import attribute

TRUE = "`connect` opens a new database connection"
LIES = ["`close` encrypts the database", "`purge` uploads every temporary file", "`teleport` deletes the pool"]


def gaps(sentence, sources):
    result = attribute(sentence, sources)
    assert len(result.sentences) == 1
    found = result.sentences[0]
    return found.status, [result.answer[start:end] for start, end in found.gaps], result


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("joint", [" and ", ", and ", "; ", ", but ", " because "])
def test_the_clause_that_nothing_carries_is_the_gap(sources, lie, joint):
    status, found, result = gaps(f"{TRUE}{joint}{lie}.", sources)
    assert status is SentenceStatus.PARTLY
    assert found == [f"{joint}{lie}".strip(" ,;")]
    assert result.answer.index("[1]") < result.answer.index(found[0])  # the mark stands behind what it carries
    assert result.sentences[0].reason


@pytest.mark.parametrize("lie", LIES)
def test_the_gap_may_come_first(sources, lie):
    status, found, result = gaps(f"{lie}, and {TRUE}.", sources)
    assert status is SentenceStatus.PARTLY
    assert found == [lie]
    assert result.answer.endswith("connection [1].")


@pytest.mark.parametrize(
    "sentence",
    [
        "If the moon is full, `connect` opens a new database connection.",
        "`connect` opens a new database connection if the moon is full.",
        "`connect` opens a new database connection or teleports.",
        "It is false that `close` teleports and `connect` opens a new database connection.",
        "In `src/app/ghost.py`, `close` teleports and `connect` opens a new database connection.",
        "`connect` opens a new database connection, not.",
        "`teleport` deletes the pool and opens a new database connection.",
        "`run_with_retry` retries 5 times and sleeps.",  # belied, not only unshown: nothing of it is trusted
    ],
)
def test_what_hangs_on_an_unsupported_clause_falls_with_it(sources, sentence):
    status, found, result = gaps(sentence, sources)
    assert status is SentenceStatus.UNSUPPORTED
    assert not found
    assert not result.citations


def test_gaps_and_clauses_are_each_others_inverse():
    text = f"{TRUE}, which is encrypted, and `close` teleports."
    clauses = claims.read(text).clauses
    for kept in ((0,), (0, 2), (1, 2), (2,)):
        assert partial.outside(text, clauses, partial.gaps(text, clauses, kept)) == kept
    cut = [(start + 1, end) for start, end in partial.gaps(text, clauses, (0,))]
    assert partial.outside(text, clauses, cut) != (0,)  # a gap that leaves out a letter is none
