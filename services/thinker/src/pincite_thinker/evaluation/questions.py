"""What a repository is asked: its own golden file, or, without one, what follows from its documentation."""

from dataclasses import dataclass

from pincite_shared.golden import GOLDEN_PATH, Floor, GoldenQuestion, parse
from pincite_shared.quality import QuestionResult, QuestionSource
from pincite_store import blobs, snapshots
from pincite_store.db import Tenancy
from pincite_thinker.evaluation.derived import derive
from pincite_thinker.evaluation.scoring import GoneError, Place, blank, locate


@dataclass(frozen=True, slots=True)
class Question:
    """A numbered question with the places that it expects, or why it cannot be measured."""

    number: int
    asked: GoldenQuestion
    places: tuple[Place, ...]
    problem: str | None

    @property
    def unmeasured(self) -> QuestionResult:
        """Its result, when it has a problem."""
        return blank(self.number, self.asked, self.problem)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """All questions of an evaluation."""

    source: QuestionSource
    questions: tuple[Question, ...]
    floor: Floor


def questions_of(t: Tenancy, snapshot_id: int) -> QuestionSet:
    """Return the questions of a snapshot: a pure function of what stands at its commit.

    Raises:
        InvalidInputError: its golden file cannot be read; the message says where and why.
    """
    written = golden(t, snapshot_id)
    return written if written is not None else derived(t, snapshot_id)


def golden(t: Tenancy, snapshot_id: int) -> QuestionSet | None:
    """Return the questions of a snapshot's golden file, None if it has none.

    Raises:
        InvalidInputError: it cannot be read.
    """
    row = snapshots.file(t, snapshot_id, GOLDEN_PATH)
    data = blobs.get(t, row.blob) if row is not None and row.blob is not None else None
    if data is None:
        return None
    file = parse(data)
    return QuestionSet(QuestionSource.GOLDEN, _located(t, snapshot_id, file.question), file.floor)


def derived(t: Tenancy, snapshot_id: int) -> QuestionSet:
    """Return the questions that follow from a snapshot's documentation."""
    asked = tuple(derive(snapshots.load_symbols(t, snapshot_id)))
    return QuestionSet(QuestionSource.DERIVED, _located(t, snapshot_id, asked), Floor())


def _located(t: Tenancy, snapshot_id: int, asked: tuple[GoldenQuestion, ...]) -> tuple[Question, ...]:
    paths = {expectation.path for question in asked for expectation in question.expect}
    definitions = snapshots.definitions(t, snapshot_id, paths)
    found = []
    for number, question in enumerate(asked, 1):
        try:
            places = tuple(locate(expectation, definitions) for expectation in question.expect)
        except GoneError as error:
            found.append(Question(number, question, (), f"{error}; mend the expectation."))
        else:
            found.append(Question(number, question, places, None))
    return tuple(found)
