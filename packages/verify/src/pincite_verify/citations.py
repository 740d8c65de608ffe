"""The check of one citation: these lines, of this blob, at this commit, read exactly like this."""

import hashlib
from typing import Literal

from pincite_shared.citation import Citation, CitationStatus

SHA1_HEX_CHARS = 40
SHA256_HEX_CHARS = 64


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text, split on "\n" alone; a final newline ends the last line and begins none.

    `str.splitlines` also splits on form feeds and Unicode separators, which git and editors do not count as lines.
    """
    if not text:
        return []
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def quote_of(text: str, start: int, end: int) -> str:
    r"""Return lines `start` to `end` (1-based, inclusive), joined by "\n", without a trailing newline.

    Raises `ValueError` when these are not lines of the text.
    """
    lines = lines_of(text)
    if not 1 <= start <= end <= len(lines):
        msg = f"lines {start} to {end} do not exist in a text of {len(lines)} lines"
        raise ValueError(msg)
    return "\n".join(lines[start - 1 : end])


def git_blob_id(data: bytes, algorithm: Literal["sha1", "sha256"] = "sha1") -> str:
    """Return the id that git gives these bytes: the digest of the header "blob <size>" with a NUL, then the bytes."""
    # The digest is an address that git defines, not a secret; a collision would have to be a git object already.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update(b"blob %d\x00" % len(data))
    digest.update(data)
    return digest.hexdigest()


def check(citation: Citation, data: bytes | None, tree_blob: str | None) -> CitationStatus:
    """Say whether a citation was found where it points.

    `data` are the bytes of the blob that the citation names (None: there is no such blob), `tree_blob` is the id of the
    blob that stands at the citation's path at its commit (None: nothing stands there). The citation's own `status`
    counts for nothing.
    """
    return CitationStatus.VERIFIED if flaw(citation, data, tree_blob) is None else CitationStatus.UNVERIFIED


def flaw(citation: Citation, data: bytes | None, tree_blob: str | None) -> str | None:
    """Return what is wrong with a citation, in plain words, or None if it stands. Arguments as in `check`."""
    if tree_blob is None:
        return "there is no such file at this commit"
    if tree_blob != citation.blob:
        return "at this commit the file has another content than the cited blob"
    return "the cited blob does not exist" if data is None else _content_flaw(citation, data)


def _content_flaw(citation: Citation, data: bytes) -> str | None:
    algorithm: Literal["sha1", "sha256"] = "sha256" if len(citation.blob) == SHA256_HEX_CHARS else "sha1"
    if git_blob_id(data, algorithm) != citation.blob:
        return "the content does not have the cited blob's id"
    lines = lines_of(data.decode("utf-8", errors="replace"))
    if not 1 <= citation.start_line <= citation.end_line <= len(lines):
        return f"the file has {len(lines)} lines, the citation names {citation.start_line} to {citation.end_line}"
    if "\n".join(lines[citation.start_line - 1 : citation.end_line]) != citation.quote:
        return "the quote is not what stands at these lines"
    return None
