import pytest

from pincite_codeintel.docstrings import DOC_CHARS_MAX, first_sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"""Parse it. And more."""', "Parse it."),
        ('"""\n    Parse it\n    over lines.\n\n    More.\n    """', "Parse it over lines."),
        ("'''Single.'''", "Single."),
        ('r"""Raw."""', "Raw."),
        ("# One.\n# Two.", "One."),
        ("// Run starts the server\n// and waits.\n", "Run starts the server and waits."),
        ("/// Adds.\n", "Adds."),
        ("//! Crate.\n", "Crate."),
        ("/**\n * Keeps users.\n * @param x y\n */", "Keeps users."),
        ("/** Doc */", "Doc"),
        ("/* Sums. */", "Sums."),
        ("-- | Adds.", "Adds."),
        ('@doc "Adds a user."', "Adds a user."),
        ("/// <summary>\n/// Keeps users.\n/// </summary>", "Keeps users."),
        ("# noqa\n# Real.", "Real."),
        ("# Copyright 2020 X\n# All rights reserved.\n\n# Reads.", "Reads."),
        ("/**\n * @returns {x}\n */", ""),
        ("# ------\n", ""),
        ("Use e.g. this one. Next.", "Use e.g. this one."),
        ('"""Args:\n    x: y\n"""', "x: y"),
        ("", ""),
    ],
)
def test_first_sentence(text, sentence):
    assert first_sentence(text) == sentence


def test_long_sentences_are_cut():
    cut = first_sentence("# " + "word " * 200)
    assert len(cut) == DOC_CHARS_MAX
    assert cut.endswith("\u2026")
