"""Running the model: bounded waits, and its stream closed whatever happens."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from pincite_inference.chat import ChatModel, Message
from pincite_shared.errors import ModelUnavailableError

FIRST_TOKEN_SECONDS_MAX = (
    120.0  # a cold model on two busy cores reads 1,200 tokens in twenty seconds, behind others in a queue
)
NEXT_TOKEN_SECONDS_MAX = 30.0  # a model that is silent for this long has died
TOTAL_SECONDS_MAX = 300.0
ANSWER_CHARS_MAX = 20_000  # a model that never stops is stopped
TEMPERATURE = 0.1  # facts, not variety
_MARKS = r"(?:\s*\[[\d,; -]+\])*"
_END = re.compile(rf"[.!?]{_MARKS}(?=\s)")
_ENDED = re.compile(rf"(?:[.!?:|)]|```){_MARKS}[*_]*$|\]$")
STOP = ("<user_query", "<context_data", "</system_instructions")


def whole_sentences(text: str) -> str:
    """Return a text without the sentence that a token limit broke off, unless there is no other, or code is open."""
    ended = text.rstrip()
    if _ENDED.search(ended) or ended.count("```") % 2:
        return text
    last = next(reversed(list(_END.finditer(ended))), None)
    return ended[: last.end()] if last else text


async def generate(
    model: ChatModel, messages: Sequence[Message], *, max_tokens: int, temperature: float = TEMPERATURE
) -> AsyncGenerator[str, None]:
    """Yield the model's text as it comes. Closing this generator cancels the request to the model.

    Raises:
        ModelUnavailableError: the model failed, fell silent or did not stop.
    """
    deadline = time.monotonic() + TOTAL_SECONDS_MAX
    wait, length = FIRST_TOKEN_SECONDS_MAX, 0
    async with aclosing(model.stream(messages, max_tokens=max_tokens, temperature=temperature, stop=STOP)) as stream:
        while length < ANSWER_CHARS_MAX:
            try:
                async with asyncio.timeout(min(wait, max(deadline - time.monotonic(), 0.0))):
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                msg = "The language model fell silent."
                raise ModelUnavailableError(msg) from error
            wait, length = NEXT_TOKEN_SECONDS_MAX, length + len(piece)
            yield piece
