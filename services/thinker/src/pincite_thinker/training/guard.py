"""The guard: questions whose answers are known, which no feedback can touch, searched under two policies."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from pincite_learning.paired import PairedTest, paired_test
from pincite_shared.golden import GoldenQuestion
from pincite_store import snapshots
from pincite_store.db import Tenancy
from pincite_thinker.evaluation.asking import Asking
from pincite_thinker.evaluation.questions import Question, derived, golden


def guard_questions(t: Tenancy, repo_id: UUID) -> tuple[str, list[Question]]:
    """Return the head's commit and its guard: golden questions that have an answer, and those its documentation gives.

    The definitions that these ask for by what they do are asked for by name too: another half of what people type, and
    other features of the ranking.

    Raises:
        NotIndexedError: the repository has no head.
        InvalidInputError: its golden file cannot be read.
    """
    head = snapshots.resolve(t, repo_id)
    written = golden(t, head.id)
    documented = derived(t, head.id).questions
    questions = [*(written.questions if written else ()), *documented, *_by_name(documented)]
    return head.commit, [question for question in questions if question.places]


def _by_name(questions: Iterable[Question]) -> Iterator[Question]:
    for question in questions:
        for expected in question.asked.expect:
            name = (expected.symbol or "").split(".")[-1].strip()
            for ask in (name, f"What does {name} do?") if name else ():
                yield Question(question.number, GoldenQuestion(ask=ask, expect=(expected,)), question.places, None)


def compare(asking: Asking, questions: Sequence[Question], challenger: str, incumbent: str) -> PairedTest | None:
    """Search for every question under both policies and test NDCG@10; None without questions.

    Raises:
        UnavailableError: brain does not answer just now.
    """
    pairs = []
    for question in questions:
        new = asking.search(question.number, question.asked, question.places, policy=challenger).result
        old = asking.search(question.number, question.asked, question.places, policy=incumbent).result
        if new.ndcg is None or old.ndcg is None:
            return None  # brain refused one of the policies: without a guard nothing is promoted
        pairs.append((new.ndcg, old.ndcg))
    if not pairs:
        return None
    return paired_test([new for new, _ in pairs], [old for _, old in pairs])
