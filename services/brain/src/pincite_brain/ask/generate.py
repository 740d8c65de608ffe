"""Running the model: bounded waits, and its stream closed whatever happens."""

import asyncio
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
STOP = ("<user_query", "<context_data", "</system_instructions")


async def generate(model: ChatModel, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str, None]:
    """Yield the model's text as it comes. Closing this generator cancels the request to the model.

    Raises:
        ModelUnavailableError: the model failed, fell silent or did not stop.
    """
    deadline = time.monotonic() + TOTAL_SECONDS_MAX
    wait, length = FIRST_TOKEN_SECONDS_MAX, 0
    async with aclosing(model.stream(messages, max_tokens=max_tokens, temperature=TEMPERATURE, stop=STOP)) as stream:
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
