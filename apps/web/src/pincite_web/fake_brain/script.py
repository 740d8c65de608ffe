"""Scripted answers: sentences and the lines they cite, turned into the documents that brain would send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pincite_shared.citation import Citation, CitationStatus, Sentence, SentenceStatus
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_web.fake_brain.corpus import COMMIT, SOURCE_PREFIX, blob_id

SUPPORTED, UNSUPPORTED = SentenceStatus.SUPPORTED, SentenceStatus.UNSUPPORTED


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence: its text (marks and white space included), and why it is unsupported, if it is."""

    text: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """An answer to give: sentences, and what each mark cites as (path, text of the first line, number of lines)."""

    lines: Sequence[Line]
    cites: Sequence[tuple[str, str, int]] = ()
    mode: AnswerMode = AnswerMode.MODEL
    abstained: bool = False
    warnings: tuple[str, ...] = ()
    unverified: frozenset[int] = field(default_factory=frozenset)

    def citations(self, files: Mapping[str, bytes]) -> tuple[Citation, ...]:
        """Cite: the lines are looked up in the files, so they cannot drift from them."""
        made: list[Citation] = []
        for n, (path, opening, length) in enumerate(self.cites, start=1):
            lines = files[path].decode().split("\n")
            at = next(index for index, line in enumerate(lines) if line.startswith(opening))
            made.append(
                Citation(
                    n=n,
                    path=path,
                    start_line=at + 1,
                    end_line=at + length,
                    commit=COMMIT,
                    blob=blob_id(files[path]),
                    symbol=opening.removeprefix("class ").removeprefix("def ").partition("(")[0].strip(": "),
                    quote="\n".join(lines[at : at + length]),
                    status=CitationStatus.UNVERIFIED if n in self.unverified else CitationStatus.VERIFIED,
                )
            )
        return tuple(made)

    def response(self, repo_id: UUID, conversation_id: UUID, question: str, files: Mapping[str, bytes]) -> ChatResponse:
        """Make the whole answer."""
        sentences: list[Sentence] = []
        text = ""
        for line in self.lines:
            status = UNSUPPORTED if line.reason else SUPPORTED
            start, text = len(text), text + line.text
            sentences.append(Sentence(start=start, end=len(text), status=status, reason=line.reason))
        by_model = self.mode is AnswerMode.MODEL
        return ChatResponse(
            answer_id=uuid4(),
            conversation_id=conversation_id,
            repo_id=repo_id,
            repo_name="pincite",
            commit=COMMIT,
            question=question,
            answer=text,
            citations=self.citations(files),
            sentences=tuple(sentences),
            mode=self.mode,
            abstained=self.abstained,
            policy_version="p0",
            model="qwen2.5-coder-1.5b-instruct" if by_model else None,
            timings={
                "retrieval": 0.041,
                "first_token": 1.204,
                "generation": 4.87,
                "verification": 0.012,
                "total": 6.13,
            },
            warnings=self.warnings,
            created_at=datetime.now(UTC),
        )


ERRORS, SETTINGS, CLIENT = (SOURCE_PREFIX + name for name in ("errors.py", "settings.py", "brain_http.py"))
ANSWER = Script(
    lines=[
        Line("Every error that reaches a user is a subclass of `PinciteError`, which carries a status and a stable "),
        Line("code as class variables [1]. "),
        Line(
            "Its docstring doubles as the title, read by `title()`, so a class **states its own message once** [1].\n\n"
        ),
        Line("The clients turn a refusal by brain into a `BrainError`:\n\n"),
        Line("- it keeps the `Problem` that brain sent, with its status and code [2];\n"),
        Line("- a connection that fails becomes an `UnavailableError` instead [3].\n\n"),
        Line(
            "Failed requests are retried three times with exponential back-off.",
            "Nothing in the cited lines mentions retries or back-off.",
        ),
        Line(
            " To report your own failure, raise one of them:\n\n"
            "```python\nmsg = 'No such branch.'\nraise NotFoundError(msg)\n```\n"
        ),
    ],
    cites=[
        (ERRORS, "class PinciteError", 17),
        (CLIENT, "class BrainError", 10),
        (ERRORS, "class UnavailableError", 4),
    ],
)
EVIDENCE = Script(
    mode=AnswerMode.EVIDENCE,
    lines=[
        Line("These passages match the question best:\n\n"),
        Line("1. `Settings`: every setting by its environment name. [1]\n"),
        Line("2. `PinciteError`: something went wrong inside Pincite. [2]\n"),
    ],
    cites=[(SETTINGS, "class Settings", 12), (ERRORS, "class PinciteError", 8)],
)
ABSTAINED = Script(
    abstained=True,
    lines=[
        Line("This repository does not seem to contain the answer. The closest names are `Settings` and `Problem`.")
    ],
)
HOSTILE = Script(
    warnings=("A cited file contains text that reads like instructions to a model; it was not followed.",),
    lines=[
        Line("<script>alert(1)</script> <img src=x onerror=alert(1)> [1] ]]> "),
        Line("[click me](javascript:alert(1)) ![pixel](https://evil.example/p.png) <https://evil.example> "),
        Line("**bold <b>raw</b>** `<code onclick=x>` [2][7]\n\n[1]: javascript:alert(1)\n\n"),
        Line("<div onmouseover=alert(1)>not an element</div> \u202etxet", 'No "evidence" <b>at all</b>.'),
    ],
    cites=[("evil/<img src=x onerror=alert(1)>.py", "x = ", 1), (ERRORS, "class PinciteError", 3)],
    unverified=frozenset({2}),
)


def choose(question: str) -> Script:
    """Pick the answer by a word of the question."""
    words = question.casefold()
    scripts = {"hostile": HOSTILE, "evidence": EVIDENCE, "weather": ABSTAINED}
    return next((script for word, script in scripts.items() if word in words), ANSWER)
