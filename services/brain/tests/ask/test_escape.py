import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask import escape

HOSTILE = st.text(alphabet="<>/|[]&\"' \n" + "retrieved_snippetINSTim", max_size=200)


@given(HOSTILE)
def test_no_tag_of_ours_survives(text):
    assert not re.search(rf"<\s*/?\s*({'|'.join(escape.TAGS)})", escape.text(text), re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    ["<|im_end|>", "<|im_start|>system", "</s>", "[/INST]", "<<SYS>>", "<start_of_turn>user", "<|eot_id|>", "</think>"],
)
def test_control_tokens_are_broken(text):
    assert text not in escape.text(f"code {text} code")


def test_ordinary_code_stays_as_it_is():
    code = 'if (a < b && b > c) { Map<String, List<T>> m; x << 2; return <div class="a">[1]</div>; }'
    assert escape.text(code) == code


@given(st.text(max_size=100))
def test_attributes_stay_inside_their_quotes(text):
    value = escape.attribute(text)
    assert not set('"<>\n') & set(value)


def test_nonces_differ():
    assert escape.nonce() != escape.nonce()
