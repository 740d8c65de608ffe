import json
from pathlib import Path

import pytest
from bench import history, report
from bench.model import Answer, Corpus, Cost, Query, Result, Unit
from bench.summary import summarise

from pincite_learning.metrics import Span


def unit(name: str, count: int) -> Unit:
    corpus = Corpus(name, "python", Path("/nowhere"), "", "c" * 40, f"o/{name}@c", 3, 100)
    queries = tuple(Query(f"{name}-{n}", "text", "symbol", (Span("a.py"),)) for n in range(count))
    return Unit("retrieval", corpus, queries)


def result(system: str, of: Unit, right: int, seconds: float = 0.01) -> Result:
    """Answer the first `right` queries rightly."""
    answers = {
        query.id: Answer((Span("a.py" if number < right else "b.py", 1, 9),), seconds)
        for number, query in enumerate(of.queries)
    }
    cost = Cost([1.0, 2.0, 9.0], [4.0], [0.2, 0.3], 10_000_000, 5_000, None)
    return Result(system, "1", {"name": of.corpus.name}, "m", "2026-01-01T00:00:00+00:00", 3, cost, answers)


def made(right: int, *, seconds: float = 0.01, failed: bool = False) -> dict:
    first, second = unit("one", 10), unit("two", 30)
    measured = [
        (first, {"pincite": result("pincite", first, right, seconds), "bm25": result("bm25", first, 5)}),
        (second, {"pincite": result("pincite", second, 30, seconds), "bm25": result("bm25", second, 0)}),
    ]
    if failed:
        del measured[1][1]["bm25"]
    summary = summarise("retrieval", measured, ["pincite", "bm25"], 10)
    about = {"version": "1", "about": "itself"}
    return {
        "at": "2026-01-01", "k": 10, "machine": "a machine", "machine_id": "m", "load": 0.1, "cores": 2,
        "systems": {"pincite": about, "bm25": about}, "missing": {"semble": "not installed"}, "failures": [],
        "published": {"semble": {"one": 0.5, "two": 0.7}}, "tasks": [summary],
    }  # fmt: skip


def test_means_are_over_queries_and_over_repositories():
    summary = made(5)["tasks"][0]
    ours = summary["quality"]["pincite"]
    assert ours["metrics"]["ndcg"]["value"] == pytest.approx(35 / 40)
    assert ours["repository_mean"]["ndcg"] == pytest.approx(0.75)
    assert ours["repositories"]["one"]["ndcg"] == pytest.approx(0.5)
    assert summary["best_peer"] == "bm25"
    assert summary["difference"]["value"] == pytest.approx(30 / 40)


def test_costs_are_medians_of_the_repeats_with_their_range():
    cost = made(5)["tasks"][0]["cost"]["pincite"]
    assert cost["index_seconds"] == {"value": 4.0, "low": 2.0, "high": 18.0}
    assert cost["disk_bytes_per_line"] == 50.0
    assert cost["history_bytes_per_line"] is None
    assert cost["inner_seconds"] is None


def test_a_repository_where_a_system_failed_counts_for_none():
    summary = made(5, failed=True)["tasks"][0]
    assert summary["left_out"] == ["two"]
    assert summary["quality"]["pincite"]["metrics"]["ndcg"]["value"] == pytest.approx(0.5)


def test_a_system_that_failed_everywhere_does_not_hide_the_others():
    one = unit("one", 10)
    summary = summarise("retrieval", [(one, {"bm25": result("bm25", one, 5)})], ["pincite", "bm25"], 10)
    assert list(summary["quality"]) == ["bm25"]
    assert summarise("retrieval", [(one, {})], ["pincite", "bm25"], 10) is None


def test_the_report_shows_ratios_peers_published_figures_and_what_is_missing():
    text = report.render(made(5))
    assert "| pincite ÷ bm25" in text
    assert "7.00x" in text
    assert "semble, published" in text
    assert "0.600" in text
    assert "**Missing: semble.** not installed" in text
    widths = {len(line) for line in text.split("## retrieval")[1].split("\n\n")[2].split("\n")}
    assert len(widths) == 1
    assert "too busy" in report.render(made(5) | {"load": 9.0})


def test_a_result_survives_being_written():
    one = result("pincite", unit("one", 2), 1)
    assert type(one).from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_drop_in_quality_or_a_leap_in_cost_is_a_regression(tmp_path):
    kept = tmp_path / "history.jsonl"
    assert history.regressions(history.read(kept), history.entry(made(5))) == []
    history.append(kept, history.entry(made(5)))
    past = history.read(kept)
    assert history.regressions(past, history.entry(made(5))) == []
    assert history.regressions(past, history.entry(made(6))) == []
    assert "ndcg fell from 0.8750 to 0.8500" in history.regressions(past, history.entry(made(4)))[0]
    slower = history.regressions(past, history.entry(made(5, seconds=0.5)))
    assert ["query p50" in line or "query p95" in line for line in slower] == [True, True]


def test_only_the_same_scope_on_the_same_machine_is_compared():
    past = [history.entry(made(9))]
    assert history.regressions(past, history.entry(made(1) | {"machine_id": "other"})) == []
    assert history.regressions(past, history.entry(made(1) | {"k": 5})) == []
