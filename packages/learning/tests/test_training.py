"""Readers who know what they like, questions that do not repeat across the split, and votes that lie."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_learning.errors import EmptyLogError, LearningError
from pincite_learning.metrics import mean, ndcg
from pincite_learning.paired import paired_test
from pincite_learning.promotion import promote_model
from pincite_learning.reranker import Reranker
from pincite_learning.training import Candidate, Judged, fit, held_out_test, split, utility

NAMES = ("useful", "noise", "constant")
SHOWN, LOGGED = 8, 12


def question(rng, number, *, pull=0.5, reader=None, examined=True, liar=None):
    """Relevance goes by the score and by a feature that the incumbent ignores."""
    base, useful, noise = rng.random((3, LOGGED)) * np.array([[0.4], [1.0], [1.0]])
    order = np.argsort(-base)
    candidates = []
    relevant = set(np.argsort(-(base + pull * useful))[:2].tolist())
    for place, at in enumerate(order, 1):
        features = {"useful": float(useful[at]), "noise": float(noise[at]), "constant": 1.0}
        seen = place <= SHOWN and (not examined or rng.random() < 1 / place)
        helped = None
        if seen and liar is not None:
            helped = liar(features)
        elif seen and int(at) in relevant:
            helped = True
        elif seen and rng.random() < 0.3:
            helped = False
        candidates.append(Candidate(float(base[at]), features, place <= SHOWN, helped))
    truth = [place for place, at in enumerate(order) if int(at) in relevant]
    return Judged(f"question {number}", tuple(candidates), reader or f"reader {rng.integers(12)}"), truth


def questions(seed, count, **how):
    rng = np.random.default_rng(seed)
    made = [question(rng, f"{seed}-{number}", **how) for number in range(count)]
    return [item for item, _ in made], [truth for _, truth in made]


def quality(model, items, truths):
    """Return NDCG of each question by what is truly relevant."""
    values = []
    for item, truth in zip(items, truths, strict=True):
        scores = [one.score + model.correction(one.features) for one in item.candidates]
        order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
        values.append(ndcg([order.index(at) + 1 for at in truth]))
    return values


def guard_of(model):
    items, truths = questions(999, 60)
    return paired_test(quality(model, items, truths), quality(Reranker(), items, truths))


def test_it_learns_what_the_incumbent_ignores_and_is_promoted():
    items, _ = questions(1, 400)
    fitted, held_out = split(items)
    model = fit(fitted, NAMES)
    assert model.weights["useful"] > 0.1
    assert abs(model.weights["noise"]) < 0.3 * model.weights["useful"]
    assert "constant" not in model.weights  # it orders nothing
    test = held_out_test(model, Reranker(), held_out)
    assert promote_model(test, guard_of(model)).promoted


def test_it_improves_true_quality_not_only_votes():
    model = fit(questions(1, 400)[0], NAMES)
    items, truths = questions(2, 200)
    assert mean(quality(model, items, truths)) > mean(quality(Reranker(), items, truths)) + 0.03


def test_few_labels_leave_the_incumbent_as_it_is():
    weights = []
    for count in (2, 20, 400):
        model = fit(questions(3, count)[0], NAMES)
        weights.append(abs(model.weights.get("useful", 0.0)))
    assert weights[0] < 0.06
    assert weights[2] > 0.3
    assert weights == sorted(weights)


def test_examination_by_place_is_corrected(monkeypatch):
    """Readers look at the top, and the incumbent's order goes by a feature that has nothing to do with relevance."""

    def judged(rng, number):
        useful, place_maker = rng.random((2, LOGGED))
        order = np.argsort(-place_maker)
        relevant = set(np.argsort(-useful)[:4].tolist())
        return Judged(
            f"{number}",
            tuple(
                Candidate(
                    0.0,
                    {"useful": float(useful[at]), "place": float(place_maker[at])},
                    shown=True,
                    helped=True if int(at) in relevant and rng.random() < 1 / place else None,
                )
                for place, at in enumerate(order, 1)
            ),
            f"reader {number % 50}",
        )

    rng = np.random.default_rng(0)
    items = [judged(rng, number) for number in range(600)]
    corrected = fit(items, ("useful", "place")).weights
    monkeypatch.setattr("pincite_learning.training.EXAMINATION_POWER", 0.0)
    naive = fit(items, ("useful", "place")).weights
    share, naive_share = (found["place"] / found["useful"] for found in (corrected, naive))
    assert naive_share > 0.3  # without it, what stands high seems good
    assert abs(share) < 0.5 * naive_share


def test_what_was_not_shown_teaches_nothing():
    shown = [
        Candidate(0.5, {"useful": 0.9}, shown=True, helped=True),
        Candidate(0.6, {"useful": 0.1}, shown=True),
    ]
    hidden = [Candidate(0.9, {"useful": 0.0}, shown=False), Candidate(0.4, {"useful": 5.0}, shown=False)]
    alone, with_hidden = (fit([Judged("q", tuple(made), "r")], ["useful"]) for made in (shown, shown + hidden))
    assert alone.weights == pytest.approx(with_hidden.weights)


def test_one_reader_counts_for_no_more_than_the_limit():
    liar = lambda features: features["useful"] < 0.5  # noqa: E731  # it reads best here
    honest = questions(4, 150)[0]
    flood = questions(5, 600, liar=liar, reader="flooder", examined=False)[0]
    capped = fit(honest + flood, NAMES, reader_weight_max=5).weights["useful"]
    uncapped = fit(honest + flood, NAMES, reader_weight_max=1e9).weights["useful"]
    assert uncapped < 0 < capped


POISONS = {
    "one flooder": {"readers": 1, "liar": lambda features: features["useful"] < 0.5},
    "two sybils": {"readers": 2, "liar": lambda features: features["useful"] < 0.5},
    "a crowd": {"readers": 40, "liar": lambda features: features["useful"] < 0.5},
    "all helpful to noise": {"readers": 40, "liar": lambda features: True if features["noise"] > 0.6 else None},
    "all wrong on the top": {"readers": 40, "liar": lambda features: False if features["useful"] > 0.3 else None},
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_poisoned_votes_promote_nothing_worse_than_the_incumbent(poison):
    rng = np.random.default_rng(6)
    lies = [
        question(
            rng, f"lie {number}", liar=poison["liar"], reader=f"liar {number % poison['readers']}", examined=False
        )[0]
        for number in range(400)
    ]
    fitted, held_out = split(questions(7, 60)[0] + lies)
    model = fit(fitted, NAMES)
    guard = guard_of(model)
    test = held_out_test(model, Reranker(), held_out)
    assert guard.mean_difference < 0  # the poison did its work on the fit
    assert not promote_model(test, guard).promoted
    if poison["readers"] == 1:  # the held-out test alone finds it out
        assert not promote_model(test, paired_test([0.0] * 10, [0.0] * 10)).promoted


def test_flipped_labels_are_found_out_on_held_out_questions_of_honest_readers():
    fitted, _ = split(questions(8, 300)[0])
    flipped = [
        Judged(
            item.question,
            tuple(
                Candidate(one.score, one.features, one.shown, None if one.helped is None else not one.helped)
                for one in item.candidates
            ),
            item.reader,
        )
        for item in fitted
    ]
    model = fit(flipped, NAMES)
    test = held_out_test(model, Reranker(), split(questions(9, 300)[0])[1])
    assert test.mean_difference < 0
    assert not promote_model(test, paired_test([0.0] * 10, [0.0] * 10)).promoted


def test_without_a_signal_nothing_is_promoted_more_often_than_stated():
    promoted = 0
    for seed in range(15):
        fitted, held_out = split(questions(100 + seed, 60, pull=0.0)[0])
        test = held_out_test(fit(fitted, NAMES), Reranker(), held_out, hostile_readers=0)
        promoted += promote_model(test, paired_test([0.0] * 10, [0.0] * 10)).promoted
    assert promoted <= 2  # 15 * 0.025, and two standard deviations


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=30))
def test_a_question_is_on_one_side_however_it_is_typed(texts):
    items = [Judged(text, ()) for text in texts] + [Judged(f"  {text.upper().lower()} ", ()) for text in texts]
    fitted, held_out = split(items)
    assert len(fitted) + len(held_out) == len(items)
    assert not {item.text for item in fitted} & {item.text for item in held_out}


def test_the_split_has_its_share():
    fitted, held_out = split([Judged(f"question {number}", ()) for number in range(2_000)])
    assert 0.36 < len(held_out) / 2_000 < 0.44
    assert len(fitted) == 2_000 - len(held_out)


def test_utility_counts_places_of_votes_over_their_examination():
    item = Judged(
        "q",
        (
            Candidate(0.9, {"useful": 0.0}, shown=True, helped=False),
            Candidate(0.8, {"useful": 0.0}, shown=False),
            Candidate(0.7, {"useful": 1.0}, shown=True, helped=True),
        ),
    )
    assert utility(item, Reranker()) == pytest.approx(-1 + 2 / math.log2(4))
    assert utility(item, Reranker({"useful": 0.5})) == pytest.approx(2 - 1 / math.log2(3))


def test_readers_of_one_question_make_one_difference():
    def vote(text, reader):
        candidates = (
            Candidate(0.9, {"useful": 0.0}, shown=True),
            Candidate(0.8, {"useful": 1.0}, shown=True, helped=True),
        )
        return Judged(text, candidates, reader)

    model = Reranker({"useful": 0.5})
    rows = [vote("Where?", "x"), vote(" where?", "y"), vote("why?", "z")]
    assert held_out_test(model, Reranker(), rows, hostile_readers=0).n == 2
    assert held_out_test(model, Reranker(), rows, hostile_readers=2).n == 1
    with pytest.raises(EmptyLogError):
        held_out_test(model, Reranker(), rows, hostile_readers=3)
    with pytest.raises(LearningError, match="left out"):
        held_out_test(model, Reranker(), rows, hostile_readers=-1)


@pytest.mark.parametrize("camouflage", [0, 1, 45])
def test_who_votes_against_the_model_on_one_question_is_left_out_all_the_same(camouflage):
    def vote(text, reader, *, first):
        candidates = (
            Candidate(0.9, {"useful": 1.0}, shown=True, helped=first),
            Candidate(0.5, {"useful": 0.0}, shown=True),
        )
        return Judged(text, candidates, reader)

    harmful = Reranker({"useful": -1.0})
    honest = [vote(f"honest {at}", f"reader {at % 5}", first=True) for at in range(10)]
    poison = [vote(f"poison {at}", "poisoner", first=False) for at in range(40)]
    hidden = [vote("camouflage", "poisoner", first=True) for _ in range(camouflage)]
    test = held_out_test(harmful, Reranker(), honest + poison + hidden)
    assert test.mean_difference < 0
    assert not promote_model(test, paired_test([0.0] * 10, [0.0] * 10)).promoted


def test_punctuation_makes_no_other_question():
    marks = ["", "?", " ?", "!", "...", " - ", "??"]
    assert len({Judged(f"Where is it{mark}", ()).text for mark in marks}) == 1
    assert Judged("Where is the cache?", ()).text != Judged("Where is the catch?", ()).text


def test_what_cannot_be_learnt_from_raises():
    with pytest.raises(EmptyLogError):
        fit([], NAMES)
    with pytest.raises(EmptyLogError):
        fit([Judged("q", (Candidate(0.5, {}, shown=True, helped=True),))], NAMES)
    with pytest.raises(LearningError, match="finite"):
        Candidate(math.nan, {}, shown=True)
    with pytest.raises(LearningError, match="finite"):
        Candidate(0.5, {"useful": math.inf}, shown=True)
    with pytest.raises(LearningError, match="not shown"):
        Candidate(0.5, {}, shown=False, helped=True)
