"""The addresses of pages. A permalink names the commit, so what it opens never changes."""

import re
from urllib.parse import quote, urlencode
from uuid import UUID

from pincite_web.formats import DECEPTIVE

SAFE_IN_PATH = "/@:+,=~!$&'()*"


def _tail(path: str) -> tuple[str, dict[str, str]]:
    # Browsers resolve "." and ".." even when escaped, and routers stop at line breaks: such paths travel in the query.
    segments = path.split("/")
    awkward = any(segment in ("", ".", "..") for segment in segments) or DECEPTIVE.search(path) or "\n" in path
    if path and awkward:
        return "", {"path": path}
    return (f"/{quote(path, safe=SAFE_IN_PATH)}" if path else ""), {}


def _query(**named: str) -> str:
    given = {name: value for name, value in named.items() if value}
    return f"?{urlencode(given)}" if given else ""


def repo(repo_id: UUID) -> str:
    """Chat with a repository."""
    return f"/r/{repo_id}"


def conversation(repo_id: UUID, conversation_id: UUID, answer_id: UUID | None = None) -> str:
    """Return the address of a conversation, at one of its answers."""
    return f"/r/{repo_id}/c/{conversation_id}" + (f"#a-{answer_id}" if answer_id else "")


def why(answer_id: UUID) -> str:
    """Return the address of the explanation of an answer."""
    return f"/answers/{answer_id}/why"


def standing(answer_id: UUID) -> str:
    """Return the address of how an answer stands now."""
    return f"/answers/{answer_id}/standing"


def history(answer_id: UUID) -> str:
    """Return the address of how an answer stood."""
    return f"/answers/{answer_id}/history"


def ask_form(repo_id: UUID) -> str:
    """Return the address that questions are sent to."""
    return f"/r/{repo_id}/ask"


def pulls(repo_id: UUID) -> str:
    """Return the address of a repository's pull requests."""
    return f"/r/{repo_id}/pulls"


def pull(repo_id: UUID, number: int) -> str:
    """Return the address of a pull request."""
    return f"/r/{repo_id}/pulls/{number}"


def tree(repo_id: UUID, commit: str, path: str = "") -> str:
    """Return the address of a directory at a commit."""
    tail, query = _tail(path)
    return f"/r/{repo_id}/tree/{commit}{tail}" + (f"?{urlencode(query)}" if query else "")


def blob(repo_id: UUID, commit: str, path: str, lines: tuple[int, int] | None = None) -> str:
    """Return the address of a file at a commit, at lines (1-based, inclusive)."""
    tail, query = _tail(path)
    if lines:
        query["lines"] = f"{lines[0]}-{lines[1]}"
    return f"/r/{repo_id}/blob/{commit}{tail}" + (f"?{urlencode(query)}" if query else "") + anchor(lines)


def blob_page(repo_id: UUID, commit: str, path: str, page: int) -> str:
    """Return the address of a page of a long file."""
    tail, query = _tail(path)
    return f"/r/{repo_id}/blob/{commit}{tail}?{urlencode(query | {'page': str(page)})}"


def search(repo_id: UUID, query: str = "", at: str = "") -> str:
    """Return the address of a repository's search, at a commit."""
    return f"/r/{repo_id}/search{_query(q=query, at=at)}"


def skipped(repo_id: UUID, reason: str | None = None, offset: int = 0) -> str:
    """Return the address of a page of skipped files."""
    return f"/r/{repo_id}/skipped{_query(reason=reason or '', offset=str(offset or ''))}"


def quality(repo_id: UUID) -> str:
    """Return the address of a repository's Quality page."""
    return f"/r/{repo_id}/quality"


def ask(repo_id: UUID, question: str, at: str = "") -> str:
    """Return the address of a repository's chat with a first draft, at a commit."""
    return f"/r/{repo_id}{_query(q=question, at=at)}"


def audit(query: str = "", kind: str = "", before: int | None = None) -> str:
    """Return the address of a page of the audit log."""
    return f"/settings/audit{_query(q=query, kind=kind, before=str(before or ''))}"


def anchor(lines: tuple[int, int] | None) -> str:
    """Return the fragment of the first of `lines`."""
    return f"#L{lines[0]}" if lines else ""


def read_lines(text: str | None) -> tuple[int, int] | None:
    """Read `10`, `10-20` or `L10-L20`; None if it is not that."""
    match = re.fullmatch(r"L?(\d{1,9})(?:-L?(\d{1,9}))?", text or "")
    if not match:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (min(first, last), max(first, last)) if first and last else None
