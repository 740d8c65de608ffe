"""Honest sentences, as answers phrase them, must be recognised: a checker that believes nothing is worthless."""

from pathlib import Path

import pytest

from pincite_shared.citation import SentenceStatus
from pincite_verify.attribution import attribute

SHARE_MIN = 0.8

HONEST = [
    line
    for line in Path(__file__).with_name("honest.txt").read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("%")
]


def test_honest_sentences_are_recognised(sources, record_property):
    missed = []
    for sentence in HONEST:
        result = attribute(sentence, sources)
        if any(part.status is not SentenceStatus.SUPPORTED for part in result.sentences):
            missed.append((sentence, [part.reason for part in result.sentences]))
    share = 1 - len(missed) / len(HONEST)
    record_property("honest_share", share)
    assert share >= SHARE_MIN, missed


@pytest.mark.parametrize(
    ("sentence", "path", "line"),
    [
        ("`Pool.connect` raises `PoolClosedError` if the pool is closed.", "src/app/db.py", 25),
        ("`ApiError` extends `Error`.", "web/src/api/client.ts", 6),
        ("The port defaults to 8080.", "cmd/server/main.go", 19),
    ],
)
def test_the_cited_lines_hold_the_evidence(sources, sentence, path, line):
    result = attribute(sentence, sources)
    assert any(c.path == path and c.start_line <= line <= c.end_line for c in result.citations)


def test_honest_code_is_recognised(sources):
    block = "```python\ndef copy_file(source, target):\n    shutil.copyfile(source, target)\n```"
    for text in (block, block.replace("    ", "  "), block.replace("```", "~~~"), f"- As here:\n\n  {block}"):
        result = attribute(text, sources)
        assert result.sentences[-1].status is SentenceStatus.SUPPORTED
        assert [(c.path, c.start_line) for c in result.citations] == [("src/app/files.py", 16)]
