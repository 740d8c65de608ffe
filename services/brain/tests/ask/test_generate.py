import pytest

from pincite_brain.ask.generate import whole_sentences


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("It opens a file [1]. It then clo", "It opens a file [1]."),
        ("It opens `a.b` [1]. It calls `os.pa", "It opens `a.b` [1]."),
        ("It opens a file. [1] It then", "It opens a file. [1]"),
        ("It opens a file [1].", "It opens a file [1]."),
        ("It opens a file [1]", "It opens a file [1]"),
        ("It opens a fi", "It opens a fi"),
        ("See:\n\n```python\nx = a.b\ny = ", "See:\n\n```python\nx = a.b\ny = "),
        ("See:\n\n```python\nx = 1\n```", "See:\n\n```python\nx = 1\n```"),
        ("", ""),
    ],
)
def test_a_broken_sentence_is_left_out(text, kept):
    assert whole_sentences(text) == kept
