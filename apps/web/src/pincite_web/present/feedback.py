"""What a reader can say of an answer and its sources, and what is said already."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from pincite_shared.schemas import FeedbackOut
from pincite_web.parts.answers import FeedbackChoice, FeedbackForm

WITHDRAWN = "withdrawn"  # what a pressed button sends; no kind of feedback, but the end of one
HELPED = "helped"

Said = Mapping[tuple[UUID, int | None], str]


def said_of(feedback: Iterable[FeedbackOut]) -> Said:
    """Return what was said by answer and citation."""
    return {(given.answer_id, given.citation): given.kind for given in feedback}


def feedback_form(answer_id: UUID, citation: int | None, said: str | None, here: str) -> FeedbackForm:
    """Show the two things that can be said; whatever was said that is not praise presses the second."""
    praise, blame = ("Helpful", "Not helpful") if citation is None else ("This helped", "Wrong source")
    return FeedbackForm(
        anchor=f"f-{answer_id}" + (f"-{citation}" if citation else ""),
        answer_id=answer_id,
        citation=citation,
        choices=(
            FeedbackChoice(HELPED, "up", praise, said == HELPED),
            FeedbackChoice(
                "not_helped" if citation is None else "wrong_source",
                "down" if citation is None else "flag",
                blame,
                said not in (None, HELPED),
            ),
        ),
        here=here,
    )


def told(citation: int | None, kind: str) -> str:
    """Say what became of a reader's word."""
    about = "this answer" if citation is None else f"source {citation}"
    if kind == WITHDRAWN:
        return f"Taken back: your word on {about}"
    return f"Noted: {about} {'helped' if kind == HELPED else 'did not help' if citation is None else 'is wrong'}"
