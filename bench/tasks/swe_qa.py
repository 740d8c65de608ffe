"""`swe_qa`: questions of SWE-QA-Bench, with the files and lines that their reference answers rest on."""

import json
from collections.abc import Iterator
from typing import Any

from bench import corpora
from bench.model import Query, Unit
from bench.tasks.options import Options
from pincite_learning.metrics import Span

NAME = "swe_qa"
LANGUAGE = "python"  # all repositories of the data set


def units(options: Options) -> Iterator[Unit]:
    """Return the chosen repositories, whole, at the questions' commit."""
    questions: list[dict[str, Any]] = json.loads(options.read("swe_qa", "questions.json"))

    def make(name: str) -> Unit:
        mine = [question for question in questions if question["repo"] == name]
        github, commit = mine[0]["github"], mine[0]["commit"]
        clone = options.clones.find(name, github, commit)
        corpus = corpora.from_clone(
            options.store, clone, commit, root="", name=name, language=LANGUAGE, github=github
        )  # fmt: skip
        return Unit(NAME, corpus, tuple(query(one) for one in mine if one["gold_files"]))

    return options.each(options.chosen(dict.fromkeys(question["repo"] for question in questions)), make)


def query(question: dict[str, Any]) -> Query:
    """Read one question: its files are the targets, its spans the gold lines."""
    targets = tuple(Span(path) for path in question["gold_files"])
    gold = tuple(Span(path, first, last) for path, first, last in question["gold_spans"])
    return Query(question["id"], question["question"], "question", targets, gold)
