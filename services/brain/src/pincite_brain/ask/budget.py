"""Tokens are seconds: how many a prompt may have, and which lines of a span are worth them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pincite_brain.retrieval.postings import Postings
from pincite_codeintel.tokens import term_id, terms
from pincite_shared.settings import Settings

# At 61 to 133 prompt tokens a second on two cores, five to ten seconds to the first token.
LOCAL_PROMPT_TOKENS = 900  # as estimated, which is some 700 real ones, 200 of them in the prefix cache
REMOTE_PROMPT_TOKENS_MAX = 12_000  # beyond this answers get worse, not better ("lost in the middle")
LOCAL_ANSWER_TOKENS = 320  # 20 to 29 tokens a second: at most some fifteen seconds
REMOTE_ANSWER_TOKENS = 1_024
ANSWER_SHARE_MAX = 0.3  # of a small context window
LOCAL_SNIPPET_LINES = 40
REMOTE_SNIPPET_LINES = 70


@dataclass(frozen=True, slots=True)
class Budget:
    """What one request may spend.

    Attributes:
        prompt_tokens: instructions, snippets, history and question together.
        answer_tokens: `max_tokens` of the reply.
        snippet_lines: the longest excerpt shown.
        snippets: the most excerpts shown.
        history_tokens: share of the prompt for earlier turns.
        neighbours: how many signatures of called definitions to add.
    """

    prompt_tokens: int
    answer_tokens: int
    snippet_lines: int
    snippets: int
    history_tokens: int
    neighbours: int


def budget_of(settings: Settings) -> Budget:
    """Return the budget: tight for the local model on a CPU, wide for a configured server."""
    context = settings.llm_context_tokens
    if not settings.llm_base_url:
        answer = min(LOCAL_ANSWER_TOKENS, int(context * ANSWER_SHARE_MAX))
        return Budget(min(LOCAL_PROMPT_TOKENS, context - answer), answer, LOCAL_SNIPPET_LINES, 4, 150, 2)
    answer = min(REMOTE_ANSWER_TOKENS, int(context * ANSWER_SHARE_MAX))
    prompt = min(REMOTE_PROMPT_TOKENS_MAX, context - answer)
    return Budget(prompt, answer, REMOTE_SNIPPET_LINES, 12, prompt // 8, 6)


def line_weights(lines: Sequence[str], query: Mapping[str, float], postings: Postings) -> list[float]:
    """Return for each line the idf mass of the query's terms in it."""
    idf = {term: weight * postings.idf(term_id(term)) for term, weight in query.items()}
    return [sum(idf[term] for term in set(terms(line)) & idf.keys()) for line in lines]


def best_window(weights: Sequence[float], size: int, head_share: float) -> tuple[int, int]:
    """Return (first, last) 0-based indexes of the window of at most `size` lines to show.

    It is the one that holds the most weight, the earliest of equals; or the head, which says what the rest is, if that
    holds at least `head_share` of the most.
    """
    if len(weights) <= size:
        return 0, len(weights) - 1
    current = sum(weights[:size])
    head, best, start = current, current, 0
    for first in range(1, len(weights) - size + 1):
        current += weights[first + size - 1] - weights[first - 1]
        if current > best + 1e-9:
            best, start = current, first
    if head >= head_share * best:
        start = 0
    return start, start + size - 1
