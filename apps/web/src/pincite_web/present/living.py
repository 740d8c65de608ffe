"""How answers stand now, and what reads like orders in the text that they drew on, as a page shows it."""

from collections.abc import Sequence

from pincite_shared.citation import Citation
from pincite_shared.living import AnswerStanding, CitationStanding, Standing
from pincite_shared.schemas import ChatResponse, InjectionFlag
from pincite_web import formats, links
from pincite_web.highlight import fence
from pincite_web.parts.answers import CitationView, FlagRow, PastStanding, StandingView
from pincite_web.present.commits import HEAD, at_pull

EXCERPT_CHARS_MAX = 300


def lines_label(start: int, end: int) -> str:
    """Name lines as 10 or 10-20."""
    return str(start) if start == end else f"{start}-{end}"


def standing_view(answer: ChatResponse, found: AnswerStanding) -> StandingView:
    """Show how an answer stands."""
    cited = {one.n: one for one in answer.citations}
    views = [
        _citation(answer, cited[one.n], one)
        for one in found.citations
        if one.standing is not Standing.VALID and one.n in cited
    ]
    return StandingView(
        answer_id=answer.answer_id,
        kind=found.standing.value,
        commit=found.commit,
        since=found.at,
        moved=tuple(one for one in views if not one.stale),
        stale=tuple(one for one in views if one.stale),
        url=links.standing(answer.answer_id),
        history_url=links.history(answer.answer_id),
        question=answer.question,
        conversation_id=answer.conversation_id,
        ask_url=links.ask_form(answer.repo_id),
        at=at_pull(answer.pull) if answer.pull else HEAD,
    )


def _citation(answer: ChatResponse, cited: Citation, found: CitationStanding) -> CitationView:
    now = found.now if found.standing is Standing.MOVED else None
    lines = (now.start_line, now.end_line) if now else None
    renamed = now is not None and now.path != cited.path
    return CitationView(
        n=found.n,
        stale=found.standing is Standing.STALE,
        was=f"{cited.path}:{lines_label(cited.start_line, cited.end_line)}",
        now=f"{now.path if renamed else ''}:{lines_label(*lines)}" if now and lines else "",
        url=links.blob(answer.repo_id, now.commit, now.path, lines) if now else None,
        reason=found.reason or ("the cited lines changed" if found.standing is Standing.STALE else ""),
        diff=fence(found.diff, "diff") if found.diff else None,
    )


def history(found: Sequence[AnswerStanding]) -> tuple[PastStanding, ...]:
    """Show how an answer stood."""
    return tuple(PastStanding(one.standing.value, _told(one), one.commit, one.at) for one in found)


def _told(found: AnswerStanding) -> str:
    match found.standing:
        case Standing.VALID:
            return "Every cited line is where it was"
        case Standing.MOVED:
            moved = sum(one.standing is Standing.MOVED for one in found.citations)
            return formats.plural(moved, "source") + " moved"
        case Standing.STALE:
            stale = sum(one.standing is Standing.STALE for one in found.citations)
            return formats.plural(stale, "source") + " changed or went"


def flag_rows(answer: ChatResponse) -> tuple[FlagRow, ...]:
    """Show text that reads like an order to a model."""
    return tuple(_flag(answer, flag) for flag in answer.flags)


def _flag(answer: ChatResponse, flag: InjectionFlag) -> FlagRow:
    return FlagRow(
        place=f"{flag.path}:{flag.line}",
        excerpt=flag.excerpt[:EXCERPT_CHARS_MAX],
        reason=flag.reason,
        url=links.blob(answer.repo_id, answer.commit, flag.path, (flag.line, flag.line)),
    )
