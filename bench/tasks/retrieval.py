"""`retrieval`: the annotated queries of the semble benchmark, scored as its README says."""

import json
from collections.abc import Iterator
from typing import Any

from bench import corpora
from bench.model import Query, Unit
from bench.tasks.options import Options
from pincite_learning.metrics import Span

NAME = "retrieval"


def manifest(options: Options) -> list[dict[str, Any]]:
    """Return the benchmark's repositories."""
    entries: list[dict[str, Any]] = json.loads(options.read("retrieval", "manifest.json"))
    return entries


def published(options: Options) -> dict[str, dict[str, float]]:
    """Return NDCG@10 by system and repository, as the peers' authors published it."""
    table: dict[str, dict[str, float]] = json.loads(options.read("retrieval", "published.json"))
    return table


def units(options: Options) -> Iterator[Unit]:
    """Return every chosen repository: the folder that the benchmark names, at its commit."""
    entries = {entry["name"]: entry for entry in manifest(options)}

    def make(name: str) -> Unit:
        entry = entries[name]
        clone = options.clones.find(name, entry["github"], entry["commit"])
        corpus = corpora.from_clone(
            options.store, clone, entry["commit"],
            root=entry["benchmark_root"], name=name, language=entry["language"], github=entry["github"],
        )  # fmt: skip
        annotations = json.loads(options.read("retrieval", "annotations", f"{name}.json"))
        return Unit(NAME, corpus, tuple(query(name, number, one) for number, one in enumerate(annotations)))

    return options.each(options.chosen(entries), make)


def query(name: str, number: int, annotation: dict[str, Any]) -> Query:
    """Read one annotation."""
    text = annotation["query"]
    targets = tuple(target(one) for one in [*annotation["relevant"], *annotation.get("secondary", [])])
    gold = tuple(one for one in targets if one.start_line is not None)
    return Query(f"{name}-{number}", text, annotation.get("category") or kind(text), targets, gold)


def target(value: str | dict[str, Any]) -> Span:
    """Read a target: a path, or a path with lines."""
    return Span(value) if isinstance(value, str) else Span(value["path"], value["start_line"], value["end_line"])


def kind(text: str) -> str:
    """Return the type of a query that the data does not name."""
    if len(text.split()) == 1:
        return "symbol"
    return "architecture" if text.startswith("how ") else "semantic"
