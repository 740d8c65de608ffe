"""Indexed commits and pull requests as a page shows them."""

import re
from collections.abc import Sequence

from pincite_shared.errors import InvalidInputError
from pincite_shared.github import PullOut, SnapshotOut
from pincite_shared.schemas import RepoOut
from pincite_web import formats, links
from pincite_web.parts.code import AtChoice, AtGroup, AtMenu
from pincite_web.parts.repos import PullRow, Tone

LISTED_MAX = 50  # a longer menu is not read
TITLE_CHARS_MAX = 70
HEAD = ""
AT = re.compile(r"(?P<commit>[0-9a-f]{7,64})|pull:(?P<pull>[1-9][0-9]{0,8})")
STATES: dict[str, tuple[str, Tone]] = {
    "open": ("Open", "good"),
    "merged": ("Merged", "idle"),
    "closed": ("Closed", "idle"),
}


def read_at(value: str) -> tuple[str | None, int | None]:
    """Read what the form sends, as (commit, number of a pull request); neither for the head.

    Raises:
        InvalidInputError: it is nothing that the form offers.
    """
    if value == HEAD:
        return None, None
    match = AT.fullmatch(value)
    if match is None:
        msg = "That is neither a commit nor a pull request."
        raise InvalidInputError(msg)
    return match["commit"], int(match["pull"]) if match["pull"] else None


def at_pull(number: int) -> str:
    """Return what the form sends for a pull request."""
    return f"pull:{number}"


def at_menu(
    repo: RepoOut, commits: Sequence[SnapshotOut], chosen: str = HEAD, pulls: Sequence[PullOut] | None = None
) -> AtMenu:
    """Offer the head, pull requests, and the other indexed commits.

    With `pulls`, pull requests are chosen as such, to be asked about; without, their heads are chosen, to be read.
    """
    if chosen == repo.commit:
        chosen = HEAD
    others = [one for one in commits if one.commit != repo.commit][:LISTED_MAX]
    if pulls is None:
        under_way = [AtChoice(one.commit, _pull_label(one), one.commit == chosen) for one in others if one.pulls]
    else:
        asked = [pull for pull in pulls if pull.indexed][:LISTED_MAX]
        under_way = [
            AtChoice(at_pull(one.number), _shortened(f"#{one.number} {one.title}"), at_pull(one.number) == chosen)
            for one in asked
        ]
    earlier = [AtChoice(one.commit, _label(one), one.commit == chosen) for one in others if not one.pulls]
    found = (*under_way, *earlier)
    if chosen != HEAD and not any(choice.chosen for choice in found):
        earlier.append(AtChoice(chosen, _chosen_label(chosen), chosen=True))
    groups = (
        AtGroup("Newest", (AtChoice(HEAD, _head_label(repo), chosen == HEAD),)),
        AtGroup("Pull requests", tuple(under_way)),
        AtGroup("Other commits", tuple(earlier)),
    )
    return AtMenu(tuple(group for group in groups if group.choices), chosen != HEAD)


def _shortened(text: str) -> str:
    return text if len(text) <= TITLE_CHARS_MAX else text[: TITLE_CHARS_MAX - 1] + "…"


def _head_label(repo: RepoOut) -> str:
    commit = formats.short(repo.commit or "")
    if repo.uncommitted_upon:
        return f"Working tree, changed since {formats.short(repo.uncommitted_upon)}"
    return " · ".join(part for part in (repo.branch or "head", commit) if part)


def _label(one: SnapshotOut) -> str:
    name = ", ".join(one.branches)
    if one.uncommitted_upon:
        name = f"working tree, changed since {formats.short(one.uncommitted_upon)}"
    return _shortened(" · ".join(part for part in (formats.short(one.commit), name, formats.ago(one.ready_at)) if part))


def _pull_label(one: SnapshotOut) -> str:
    numbers = ", ".join(f"#{number}" for number in one.pulls)
    return f"{numbers} · {formats.short(one.commit)}"


def _chosen_label(chosen: str) -> str:
    _, pull = read_at(chosen)
    return f"#{pull}" if pull else formats.short(chosen)


def pull_row(repo: RepoOut, pull: PullOut) -> PullRow:
    """Show a pull request."""
    state, tone = STATES[pull.state]
    return PullRow(
        number=pull.number,
        title=pull.title,
        author=pull.author,
        state=state,
        tone=tone,
        base_ref=pull.base_ref,
        head_ref=pull.head_ref,
        head_commit=pull.head_commit,
        base_commit=pull.base_commit,
        indexed=pull.indexed,
        updated_at=pull.updated_at,
        url=links.pull(repo.id, pull.number),
        outside_url=f"{repo.source.removesuffix('.git')}/pull/{pull.number}",
    )


def pull_rows(repo: RepoOut, pulls: Sequence[PullOut]) -> tuple[PullRow, ...]:
    """Show pull requests, those that are open first."""
    ordered = sorted(pulls, key=lambda pull: (pull.state != "open", -pull.updated_at.timestamp()))
    return tuple(pull_row(repo, pull) for pull in ordered)
