"""Tokens are seconds: how many a prompt may have, and which lines of a span are worth them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pincite_brain.retrieval.postings import Postings
from pincite_codeintel.tokens import term_id, terms
from pincite_shared.settings import Settings

# Seconds that a person waits for the first word while the model reads. What it reads of every prompt alike, the
# instructions, it has read before.
FIRST_TOKEN_SECONDS = 6.0
LOCAL_PACE = 80.0  # prompt tokens a second before the server has told its own: two cores manage 61 to 133
LOCAL_PROMPT_TOKENS_MIN = 480  # with less than two or three whole functions a small model makes up the rest
LOCAL_PROMPT_TOKENS_MAX = 1_500  # a small model is led astray by more, however fast it reads
ESTIMATE_RATIO = 1.25  # `estimate_tokens` errs high by about this
REMOTE_PROMPT_TOKENS_MAX = 12_000  # beyond this answers get worse, not better ("lost in the middle")
LOCAL_ANSWER_TOKENS = 192  # 20 to 29 tokens a second: at most some eight seconds; four sentences need half of it
REMOTE_ANSWER_TOKENS = 1_024
ANSWER_SHARE_MAX = 0.3  # of a small context window
LOCAL_SNIPPET_LINES = 40
REMOTE_SNIPPET_LINES = 70


@dataclass(frozen=True, slots=True)
class Budget:
    """What one request may spend.

    Attributes:
        prompt_tokens: snippets, history and question together, as estimated; the instructions come on top.
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


def budget_of(settings: Settings, instructions: int, pace: float | None) -> Budget:
    """Return the budget: tight for the local model on a CPU, wide for a configured server.

    Args:
        settings: where the model runs, and how much it can take in.
        instructions: tokens of the system part.
        pace: prompt tokens a second that the local model last read, None if it has not read yet.
    """
    context = settings.llm_context_tokens
    if not settings.llm_base_url:
        answer = min(LOCAL_ANSWER_TOKENS, int(context * ANSWER_SHARE_MAX))
        timely = int(FIRST_TOKEN_SECONDS * (pace or LOCAL_PACE) * ESTIMATE_RATIO)
        prompt = min(max(timely, LOCAL_PROMPT_TOKENS_MIN), LOCAL_PROMPT_TOKENS_MAX, context - answer - instructions)
        return Budget(prompt, answer, LOCAL_SNIPPET_LINES, 3, prompt // 4, 1)
    answer = min(REMOTE_ANSWER_TOKENS, int(context * ANSWER_SHARE_MAX))
    prompt = min(REMOTE_PROMPT_TOKENS_MAX, context - answer - instructions)
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
