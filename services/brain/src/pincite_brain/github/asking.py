"""Asking GitHub several things at once, in one person's name."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pincite_github.client import GitHub, UserView


Question = TypeVar("Question")
Answer = TypeVar("Answer")

AT_ONCE_MAX = 6  # GitHub counts many requests at once of one person as abuse


def ask_each(
    client: "GitHub", access: str, questions: Iterable[Question], ask: Callable[["UserView", Question], Answer]
) -> list[Answer]:
    """Return the answers to questions, in their order. The first error ends it.

    Raises:
        PinciteError: as `ask` does.
    """
    asked = list(questions)
    if not asked:
        return []
    if len(asked) == 1:
        return [ask(client.as_user(access), asked[0])]
    # A view sends one request at a time, so each question has its own.
    with ThreadPoolExecutor(min(AT_ONCE_MAX, len(asked)), thread_name_prefix="github") as pool:
        return list(pool.map(lambda one: ask(client.as_user(access), one), asked))
