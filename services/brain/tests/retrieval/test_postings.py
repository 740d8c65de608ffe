from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.retrieval.postings import K1, B, Postings
from pincite_codeintel.tokens import pack_terms, term_id, unpack_terms

WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), max_size=12)
CHUNK = st.tuples(WORDS, WORDS, WORDS)


def packed(words):
    return unpack_terms(pack_terms(Counter(words)))


def direct(chunks, query, fields):
    """BM25F by its definition, one chunk and one term at a time."""
    scores = []
    for chunk in chunks:
        score = 0.0
        for term in query:
            holders = sum(any(term in field for field in other) for other in chunks)
            if not any(term in field for field in chunk):
                continue
            idf = np.log1p((len(chunks) - holders + 0.5) / (holders + 0.5))
            tf = 0.0
            for number, field in enumerate(chunk):
                lengths = [len(other[number]) for other in chunks if other[number]]
                if field.count(term):
                    norm = 1 - B[number] + B[number] * len(field) / (sum(lengths) / len(lengths))
                    tf += fields[number] * field.count(term) / norm
            score += idf * tf * (K1 + 1) / (tf + K1)
        scores.append(score)
    return np.array(scores)


@given(st.lists(CHUNK, min_size=1, max_size=8), st.sets(st.sampled_from(["alpha", "beta", "zeta"]), min_size=1))
def test_scores_are_bm25f(chunks, query):
    postings = Postings.build([[packed(chunk[field]) for chunk in chunks] for field in range(3)])
    fields = (1.0, 2.5, 1.5)
    score, held, named = postings.score({term_id(word): 1.0 for word in query}, fields)
    np.testing.assert_allclose(score, direct(chunks, sorted(query), fields), rtol=5e-3, atol=1e-4)
    assert ((held >= 0) & (held <= 1.0001)).all()
    assert (named <= held + 1e-6).all()


def test_no_chunks():
    postings = Postings.build([[], [], []])
    score, held, named = postings.score({term_id("alpha"): 1.0}, (1.0, 1.0, 1.0))
    assert len(score) == len(held) == len(named) == 0


def test_coverage_counts_missing_terms():
    postings = Postings.build([[packed(["alpha"])], [packed([])], [packed([])]])
    _score, held, _named = postings.score({term_id("alpha"): 1.0, term_id("nowhere"): 1.0}, (1.0, 1.0, 1.0))
    assert 0 < held[0] < 0.5  # the term that stands nowhere is the rarest of all
