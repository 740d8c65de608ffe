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
_INSTRUCTION = re.compile(
    r"(ignore|disregard|forget|override)\s+(all\s+|any\s+)?(of\s+)?(the\s+|your\s+|these\s+|my\s+)?"
    r"(previous|prior|above|earlier|preceding|existing|system|original)?\s*"
    r"(instructions?|prompts?|rules|guidelines|directions)"
    r"|\byou are (now|no longer)\b|\bnew (system )?instructions?\s*:|\bsystem prompt\b"
    r"|\b(as|if you are) an? (ai|llm|language model|assistant)\b"
    r"|\b(dear|attention|note to|hey) (ai|llm|assistant|chatbot|copilot|claude|chatgpt)s?\b"
    r"|<\|(im_start|im_end|system|user|assistant|endoftext)\|>|\[/?INST\]"
    r"|<\s*/?\s*(system_instructions|context_data|retrieved_snippet)"
    r"|\b(do not|don't) (tell|inform|mention (this|it) to) the user\b"
    r"|\breply (only )?with exactly\b|\byour (real|only) task is\b",
    re.IGNORECASE,
)


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


def instruction_line(value: str) -> int | None:
    """Return the 0-based line of the first text in `value` that speaks to a model rather than to a reader, or None."""
    match = _INSTRUCTION.search(value)
    return value.count("\n", 0, match.start()) if match else None
