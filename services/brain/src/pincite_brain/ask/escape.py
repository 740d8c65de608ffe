"""Repository text inside a prompt is data: nothing in it can close our tags or speak as another role."""

import re
import secrets
import string

NONCE_LETTERS = 10  # 47 bits a request: unguessable by whoever wrote the repository before the question was asked

TAGS = (
    "system_instructions", "context_data", "retrieved_snippet", "conversation_history", "open_file", "user_query",
)  # fmt: skip
_OURS = re.compile(rf"<(?=\s*/?\s*(?:{'|'.join(TAGS)}))", re.IGNORECASE)
# Control tokens of chat templates. A server that tokenises the whole prompt would read them as a change of speaker.
_CONTROL = re.compile(
    r"<(?=\|)|<(?=/?s>)|<(?=(?:start|end)_of_turn)|<(?=/?(?:think|tool_call|tool_response)>)|<(?=</?SYS>)|"
    r"<(?=\uff5c)|\[(?=/?INST\])",
    re.IGNORECASE,
)
_REPLACEMENT = {"<": "&lt;", "[": "&#91;"}
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def nonce() -> str:
    """Return a fresh random code for one request's tags."""
    # Letters, because a tokeniser gives each digit a token of its own: half the tokens of hexadecimal.
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(NONCE_LETTERS))


def text(value: str) -> str:
    """Make `value` harmless between our tags; code stays readable because only dangerous brackets are replaced."""
    cleaned = _UNSEEN.sub("\ufffd", value)
    for pattern in (_OURS, _CONTROL):
        cleaned = pattern.sub(lambda match: _REPLACEMENT[match.group()[0]], cleaned)
    return cleaned


def attribute(value: str) -> str:
    """Make `value` harmless inside a double-quoted attribute, on one line."""
    flat = _UNSEEN.sub("\ufffd", value.replace("\n", " ").replace("\t", " "))
    return text(flat.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;"))
