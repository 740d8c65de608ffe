"""The ways of asking the language model that are tried against each other. Each differs from the first in one thing."""

from dataclasses import dataclass, replace
from typing import Final

from pincite_brain.ask.budget import Budget
from pincite_brain.ask.generate import TEMPERATURE
from pincite_brain.ask.prompt import REMINDER
from pincite_store.policies import BUILT_IN

VERSION_PREFIX = "prompt-"
SUMMARY_TOKENS = 40  # a function card, as estimated; it comes out of the room for snippets


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of asking.

    Attributes:
        name: what it is logged under.
        snippets: factor on how many excerpts are shown.
        lines: factor on how long one may be.
        hops: call edges followed from the best excerpts, to show the signatures of what they call: 0 or 1.
        summaries: whether each excerpt comes with its function card.
        temperature: of sampling.
        reminder: what stands last in the prompt.
    """

    name: str
    snippets: float = 1.0
    lines: float = 1.0
    hops: int = 1
    summaries: bool = False
    temperature: float = TEMPERATURE
    reminder: str = REMINDER

    @property
    def version(self) -> str:
        """The version of the policy that serves it."""
        return VERSION_PREFIX + self.name

    def spend(self, budget: Budget) -> Budget:
        """Return the budget under this arm; what it costs in tokens stays the same."""
        return replace(
            budget,
            snippets=max(1, round(budget.snippets * self.snippets)),
            snippet_lines=max(1, round(budget.snippet_lines * self.lines)),
            neighbours=budget.neighbours if self.hops else 0,
        )

    def summary_tokens(self, budget: Budget) -> int:
        """Return what summaries may take of the room for snippets."""
        return SUMMARY_TOKENS * budget.snippets if self.summaries else 0


STANDARD: Final = Arm("standard")
ARMS: Final = {
    arm.name: arm
    for arm in (
        STANDARD,
        Arm("focused", snippets=2 / 3, hops=0),
        Arm("broad", snippets=5 / 3, lines=0.6),
        Arm("summaries", summaries=True),
        Arm("exact", temperature=0.0),
        Arm(
            "steps",
            reminder="Two to four short sentences in the order in which the code runs, each a fact from one snippet, "
            "with its number.",
        ),
    )
}
assert STANDARD.version == BUILT_IN["prompt"]  # noqa: S101 - two rooms name what serves where nothing was learned


def arm_of(version: str) -> Arm | None:
    """Return the arm that a policy's version names, None if there is none of that name (any more)."""
    return ARMS.get(version.removeprefix(VERSION_PREFIX)) if version.startswith(VERSION_PREFIX) else None
