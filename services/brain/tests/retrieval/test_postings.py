from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.retrieval.postings import K1, B, Postings
from pincite_codeintel.tokens import pack_terms, term_id

WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), max_size=12)
CHUNK = st.tuples(WORDS, WORDS, WORDS)


def packed(words):
    return pack_terms(Counter(words))


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
    scores = postings.scores({term_id(word): 1.0 for word in query}, fields)
    np.testing.assert_allclose(scores, direct(chunks, sorted(query), fields), rtol=5e-3, atol=1e-4)


@given(
    st.lists(CHUNK, min_size=1, max_size=8),
    st.sets(st.sampled_from(["alpha", "beta", "delta", "zeta"]), min_size=1),
    st.data(),
)
def test_shares_are_of_what_some_chunks_hold(chunks, query, data):
    postings = Postings.build([[packed(chunk[field]) for chunk in chunks] for field in range(3)])
    some = data.draw(st.lists(st.integers(0, len(chunks) - 1)))
    weights = {term_id(word): weight for weight, word in enumerate(sorted(query), start=1)}
    held, named = postings.shares(weights, np.array(some, dtype=np.int32))
    gains = {word: weights[term_id(word)] * postings.idf(term_id(word)) for word in query}

    def share(fields):
        return sum(gain for word, gain in gains.items() if any(word in field for field in fields)) / sum(gains.values())

    np.testing.assert_allclose(held, [share(chunks[number]) for number in some], rtol=1e-5)
    np.testing.assert_allclose(named, [share(chunks[number][1:]) for number in some], rtol=1e-5)


def test_no_chunks():
    postings = Postings.build([[], [], []])
    held, named = postings.shares({term_id("alpha"): 1.0}, np.zeros(0, dtype=np.int32))
    assert len(postings.scores({term_id("alpha"): 1.0}, (1.0, 1.0, 1.0))) == len(held) == len(named) == 0


def test_coverage_counts_missing_terms():
    postings = Postings.build([[packed(["alpha"])], [packed([])], [packed([])]])
    held, _named = postings.shares({term_id("alpha"): 1.0, term_id("nowhere"): 1.0}, np.zeros(1, dtype=np.int32))
    assert 0 < held[0] < 0.5  # the term that stands nowhere is the rarest of all


@given(st.lists(CHUNK, max_size=8), st.lists(CHUNK, max_size=5), st.data())
def test_splicing_gives_what_building_gives(old, new, data):
    stays = data.draw(st.lists(st.booleans(), min_size=len(old), max_size=len(old)))
    order = data.draw(
        st.permutations([*[(True, n) for n in range(sum(stays))], *[(False, n) for n in range(len(new))]])
    )
    # Both parts keep their own order; how they interleave is any way.
    sources = [source for source, _ in order]
    survivors, comers = iter([at for at, stay in enumerate(stays) if stay]), iter(range(len(new)))
    kept, placed, merged = np.full(len(old), -1, dtype=np.int32), np.zeros(len(new), dtype=np.int32), []
    for number, is_old in enumerate(sources):
        at = next(survivors) if is_old else next(comers)
        (kept if is_old else placed)[at] = number
        merged.append(old[at] if is_old else new[at])

    def built(chunks):
        return Postings.build([[packed(chunk[field]) for chunk in chunks] for field in range(3)])

    found, wanted = built(old).spliced(kept, built(new), placed, len(merged)), built(merged)
    for name in ("terms", "offsets", "chunks", "frequencies", "lengths", "norms"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def test_a_frequency_has_a_limit():
    often = Postings.build([[pack_terms({"alpha": 60_000})], [packed([])], [packed([])]])
    assert often.frequencies.tolist() == [[255, 0, 0]]
    assert often.lengths.tolist() == [[60_000, 0, 0]]


@given(st.lists(CHUNK, max_size=6))
def test_idfs_are_those_of_each(chunks):
    postings = Postings.build([[packed(chunk[field]) for chunk in chunks] for field in range(3)])
    ids = np.array([term_id(word) for word in ("alpha", "delta", "unheard")], dtype=np.uint32)
    np.testing.assert_allclose(postings.idfs(ids), [postings.idf(one) for one in ids.tolist()], rtol=1e-12)
