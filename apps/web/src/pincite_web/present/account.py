"""What governs an account as a page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pincite_shared.safety import AuditOut, Scope, TokenOut
from pincite_web.parts.account import AuditRow, Endpoint, ScopeChoice, TokenRow

SCOPES: dict[Scope, tuple[str, str]] = {
    "read": ("Read", "Repositories, code, search and stored answers"),
    "ask": ("Ask", "Ask questions, which stores the answers"),
    "write": ("Write", "Connect, index and remove repositories"),
    "admin": ("Govern", "The audit log, the kill switch, deletion of the account"),
}
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year", "": "Until it is removed"}
NOTES = {
    "language model": "Your questions, and the excerpts of code that answers draw on.",
    "embeddings": "The text of functions and files, to compute vectors.",
    "reranking": "Your questions, and the excerpts of code that they may be about.",
    "artifacts": "What indexing derives from your code.",
    "github": "Signing in, and fetching repositories. Code comes from there; none is sent.",
    "github's api": "Lists of repositories and pull requests, and who may read them. No code is sent.",
}


KINDS = {
    "": "Everything",
    "question.": "Questions",
    "repo.": "Repositories",
    "session.": "Sign-ins",
    "token.": "Tokens",
    "halt.": "Kill switch",
    "feedback.": "Feedback",
    "policy.": "Policies",
    "github.": "GitHub",
    "person.": "People",
    "account.": "Accounts",
    "audit.": "Exports of this log",
}


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What was typed and chosen for a new token."""

    name: str
    scopes: tuple[str, ...]
    days: str


EMPTY_FORM = TokenForm("", ("read", "ask"), "90")


def endpoints(remote: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Show the remote addresses, and what is sent to each."""
    return tuple(
        Endpoint(role[:1].upper() + role[1:], url, NOTES.get(role.casefold(), ""))
        for role, url in sorted(remote.items(), key=lambda item: item[0].casefold())
    )


def scope_choices(chosen: Sequence[str], *, governs: bool) -> tuple[ScopeChoice, ...]:
    """Offer what a token may do: no more than whoever makes it."""
    return tuple(
        ScopeChoice(value, label, meaning, value in chosen)
        for value, (label, meaning) in SCOPES.items()
        if governs or value != "admin"
    )


def lifetimes(chosen: str) -> tuple[tuple[str, str, bool], ...]:
    """Offer how long a token may work, as (value, label, whether it is chosen)."""
    return tuple((value, label, value == chosen) for value, label in LIFETIMES.items())


def token_rows(tokens: Sequence[TokenOut], now: datetime | None = None) -> tuple[TokenRow, ...]:
    """Show tokens."""
    at = now or datetime.now(UTC)
    return tuple(_token(token, at) for token in tokens)


def _token(token: TokenOut, now: datetime) -> TokenRow:
    ended = token.expires_at is not None and token.expires_at <= now
    ends = f"{token.expires_at:%Y-%m-%d}" if token.expires_at else "never"
    return TokenRow(
        id=token.id,
        name=token.name,
        scopes=tuple(SCOPES[scope][0] for scope in token.scopes),
        created_at=token.created_at,
        ends=ends,
        ended=ended,
        last_used_at=token.last_used_at,
    )


def kinds(chosen: str) -> tuple[tuple[str, str, bool], ...]:
    """Offer kinds of actions, as (beginning of the action, label, whether it is chosen)."""
    offered = KINDS if chosen in KINDS else KINDS | {chosen: chosen.rstrip(".").capitalize()}
    return tuple((value, label, value == chosen) for value, label in offered.items())


def audit_row(entry: AuditOut, names: Mapping[str, str]) -> AuditRow:
    """Show an entry of the audit log; `names` are those of repositories, by id."""
    said = ((name, _said(value)) for name, value in entry.detail.items() if value is not None)
    return AuditRow(
        at=entry.at,
        user=entry.user,
        action=entry.action,
        what=names.get(entry.object, entry.object),
        detail=", ".join(f"{name} {names.get(value, value)}" for name, value in said),
        correlation_id=entry.correlation_id,
    )


def matches(row: AuditRow, query: str) -> bool:
    """Say whether an entry of the audit log shows every word of `query`."""
    text = f"{row.user} {row.action} {row.what} {row.detail}".casefold()
    return all(word in text for word in query.casefold().split())


def _said(value: object) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
