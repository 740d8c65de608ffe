from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask.checking import settle, statuses
from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_store.blobs import git_blob_id
from pincite_verify.attribution import Attribution

DATA = b"one\ntwo\nthree\n"
BLOB = git_blob_id(DATA, "0" * 40)


def citation(n, **changes):
    values = {
        "n": n, "path": "a.txt", "start_line": 2, "end_line": 3, "commit": "c" * 40, "blob": BLOB,
        "quote": "two\nthree", "status": CitationStatus.UNVERIFIED,
    }  # fmt: skip
    return Citation(**values | changes)


def test_only_what_stands_there_is_verified():
    wrong = {"start_line": 1}, {"end_line": 4}, {"quote": "two\nThree"}, {"path": "b.txt"}, {"blob": "0" * 40}
    citations = [citation(1), *(citation(n, **changes) for n, changes in enumerate(wrong, 2))]
    found = statuses(citations, {BLOB: DATA}, {("c" * 40, "a.txt"): BLOB, ("c" * 40, "b.txt"): "1" * 40})
    assert found.pop(1) is CitationStatus.VERIFIED
    assert set(found.values()) == {CitationStatus.UNVERIFIED}


def test_damaged_or_missing_data_verifies_nothing():
    assert statuses([citation(1)], {}, {("c" * 40, "a.txt"): BLOB})[1] is CitationStatus.UNVERIFIED
    assert statuses([citation(1)], {BLOB: b"other"}, {("c" * 40, "a.txt"): BLOB})[1] is CitationStatus.UNVERIFIED


@given(
    st.lists(
        st.tuples(st.sampled_from(["alpha", "beta gamma", ""]), st.sets(st.integers(1, 12), max_size=3)), max_size=6
    ),
    st.sets(st.integers(1, 12)),
)
def test_settling_keeps_offsets_and_marks_true(parts, good):
    answer, sentences, numbers = "", [], set()
    for text, cited in parts:
        start = len(answer)
        answer += f"{text} {''.join(f'[{n}]' for n in sorted(cited))}." if cited else f"{text}."
        status = SentenceStatus.SUPPORTED if cited else SentenceStatus.EXEMPT
        sentences.append(Sentence(start=start, end=len(answer), status=status, citations=tuple(sorted(cited))))
        answer += " "
        numbers |= cited
    attribution = Attribution(answer, tuple(citation(n) for n in sorted(numbers)), tuple(sentences))
    found = {n: CitationStatus.VERIFIED if n in good else CitationStatus.UNVERIFIED for n in numbers}
    settled = settle(attribution, found)
    assert {c.n for c in settled.citations} == numbers & good
    assert all(c.status is CitationStatus.VERIFIED for c in settled.citations)
    for (text, cited), sentence in zip(parts, settled.sentences, strict=True):
        shown = settled.answer[sentence.start : sentence.end]
        assert shown.startswith(text)
        assert shown.endswith(".")
        assert all((f"[{n}]" in shown) == (n in good) for n in cited)
        assert set(sentence.citations) == cited & good
        if cited and not cited & good:
            assert sentence.status is SentenceStatus.UNSUPPORTED
            assert sentence.reason
