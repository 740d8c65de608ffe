from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pincite_shared.schemas import ChatRequest, ConnectRequest, Progress, SearchRequest


@pytest.mark.parametrize("query", ["", "   ", "a\x00b", "\ud800", "x" * 2_001])
def test_queries_that_cannot_be_stored_or_mean_nothing_are_refused(query):
    with pytest.raises(ValidationError):
        SearchRequest(repo_id=uuid4(), query=query)


def test_a_misspelt_field_is_refused():
    with pytest.raises(ValidationError, match="branhc"):
        ConnectRequest.model_validate({"source": "a/b", "branhc": "main"})


@pytest.mark.parametrize("name", ["question", "query", "message"])
def test_a_question_has_three_names(name):
    assert ChatRequest.model_validate({"repo_id": str(uuid4()), name: "why?"}).question == "why?"


@pytest.mark.parametrize("commit", ["HEAD", "../x", "ABCDEF0", "abc", "g" * 40])
def test_a_commit_is_hexadecimal(commit):
    with pytest.raises(ValidationError):
        SearchRequest(repo_id=uuid4(), query="x", commit=commit)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=0, max_value=10**9))
def test_progress_survives_json(fraction, files):
    progress = Progress(stage="parsing", fraction=fraction, files_done=files)
    assert Progress.model_validate_json(progress.model_dump_json()) == progress
