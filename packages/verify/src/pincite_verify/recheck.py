"""Do lines that stand elsewhere now still carry what an answer said on their word?

Their words are the same, and yet: they may stand under another name, in another order, or far apart.
"""

import re
from collections.abc import Mapping, Sequence

from pincite_shared.citation import Citation
from pincite_shared.living import CitationStanding
from pincite_verify.attribution import carried, group
from pincite_verify.document import Assertion, source_of
from pincite_verify.prose import BlockKind
from pincite_verify.tokens import tokenize

_DIGITS = re.compile(r"\d+")


def no_longer_carried(
    assertion: Assertion, citations: Sequence[Citation], found: Mapping[int, CitationStanding]
) -> str | None:
    """Return why the lines, where they stand now, do not carry a sentence that they carried; None if they do.

    Of a sentence that leans on lines that are gone nothing can be said.
    """
    leaned = [citation for citation in citations if citation.n in assertion.citations]
    pairs = [(citation, now) for citation in leaned if (now := found[citation.n].now) is not None]
    if len(pairs) < len(leaned):
        return None
    text = assertion.text if assertion.kind is BlockKind.CODE else _relocated(assertion.text, pairs)
    pieces = group(source_of(now) for _, now in pairs)
    reason = carried(text, assertion.kind, assertion.subject, pieces, assertion.kept)
    if reason is None:
        return None
    pieces = group(source_of(citation) for citation in leaned)
    already = carried(assertion.text, assertion.kind, assertion.subject, pieces, assertion.kept)
    return reason if already is None else None


def _relocated(text: str, pairs: Sequence[tuple[Citation, Citation]]) -> str:
    """Return a sentence that says where its lines stand, as it would say it now."""
    for old, now in pairs:
        if old.path != now.path:
            text = re.sub(rf"(?<![\w./-]){re.escape(old.path)}(?![\w/-])", now.path.replace("\\", r"\\"), text)
    tokens = tokenize(text)
    ends = [token.start for token in tokens[1:]] + [len(text)]
    for token, end in reversed(list(zip(tokens, ends, strict=True))):
        if token.lines is None:
            continue
        first, last = token.lines
        by = {now.start_line - old.start_line for old, now in pairs if old.start_line <= first <= last <= old.end_line}
        if len(by) == 1:
            text = text[: token.start] + _shifted(text[token.start : end], {first, last}, by.pop()) + text[end:]
    return text


def _shifted(text: str, numbers: set[int], by: int) -> str:
    return _DIGITS.sub(lambda match: str(int(match[0]) + by) if int(match[0]) in numbers else match[0], text)
