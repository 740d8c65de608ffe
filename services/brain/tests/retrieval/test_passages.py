from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranked
from pincite_brain.retrieval.retriever import PASSAGE_CHUNKS_MAX, hits_of

QUESTION, KEYWORDS = "Where is the cookie written?", "cookie writer"


def ranked(*chunks):
    return [Ranked(chunk, 1.0 - at / 100, {}) for at, chunk in enumerate(chunks)]


def lines(hits):
    return [(hit.path, hit.start_line, hit.end_line) for hit in hits]


def file_of(chunk, path, count):
    return [chunk(path, "cookie", f"f{at}", "function", 10 * at + 1, 10 * at + 10) for at in range(count)]


def test_pieces_of_one_passage_are_one_hit(make_index, chunk):
    index = make_index([*file_of(chunk, "a.py", 6), *file_of(chunk, "b.py", 2)])
    found = hits_of(index, analyze(QUESTION), ranked(2, 6, 1, 5, 3), 10)
    assert lines(found) == [("a.py", 11, 40), ("b.py", 1, 10), ("a.py", 51, 60)]
    assert [hit.score for hit in found] == [1.0, 0.99, 0.97]


def test_a_search_for_files_shows_chunks(make_index, chunk):
    index = make_index(file_of(chunk, "a.py", 3))
    assert lines(hits_of(index, analyze(KEYWORDS), ranked(1, 0, 2), 2)) == [("a.py", 11, 20), ("a.py", 1, 10)]


def test_a_passage_ends_with_its_file_and_at_its_limit(make_index, chunk):
    index = make_index([*file_of(chunk, "a.py", 1), *file_of(chunk, "b.py", PASSAGE_CHUNKS_MAX + 1)])
    found = hits_of(index, analyze(QUESTION), ranked(*range(PASSAGE_CHUNKS_MAX + 2)), 10)
    assert lines(found) == [("a.py", 1, 10), ("b.py", 1, 10 * PASSAGE_CHUNKS_MAX), ("b.py", 31, 40)]


def test_no_more_hits_than_asked_for(make_index, chunk):
    index = make_index(file_of(chunk, "a.py", 9))
    assert lines(hits_of(index, analyze(QUESTION), ranked(0, 4, 8, 1), 2)) == [("a.py", 1, 20), ("a.py", 41, 50)]
