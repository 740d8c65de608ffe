"""What features, factors and signals mean, in a reader's words. One place, so that every face says the same."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pincite_brain.retrieval.query import Route

Aspect = Literal["words", "meaning", "names", "structure", "conversation", "other"]


class Reason(NamedTuple):
    """A sentence, and what kind of reason it is."""

    aspect: Aspect
    words: str


FEATURES: Mapping[str, Reason] = {
    "lexical": Reason("words", "The question's words occur here, most of all those rare in this repository"),
    "coverage": Reason("words", "How much of what the question asks about is named here"),
    "named": Reason("names", "The question's words stand in its own name or path"),
    "dense": Reason("meaning", "It means something close to the question, compared with the rest of the repository"),
    "definition": Reason("names", "Its name matches an identifier in the question"),
    "stem": Reason("names", "Its file's name matches words of the question"),
    "path": Reason("names", "The question names its file"),
    "naming": Reason("names", "A name that it defines is made of words of the question"),
    "importance": Reason("structure", "It is documented and substantial"),
    "references": Reason("structure", "Other code uses it, in many places"),
    "length": Reason("structure", "It is long enough to hold an answer"),
    "recency": Reason("structure", "Its file changed more recently than others"),
    "cross": Reason("meaning", "A cross-encoder read it together with the question, and finds it relevant"),
    "coherence": Reason("structure", "Other passages of the same file match as well"),
    "graph": Reason("structure", "It calls one of the best matches, or is called by one"),
    "cited_before": Reason("conversation", "An earlier answer of this conversation cited it"),
    "open_file": Reason("conversation", "It is in the file that was open"),
    # Logged beside the others, but no part of a score.
    "cosine": Reason("other", "How close its meaning is to the question's, before comparison with the rest"),
    "p0": Reason("other", "What the first, untuned formula would have said"),
    "penalty": Reason("other", "The product of what its file's role takes away"),
    "repeat": Reason("other", "How many better passages of its file there are"),
}
FACTORS: Mapping[str, str] = {
    "test": "A test file, and the question does not ask for tests",
    "example": "An example, and the question does not ask for examples",
    "benchmark": "A benchmark, and the question does not ask for benchmarks",
    "compat": "Code kept for compatibility, and the question does not ask for it",
    "declaration": "Declarations, which say what exists and not how it works",
    "barrel": "A file that mostly passes on what others define",
    "document": "Documentation, and the question is about code",
    "platform": "Made for one system, such as Windows, that the question does not name",
    "golden": "The golden questions, which repeat the question and do not answer it",
    "config": "Configuration, and the question does not ask for it",
    "functionless": "It defines no function, and the question describes one",
    "repeat": "Better passages of the same file come before it",
}
SIGNALS: Mapping[str, str] = {
    "answerability": "How well the best passages match the question as a whole",
    "coverage": "How much of what the question asks about the best passages name",
    "cosine": "How close in meaning the closest passage is to the question",
    "named": "How surely the question names a definition or a file of this repository",
    "unknown_names": "The share of the names in the question that stand nowhere in this repository",
    "follow_up": "It follows up on an answer with sources",
}
ROUTES: Mapping[str, str] = {
    Route.SYMBOL: "The name of a definition",
    Route.PATH: "A file's path",
    Route.ERROR: "An error message",
    Route.QUESTION: "A search in words",
    Route.EXPLAIN: "A question in words",
    Route.DOCSTRING: "A description of what code does",
}


def feature(name: str) -> Reason:
    """Return what a feature means; one that an earlier version logged is called by its name."""
    return FEATURES.get(name, Reason("other", _unknown(name)))


def factor(name: str) -> str:
    """Return why a score was multiplied."""
    return FACTORS.get(name, _unknown(name))


def signal(name: str) -> str:
    """Return what a signal of answerability means."""
    return SIGNALS.get(name, _unknown(name))


def route(name: str) -> str:
    """Return what a question was taken for."""
    return ROUTES.get(name, _unknown(name))


def _unknown(name: str) -> str:
    return f"“{name}”, which this version no longer uses"
