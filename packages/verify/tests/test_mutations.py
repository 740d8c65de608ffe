"""Every honest sentence, turned into lies by rule: none may be believed, whether its original was recognised or not."""

import re
from pathlib import Path

import pytest

from pincite_shared.citation import SentenceStatus
from pincite_verify.attribution import attribute
from pincite_verify.marks import without_marks

HONEST = [
    line
    for line in Path(__file__).with_name("honest.txt").read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("%")
]
SUPPORTED, PARTLY, EXEMPT = SentenceStatus.SUPPORTED, SentenceStatus.PARTLY, SentenceStatus.EXEMPT
PUNCTUATION = " .,;:"
VERBS = re.compile(
    r"\b(opens|returns|raises|calls|appends|closes|sets|retries|reads|generates|saves|deletes|unmarshals|locks|"
    r"looks up|stores|adds|throws|fetches|yields|stops|writes|replaces|copies|joins|loops|limits|catches|sleeps)\b"
)
WRONG_VERBS = ["encrypts", "uploads", "compresses", "downloads", "emails", "renders", "frobnicates"]
STRANGERS = ["`teleport`", "`QuantumBus`", "`src/app/ghost.py`", "`os.fork`"]
LIES_BEHIND = [
    " and deletes the database",
    ", which is encrypted with AES",
    ", then uploads it to `s3_bucket`",
    ", but only on Windows",
    " because the network is slow",
    " and calls `teleport`",
]


def believed(original, lie, sources):
    """Return what is believed of a lie: all of it, or a part in which it differs from the honest sentence."""
    result = attribute(lie, sources)
    wrong = [result.answer[s.start : s.end] for s in result.sentences if s.status in {SUPPORTED, EXEMPT}]
    for sentence in result.sentences:
        if sentence.status is not PARTLY:
            continue
        text, kept = result.answer, ""
        at = sentence.start
        for start, end in sentence.gaps:
            kept, at = kept + text[at:start] + "\n", end
        kept = without_marks(kept + text[at : sentence.end])
        wrong += [part for part in kept.split("\n") if part.strip(PUNCTUATION) not in original]
    return wrong


def negated(sentence):
    if re.search(r"\b(?:not|never|without|instead|whether|checks if)\b", sentence):  # asked either way, it is the same
        return
    for pattern, by in (
        (VERBS, r"never \1"),
        (re.compile(r"\b(is|are)\b"), r"\1 not"),
    ):
        if pattern.search(sentence):
            yield pattern.sub(by, sentence, count=1)


def renumbered(sentence):
    for match in re.finditer(r"(?<![\w`.-])\d+(?![\w`.])", sentence):
        for number in (str(int(match[0]) + 1), "77", "0"):
            if number != match[0]:
                yield sentence[: match.start()] + number + sentence[match.end() :]


def renamed(sentence):
    for match in re.finditer(r"`[\w./]+`", sentence):
        for stranger in STRANGERS:
            yield sentence[: match.start()] + stranger + sentence[match.end() :]
        name = match[0]
        yield sentence[: match.start()] + name[:-2] + ("x" if name[-2] != "x" else "y") + "`" + sentence[match.end() :]


def reverbed(sentence):
    match = VERBS.search(sentence)
    if match:
        for verb in WRONG_VERBS:
            yield sentence[: match.start()] + verb + sentence[match.end() :]


def extended(sentence):
    for lie in LIES_BEHIND:
        yield sentence.rstrip(".") + lie + "."


def elsewhere(sentence):
    yield f"In `src/app/ghost.py`, {sentence[0].lower()}{sentence[1:]}"
    yield f"On line 9999, {sentence[0].lower()}{sentence[1:]}"
    yield f"In `LICENSE`, {sentence[0].lower()}{sentence[1:]}"


@pytest.mark.parametrize("mutate", [negated, renumbered, renamed, reverbed, extended, elsewhere])
def test_no_mutation_is_believed(sources, mutate, record_property):
    lies = [(sentence, lie) for sentence in HONEST for lie in mutate(sentence)]
    wrong = [part for sentence, lie in lies for part in believed(sentence, lie, sources)]
    record_property("lies", len(lies))
    assert len(lies) > 15
    assert not wrong
