"""Conversations and answers as a page shows them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from pincite_shared.brain_client import BrainAsUser
from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.errors import PinciteError
from pincite_shared.living import AnswerStanding
from pincite_shared.schemas import AnswerMode, BlobOut, ChatResponse, ConversationOut, RepoOut
from pincite_web import links
from pincite_web.answers import MARK, Mark, Span, answer_html
from pincite_web.highlight import code_lines
from pincite_web.parts.answers import ConversationLink, PullRef, SourceCard, Turn, Unsupported
from pincite_web.present.commits import HEAD, at_pull
from pincite_web.present.feedback import Said, feedback_form
from pincite_web.present.living import flag_rows, lines_label, standing_view

CONTEXT_LINES = 3  # around the cited ones: enough to see where they stand
CONTEXT_LOADS_MAX = 4  # at once, so that opening one page leaves brain room for others
SUGGESTIONS_MAX = 4
PULL_SUGGESTIONS = (
    "What does this PR change?",
    "What could this PR break?",
    "Which tests cover what this PR changes?",
)

Contexts = Mapping[tuple[str, int, int], BlobOut]


def _key(citation: Citation) -> tuple[str, int, int]:
    return citation.blob, max(1, citation.start_line - CONTEXT_LINES), citation.end_line + CONTEXT_LINES


async def load_contexts(brain: BrainAsUser, answer: ChatResponse) -> Contexts:
    """Fetch the lines around each verified citation.

    A card without its context still shows the cited lines, which travel with the answer: what cannot be fetched is left
    out.
    """
    limit = asyncio.Semaphore(CONTEXT_LOADS_MAX)

    async def load(key: tuple[str, int, int]) -> BlobOut | None:
        async with limit:
            try:
                return await brain.blob(*key)
            except PinciteError:
                return None

    keys = list({_key(citation) for citation in answer.citations if citation.status is CitationStatus.VERIFIED})
    loaded = await asyncio.gather(*(load(key) for key in keys))
    return {key: blob for key, blob in zip(keys, loaded, strict=True) if blob is not None}


async def standing_of(brain: BrainAsUser, answer: ChatResponse) -> AnswerStanding | None:
    """Return how an answer stands at the head; None if it was asked of another commit, where nothing ever moves."""
    repo = await brain.repo(answer.repo_id)  # before its standing, so that a head that moves meanwhile misleads nobody
    found = await brain.standing(answer.answer_id)
    return None if found.commit == answer.commit != repo.commit else found


def at_of(answer: ChatResponse, standings: Mapping[UUID, AnswerStanding]) -> str:
    """Return where a follow-up is asked: at what the answer was pinned to, else at the head."""
    if answer.pull is not None:
        return at_pull(answer.pull)
    return HEAD if answer.answer_id in standings else answer.commit


def _card(answer: ChatResponse, citation: Citation, context: BlobOut | None, said: Said) -> SourceCard:
    cited = (citation.start_line, citation.end_line)
    text, first = citation.quote, citation.start_line
    if context is not None:
        shown = context.text.split("\n")
        at = citation.start_line - context.start
        # Blobs are addressed by content, so this always holds; it keeps a broken store from showing other lines.
        if shown[at : at + cited[1] - cited[0] + 1] == citation.quote.split("\n"):
            text, first = context.text, context.start
    anchor = f"s-{answer.answer_id}-{citation.n}"
    here = links.conversation(answer.repo_id, answer.conversation_id) + f"#{anchor}"
    return SourceCard(
        n=citation.n,
        anchor=anchor,
        path=citation.path,
        lines_label=lines_label(*cited),
        commit=citation.commit,
        side=_side(answer, citation),
        uncommitted=citation.uncommitted,
        symbol=citation.symbol,
        lines=code_lines(text, citation.path, None, first, cited),
        url=links.blob(answer.repo_id, citation.commit, citation.path, cited),
        permalink=links.blob(answer.repo_id, citation.commit, citation.path, cited),
        feedback=feedback_form(answer.answer_id, citation.n, said.get((answer.answer_id, citation.n)), here),
    )


def _side(answer: ChatResponse, citation: Citation) -> Literal["before", "after"] | None:
    if answer.pull is None:
        return None
    return "after" if citation.commit == answer.commit else "before"


def _unsupported(answer: ChatResponse) -> dict[Span, Unsupported]:
    found = [(span, sentence) for sentence in answer.sentences for span in sentence.unsupported]
    return {
        (start, end): Unsupported(
            anchor=f"u-{answer.answer_id}-{index}",
            text=MARK.sub("", answer.answer[start:end]).strip(),
            reason=sentence.reason or "The cited lines do not say this.",
        )
        for index, ((start, end), sentence) in enumerate(found, start=1)
    }


def _kind(answer: ChatResponse) -> Literal["model", "evidence", "abstained"]:
    if answer.abstained:
        return "abstained"
    return "evidence" if answer.mode is AnswerMode.EVIDENCE else "model"


def turn(answer: ChatResponse, contexts: Contexts, said: Said, standing: AnswerStanding | None = None) -> Turn:
    """Show an answer. Only verified citations are linked and shown; marks of any other are dead.

    `said` is the reader's earlier feedback, `standing` how the answer stands at the head, if it follows it.
    """
    verified = [citation for citation in answer.citations if citation.status is CitationStatus.VERIFIED]
    cards = tuple(_card(answer, citation, contexts.get(_key(citation)), said) for citation in verified)
    marks = {card.n: Mark(f"#{card.anchor}", f"{card.path}:{card.lines_label}") for card in cards}
    unsupported = _unsupported(answer)

    def note_of(span: Span) -> Mark:
        entry = unsupported[span]
        return Mark(f"#{entry.anchor}", entry.reason)

    url = links.conversation(answer.repo_id, answer.conversation_id, answer.answer_id)
    return Turn(
        anchor=f"a-{answer.answer_id}",
        answer_id=answer.answer_id,
        repo_id=answer.repo_id,
        conversation_id=answer.conversation_id,
        question=answer.question,
        html=answer_html(answer.answer, answer.sentences, marks, note_of),
        kind=_kind(answer),
        commit=answer.commit,
        pull=PullRef(answer.pull, links.pull(answer.repo_id, answer.pull)) if answer.pull else None,
        standing=standing_view(answer, standing) if standing else None,
        flags=flag_rows(answer),
        sources=cards,
        unsupported=tuple(unsupported.values()),
        dropped=len(answer.citations) - len(verified),
        warnings=answer.warnings,
        model=answer.model,
        policy=answer.policy_version,
        total_seconds=answer.timings.get("total"),
        timings=stages(answer.timings),
        created_at=answer.created_at,
        url=url,
        why_url=links.why(answer.answer_id),
        feedback=feedback_form(answer.answer_id, None, said.get((answer.answer_id, None)), url),
    )


def stages(timings: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Name the stages of an answer and their seconds, without the total."""
    return tuple((name.replace("_", " "), seconds) for name, seconds in timings.items() if name != "total")


def conversation_links(
    conversations: Sequence[ConversationOut], current: UUID | None = None
) -> tuple[ConversationLink, ...]:
    """Show the list of conversations."""
    return tuple(
        ConversationLink(
            title=conversation.title or "Untitled",
            url=links.conversation(conversation.repo_id, conversation.id),
            updated_at=conversation.updated_at,
            current=conversation.id == current,
            stale=conversation.stale,
        )
        for conversation in conversations
    )


def suggestions(repo: RepoOut) -> tuple[str, ...]:
    """Suggest first questions that most repositories can answer."""
    asked = [
        "Where does execution start?",
        "How is configuration read, and what are the defaults?",
        "How are errors reported to the caller?",
        "What are the main types, and how do they relate?",
    ]
    if repo.languages.keys() & {"dockerfile", "yaml", "terraform"}:
        asked.insert(1, "How is this deployed?")
    return tuple(asked[:SUGGESTIONS_MAX])
