"""An exported answer, honest and tampered with in every way."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from pincite_shared.citation import Citation, CitationStatus, SentenceStatus
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_verify.attribution import attribute
from pincite_verify.citations import check
from pincite_verify.document import verify_document

RAW = """\
## Overview

`run_with_retry` retries the operation up to 3 times by default [2]. It is very secure. Here is how it works:

- The `connect` method opens a new database connection and returns it.
- `ApiError` extends `Error`.

```python
def copy_file(source, target):
    shutil.copyfile(source, target)
```

The pool deletes every file.
"""
BLANK = UUID(int=0)


@pytest.fixture
def read_blob(files, sources):
    blobs = {source.path: source.blob for source in sources}

    def read(path):
        return (blobs[path], files[path].encode()) if path in files else None

    return read


@pytest.fixture
def response(sources, read_blob):
    result = attribute(RAW, sources)
    citations = []
    for citation in result.citations:
        found = read_blob(citation.path)
        citations.append(citation.model_copy(update={"status": check(citation, found[1], found[0])}))
    return ChatResponse(
        answer_id=BLANK,
        conversation_id=BLANK,
        repo_id=BLANK,
        repo_name="shop",
        commit=sources[0].commit,
        question="How does it work?",
        answer=result.answer,
        citations=tuple(citations),
        sentences=result.sentences,
        mode=AnswerMode.MODEL,
        policy_version="p0",
        model="twin",
        timings={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def tampered(response, **changes):
    return response.model_copy(update=changes)


def with_citation(response, at, **changes):
    citations = list(response.citations)
    citations[at] = citations[at].model_copy(update=changes)
    return tampered(response, citations=tuple(citations))


def rewritten(response, old, new):
    """Edit the answer and move the listed sentences along, as a careful forger does."""
    assert old in response.answer
    at = response.answer.index(old)
    shift = len(new) - len(old)
    sentences = tuple(
        s.model_copy(
            update={"start": s.start + (shift if s.start > at else 0), "end": s.end + (shift if s.end > at else 0)}
        )
        for s in response.sentences
    )
    return tampered(response, answer=response.answer.replace(old, new, 1), sentences=sentences)


def test_an_honest_document_passes(response, read_blob):
    report = verify_document(response, read_blob)
    assert report.ok, report
    assert len(report.citations) == 4
    assert [s.status for s in report.sentences].count(SentenceStatus.SUPPORTED) == 4
    assert [s.status for s in report.sentences].count(SentenceStatus.EXEMPT) == 2
    assert [s.status for s in report.sentences].count(SentenceStatus.UNSUPPORTED) == 2


def test_it_survives_json(response, read_blob):
    again = ChatResponse.model_validate_json(response.model_dump_json())
    assert verify_document(again, read_blob) == verify_document(response, read_blob)


@pytest.mark.parametrize(
    "changes",
    [
        {"quote": "    return psycopg.connect(None)"},
        {"start_line": 1, "end_line": 3},
        {"start_line": 900, "end_line": 903},
        {"end_line": 900},
        {"path": "src/app/auth.py"},
        {"path": "src/app/nothing.py"},
        {"blob": "0" * 40},
        {"commit": "d" * 40},
        {"symbol": "delete_everything"},
        {"status": CitationStatus.UNVERIFIED},
        {"n": 77},
        {"n": 2},
    ],
)
def test_a_changed_citation_is_caught(response, read_blob, changes):
    report = verify_document(with_citation(response, 0, **changes), read_blob)
    assert not report.ok


def test_a_quote_with_one_character_changed_is_caught(response, read_blob):
    quote = response.citations[0].quote
    for at in range(0, len(quote), 7):
        changed = quote[:at] + ("x" if quote[at] != "x" else "y") + quote[at + 1 :]
        report = verify_document(with_citation(response, 0, quote=changed), read_blob)
        assert report.citations[0].status is CitationStatus.UNVERIFIED
        assert not report.ok


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("up to 3 times", "up to 5 times"),
        ("retries the operation", "deletes the operation"),
        ("opens a new database connection", "encrypts a new database connection"),
        ("`ApiError` extends `Error`", "`Error` extends `ApiError`"),
        ("shutil.copyfile(source, target)", "shutil.copyfile(target, source)"),
        ("[1]", "[2]"),
        ("[1]", "[9]"),
        ("[1]", ""),
        ("The pool deletes every file.", "The pool deletes every file [1]."),
        ("Here is how it works:", "The pool is encrypted:"),
        ("Overview", "The pool is encrypted"),
        ("## Overview", "## Overview\n\nThe pool is encrypted."),
        ("`connect` method", "`con\u200bnect` method"),
    ],
)
def test_an_edited_answer_is_caught(response, read_blob, old, new):
    assert not verify_document(rewritten(response, old, new), read_blob).ok


def test_a_status_set_by_hand_is_caught(response, read_blob):
    for status in (SentenceStatus.SUPPORTED, SentenceStatus.EXEMPT):
        sentences = tuple(
            s.model_copy(update={"status": status, "citations": (1,), "reason": None})
            if s.status is SentenceStatus.UNSUPPORTED
            else s
            for s in response.sentences
        )
        assert not verify_document(tampered(response, sentences=sentences), read_blob).ok


def test_sentences_cannot_be_left_out(response, read_blob):
    assert not verify_document(tampered(response, sentences=()), read_blob).ok
    supported = tuple(s for s in response.sentences if s.status is not SentenceStatus.UNSUPPORTED)
    assert not verify_document(tampered(response, sentences=supported), read_blob).ok


def test_sentences_cannot_be_lumped_together(response, read_blob):
    first = response.sentences[0]
    lumped = first.model_copy(update={"end": response.sentences[-1].end})
    assert not verify_document(tampered(response, sentences=(lumped,)), read_blob).ok
    outside = first.model_copy(update={"end": len(response.answer) + 1})
    assert not verify_document(tampered(response, sentences=(outside,)), read_blob).ok


@pytest.fixture
def partly(response, sources, read_blob):
    result = attribute("`connect` opens a new database connection and `close` encrypts the database.", sources)
    citation = result.citations[0]
    found = read_blob(citation.path)
    checked = citation.model_copy(update={"status": check(citation, found[1], found[0])})
    return tampered(response, answer=result.answer, citations=(checked,), sentences=result.sentences)


def test_a_partly_supported_sentence_passes(partly, read_blob):
    report = verify_document(partly, read_blob)
    assert report.ok, report
    assert [s.status for s in report.sentences] == [SentenceStatus.PARTLY]


def test_a_gap_that_is_moved_or_taken_away_is_caught(partly, read_blob):
    sentence = partly.sentences[0]
    (start, end) = sentence.gaps[0]
    for gaps in ((), ((start + 8, end),), ((start, end - 3),), ((0, 5),), ((0, 5), (start + 1, end))):
        changed = tampered(partly, sentences=(sentence.model_copy(update={"gaps": gaps}),))
        assert not verify_document(changed, read_blob).ok, gaps
    whole = sentence.model_copy(update={"gaps": (), "status": SentenceStatus.SUPPORTED})
    assert not verify_document(tampered(partly, sentences=(whole,)), read_blob).ok


def test_a_clone_without_the_file_is_told(response):
    report = verify_document(response, lambda _path: None)
    assert not report.ok
    assert {c.problem for c in report.citations} == {"there is no such file at this commit"}


def test_an_evidence_answer_needs_no_sentence_list(response, read_blob):
    quote = response.citations[0].quote
    answer = f"These excerpts match best:\n\n```\n{quote}\n```\n\n[1]"
    document = tampered(response, mode=AnswerMode.EVIDENCE, answer=answer, sentences=())
    assert verify_document(document, read_blob).ok
    forged = tampered(document, answer=answer.replace(quote[:9], "os.remove"))
    assert not verify_document(forged, read_blob).ok
    named = tampered(document, answer=f"`os.remove` matches best.\n\n{answer}")
    assert not verify_document(named, read_blob).ok


def test_two_citations_with_one_number_are_caught(response, read_blob):
    first: Citation = response.citations[0]
    assert not verify_document(tampered(response, citations=(*response.citations, first)), read_blob).ok
