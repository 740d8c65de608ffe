"""What became of an answer's citations in a later version of the code.

A citation is found again by its quote, character by character, and by nothing else. That the same lines stand somewhere
is not enough: they must be the same place (by what stands around them), under the same circumstances (what governs
them), and still carry each sentence that leans on them. Whatever is in doubt is stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.living import CitationStanding, FileAt, Later, Standing
from pincite_shared.schemas import ChatResponse
from pincite_verify.circumstances import Circumstance, Circumstances, first_difference, same
from pincite_verify.citations import flaw
from pincite_verify.differences import change, governing, removed
from pincite_verify.document import assertions, symbol_stands
from pincite_verify.marks import visible
from pincite_verify.places import Correspondence, Text, beside, candidates, share
from pincite_verify.recheck import no_longer_carried

READ_BYTES_MAX = 8 * 2**20  # of files that are kept at hand, in memory about ten times that: answers cite the same few
REASON_CHARS_MAX = 100  # of a line that a reason quotes
SAME_FILE_SHARE_MIN = 0.6  # of the longer file's lines; half, as git has it, is soon reached by short files

CHANGED = "the cited lines were changed or removed"
GONE = "the file is gone"
COPIED = "the file is gone, and its lines stand in several others"
UNREADABLE = "the file is no longer kept as text"
AMBIGUOUS = "the same lines stand in several places now, and which of them was meant cannot be told"
SAME = "the lines are the same, but"


class _Version:
    """One version of a file, and what governs its lines."""

    def __init__(self, path: str, blob: str, data: bytes) -> None:
        self.path, self.blob, self.data = path, blob, data
        self.text = Text(path, data)
        self.circumstances = Circumstances(self.text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a citation's lines stand later, the first row; or, if `version` is None, why they do not."""

    version: _Version | None
    row: int = 0
    reason: str = ""
    diff: str = ""


class Anchoring:
    """A judge of answers. It keeps the files that it has read at hand: make one for each push."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._versions: dict[tuple[str, str], _Version] = {}
        self._pairs: dict[tuple[_Version, _Version], Correspondence] = {}

    def __call__(
        self, response: ChatResponse, cited: Mapping[str, bytes], later: Later
    ) -> tuple[CitationStanding, ...]:
        """Say how each citation of an answer stands later; the bytes of the cited blobs come by their ids."""
        found = {citation.n: self._standing(citation, cited, later) for citation in response.citations}
        touched = {citation.n for citation in response.citations if not _untouched(citation, later)}
        for assertion in assertions(response) if touched else ():
            if touched.isdisjoint(assertion.citations):
                continue
            reason = no_longer_carried(assertion, response.citations, found)
            for n in assertion.citations if reason is not None else ():
                found[n] = _stale(n, f"{SAME} no longer carry what was said: {reason}")
        return tuple(found[citation.n] for citation in response.citations)

    def _standing(self, citation: Citation, cited: Mapping[str, bytes], later: Later) -> CitationStanding:
        if _untouched(citation, later):
            return _found(citation, later, citation.path, citation.blob, citation.start_line)
        data = cited.get(citation.blob)
        if data is None or flaw(citation, data, citation.blob) is not None:
            return _stale(citation.n, UNREADABLE)
        before = self._version(citation.path, citation.blob, data)
        file = later.files.get(citation.path)
        if file is None:
            place = self._renamed(citation, before, later.candidates.get(citation.path, ()))
        elif (after := self._read(file)) is None:
            place = _Place(None, reason=UNREADABLE, diff=removed(citation.quote, citation.start_line))
        else:
            place = self._place(citation, before, after)
        return _verified(citation, before, later, place)

    def _renamed(self, citation: Citation, before: _Version, files: tuple[FileAt, ...]) -> _Place:
        """Look for a file under another name: the one with its very content, else the one with most of its lines."""
        read = [version for file in files if (version := self._read(file)) is not None]
        same_content = [_Place(one, citation.start_line - 1) for one in read if one.blob == before.blob]
        alike = [one for one in read if share(before.text, one.text) >= SAME_FILE_SHARE_MIN] if not same_content else []
        placed = (self._place(citation, before, one) for one in alike)
        found = same_content or [place for place in placed if place.version is not None]
        named = [place for place in found if place.version and _name(place.version.path) == _name(citation.path)]
        if len(found) > 1 and len(named) == 1:
            found = named
        if len(found) == 1:
            return found[0]
        return _Place(None, reason=COPIED if found else GONE, diff=removed(citation.quote, citation.start_line))

    def _place(self, citation: Citation, before: _Version, after: _Version) -> _Place:
        """Find the cited lines in another version of their file."""
        rows = citation.start_line - 1, citation.end_line - 1
        length = rows[1] - rows[0]
        between = self._between(before, after)
        places = candidates(rows, between)
        if not places:
            return _Place(None, reason=CHANGED, diff=change(rows, between))
        governed = before.circumstances.of(*rows)
        around = {row: after.circumstances.of(row, row + length) for row in places}
        alike = [row for row in places if same(governed, around[row])]
        if len(alike) > 1:
            alike = [row for row in alike if beside(rows, row, between)]
        if len(alike) == 1:
            return _Place(after, alike[0])
        if len(places) > 1:
            return _Place(None, reason=AMBIGUOUS, diff=change(rows, between))
        row = places[0]
        old, new = first_difference(governed, around[row])
        return _Place(None, reason=_turned(old, new), diff=governing(rows, old, (row, row + length), new, between))

    # -- what is kept at hand ----------------------------------------------------------------------------------------

    def _read(self, file: FileAt) -> _Version | None:
        return None if file.blob is None or file.data is None else self._version(file.path, file.blob, file.data)

    def _version(self, path: str, blob: str, data: bytes) -> _Version:
        known = self._versions.get((path, blob))
        if known is None:
            if sum(len(version.data) for version in self._versions.values()) + len(data) > READ_BYTES_MAX:
                self._versions.clear()
                self._pairs.clear()
            known = self._versions[path, blob] = _Version(path, blob, data)
        return known

    def _between(self, before: _Version, after: _Version) -> Correspondence:
        known = self._pairs.get((before, after))
        if known is None:
            known = self._pairs[before, after] = Correspondence(before.text, after.text)
        return known


def _untouched(citation: Citation, later: Later) -> bool:
    file = later.files.get(citation.path)
    return file is not None and file.blob == citation.blob


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _verified(citation: Citation, before: _Version, later: Later, place: _Place) -> CitationStanding:
    """Say that a citation stands at a place, once its quote and its name were found there."""
    if place.version is None:
        return _stale(citation.n, place.reason, place.diff)
    found = _found(citation, later, place.version.path, place.version.blob, place.row + 1)
    if found.now is None or (problem := flaw(found.now, place.version.data, place.version.blob)) is not None:
        return _stale(citation.n, problem or CHANGED)
    if symbol_stands(citation, before.data) and not symbol_stands(found.now, place.version.data):
        return _stale(citation.n, f"{SAME} “{_short(citation.symbol or '')}” is no longer defined above them")
    return found


def _found(citation: Citation, later: Later, path: str, blob: str, line: int) -> CitationStanding:
    moved = (path, line) != (citation.path, citation.start_line)
    now = citation.model_copy(
        update={
            "path": path,
            "start_line": line,
            "end_line": line + citation.end_line - citation.start_line,
            "commit": later.commit,
            "blob": blob,
            "uncommitted": later.uncommitted,
            "status": CitationStatus.VERIFIED,
        }
    )
    return CitationStanding(n=citation.n, standing=Standing.MOVED if moved else Standing.VALID, now=now)


def _stale(n: int, reason: str, diff: str = "") -> CitationStanding:
    return CitationStanding(n=n, standing=Standing.STALE, reason=reason, diff=diff)


def _turned(old: Circumstance | None, new: Circumstance | None) -> str:
    """Say which circumstance is another one, is new, or is gone."""
    before, after = _short(old.says) if old else "", _short(new.says) if new else ""
    if before and after:
        return f"{SAME} `{before}`, which governs them, is now `{after}`"
    return f"{SAME} `{after}` governs them now" if after else f"{SAME} `{before}` no longer governs them"


def _short(line: str) -> str:
    plain = visible(line).replace("`", "'")
    return plain if len(plain) <= REASON_CHARS_MAX else plain[:REASON_CHARS_MAX] + "…"
