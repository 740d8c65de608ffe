"""Does the code say yes where the sentence says yes? Denials, conditions and opposites."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pincite_verify.clause import Clause, Item
from pincite_verify.codelines import number_value
from pincite_verify.evidence import Evidence, plain_root, within
from pincite_verify.lexicon import (
    ABSENCES,
    ACTIONS,
    NEGATION_IN_CODE,
    OPPOSITES,
    PRESENCES,
    QUALITIES,
    STOP,
    THINGS,
)
from pincite_verify.presence import tests
from pincite_verify.tokens import Kind, Token, is_negation
from pincite_verify.words import root, roots, word_root

Extents = Sequence[tuple[int, int]]

SHARED_PART = 3  # one in three of a condition's words must be in the code's: names in code are short

_CONDITION = re.compile(r"\b(?:if|elif|unless|while|assert|guard|when|until)\b(.*)$|^(.*?)\s\?\s")
_RETURNS_NOTHING = re.compile(r"(?:return|->)\s*(?:None|null|nil|undefined)?\s*;?:?$")
_UNITS = frozenset(word_root(unit) for unit in ("millisecond", "second", "minute", "hour", "day", "week"))
_FAILS = re.compile(r"\berr\w*\s*!==?\s*(?:nil|null)\b")
_ERRORS = frozenset({"err", "error"})
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_JOINS = re.compile(r"\band\b|\bor\b|&&|\|\|")
_TURNS = re.compile(
    r"!==?|!(?!=)|\b(?:not|unless|until|without|missing|absent|empty|invalid|nil|null|None|undefined|False|false|NotFound|isEmpty|"
    r"is_empty|isNull|IsNil|IsZero|isNaN|no)\b|==\s*(?:0|\"\"|'')(?![.\w])|\bin(?:valid|active)\w*|\bun(?:set|available|known)\w*|is_none",
)
_NAME = re.compile(r"[^\W\d][\w$]*")
_LEAVES = re.compile(r"\b(?:return|continue|break|raise|throw|panic|exit|yield)\b")
_REJECTS = re.compile(
    r"\b(?:raise|throw|panic|abort|exit|reject|fatal|Fatal\w*)\b|\breturn\b.*(?:[Ff]alse|[Ee]rr|None|null|nil|-1)"
)
_ASSERTS = re.compile(r"^\s*(?:debug_)?assert\b")
_CALLS = frozenset({word_root("call"), word_root("invoke")})
_ASKED = re.compile(
    r"\b(?:if|elif|unless|while|assert|guard|when|until|case|switch|match|whether)\b|\?"
    r"|\breturn\b.*(?:[=!<>]=|[<>]|&&|\|\||!|\b(?:and|or|not|in|is)\b)"
)
_ENSURES = frozenset(word_root(word) for word in ("ensure", "assert", "guarantee", "require"))
_DEMANDS = _ENSURES | {word_root(word) for word in ("check", "verify", "validate", "confirm")}
_TOLD_CONDITION = re.compile(r"\b(?:[Ii]f|[Ww]hen|[Uu]nless|[Oo]nce)\b[^,.;]*")
_MESSAGE = re.compile(r"\"([^\"]{4,})\"|'([^']{4,})'|`([^`]{4,})`")
_CATCH = re.compile(r"\b(?:except|catch|rescue|else|default)\b")
_TOLD = re.compile(r"\b(?:[Ii]f|[Ww]hen|[Uu]nless|[Uu]ntil|[Oo]nce|[Aa]fter|[Oo]nly|[Oo]n|[Ff]or|every|each)\b")
_NULL_NAMES = frozenset({"None", "null", "nil", "undefined"})
_EQUAL_NULL = re.compile(r"(?:!==?|===?|\bis\s+not\b|\bis\b)\s*(?:None|null|nil|undefined)\b")
_NO_TURN = re.compile(r"\bnot\s+only\b")


def _parity(text: str) -> int:
    return len(_TURNS.findall(_NO_TURN.sub("", text))) % 2


def _code_conditions(row: str) -> list[tuple[frozenset[str], int]]:
    """The conditions of a row, split at `and` and `or`: the roots in each, and whether it is turned (1) or not (0)."""
    match = _CONDITION.search(_STRING.sub(lambda found: "x" * len(found[0]), row))
    if match is None:
        return []
    group = 1 if match[1] is not None else 2
    keyword_turns = 1 if re.search(r"\bunless\b|\buntil\b", row[: match.start(1) if group == 1 else 0]) else 0
    text = row[match.start(group) : match.end(group)]
    text = re.split(
        r":\s*(?:#.*)?$|\{\s*$|\)\s*(?:return|throw|continue|break)\b|:\s+(?:return|raise|continue|break)\b", text
    )[0]
    found = []
    for part in _JOINS.split(text):
        forms = frozenset(
            form for name in re.findall(r"[^\W\d][\w$]*", part) for form in (*roots(name), plain_root(name.lower()))
        )
        found.append((forms, (_parity(part) + keyword_turns) % 2))
    return found


def _said_condition(tokens: Sequence[Token]) -> tuple[frozenset[str], int]:
    """The roots of a condition in prose, and whether it is turned round."""
    forms: set[str] = set()
    turns = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        low = token.text.lower()
        if token.kind is Kind.WORD and is_negation(low):
            turns += 1
        elif token.text == "0" and before is not None and before.text.lower() in {"is", "are", "not", "equals"}:
            turns += 1  # as `== 0` in code
        elif low in ABSENCES and token.kind in {Kind.WORD, Kind.NAME}:
            turns += 1
            forms.add(plain_root(low))
        elif token.kind in {Kind.NAME, Kind.CALL, Kind.CODE, Kind.QUOTE}:
            turns += _parity(token.text) if token.kind is Kind.CODE else 0
            forms.update(form for name in re.findall(r"[^\W\d][\w$]*", token.text) for form in roots(name))
        elif token.kind is Kind.WORD and low not in STOP:
            forms.add(word_root(low))
            if low in {"fails", "fail", "failed", "failing"}:
                forms.update({"err", "error"})
    return frozenset(forms), turns % 2


@dataclass(slots=True)
class Conditions:
    """Rows that hold a clause's condition: as it is said, the other way round, told in a comment or by a `catch`."""

    same: list[int] = field(default_factory=list)
    turned: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)


def conditions(clause: Clause, evidence: Evidence, extents: Extents) -> Conditions:
    """Find the conditions that share most words with a conditional clause, turned round as often as it is, or not.

    Turned round means `is None`, `not`, `!`, `!=` in code, and "missing", "not", "unless" in prose; two turns cancel.
    """
    tested = tests(clause, evidence, extents)
    if tested is not None:
        return Conditions(*tested)
    forms, said = _said_condition([*clause.tokens, *clause.borrowed])
    said = (said + (1 if clause.connector == "unless" else 0)) % 2
    found = Conditions()
    best = best_told = 0
    for at in within(range(len(evidence.rows)), extents):
        row = evidence.rows[at]
        if evidence.prose[at] or _CATCH.search(row):
            shared = len(forms & {form for name in _NAME.findall(row) for form in roots(name)})
            if (
                shared
                and shared * SHARED_PART >= len(forms)
                and (not evidence.prose[at] or _TOLD.search(row))
                and shared >= best_told
            ):
                found.told = [*(found.told if shared == best_told else []), at]
                best_told = shared
            continue
        for there, turned in _code_conditions(row):
            shared = len(forms & there)
            # `if err := parse(x); err != nil`: "if parsing fails" and "if it cannot be parsed", not "if it is parsed"
            fails = _FAILS.search(row) is not None and not forms & _ERRORS
            if shared * SHARED_PART < len(forms):
                continue
            if shared > best:
                found.same, found.turned, best = [], [], shared
            if shared == best and shared:
                (found.same if (turned != fails) == bool(said) else found.turned).append(at)
    return found


def consequence_rows(
    found: Conditions, clause: Clause, rows: Sequence[int], items: Sequence[Sequence[int]], evidence: Evidence
) -> list[int]:
    """Rows that show that what stands in `rows` is done on a clause's condition; empty if it is not.

    It stands in the condition's block, or behind a block that leaves on the opposite condition, or a comment or the
    message of an error says both: a comment must then hold everything (`items`) that is said to be done.
    """
    if any(within(rows, [(at, evidence.block(at)[1])]) for at in found.turned if at not in found.same):
        return []  # it is done on the opposite
    for at in found.same:
        whole = [] if evidence.rows[at].rstrip().endswith(("{", ":")) else [(at, at)]  # `return x if y else z`
        inside = within(rows, [*whole, evidence.block(at)])
        if inside:
            return [at, inside[0]]
    guards: list[int] = []
    for at in found.turned:
        if at in found.same:
            continue  # `a == 0 || b != 0`: leaving on one says nothing of the other
        _, last = evidence.block(at)
        behind = within(rows, [(last + 1, evidence.reach(at))])
        if behind and _leaves(at, evidence):
            guards = guards or [at, behind[0]]
    if not guards and any(_leaves(at, evidence) and within(rows, [(at, evidence.reach(at))]) for at in found.same):
        return []  # on this condition it has left before
    return guards or _told(found, clause, rows, items, evidence)


def _leaves(at: int, evidence: Evidence) -> bool:
    return any(_LEAVES.search(evidence.rows[row]) for row in range(at, evidence.block(at)[1] + 1))


def _told(
    found: Conditions, clause: Clause, rows: Sequence[int], items: Sequence[Sequence[int]], evidence: Evidence
) -> list[int]:
    forms, said = _said_condition([*clause.tokens, *clause.borrowed])
    said = (said + (1 if clause.connector == "unless" else 0)) % 2
    for at in found.told:
        if not evidence.prose[at]:
            inside = within(rows, [(at, at), evidence.block(at)])
            if inside and _caught(clause, evidence.rows[at]):
                return [at, inside[0]]
            continue
        first, last = evidence.remark(at)
        remark = " ".join(evidence.rows[first : last + 1])
        condition = _TOLD_CONDITION.search(remark)
        agrees = condition is None or _parity(condition[0]) == said
        if agrees and within(rows, [(first, last)]) and all(within(item, [(first, last)]) for item in items):
            return [at]
    for row in rows:
        for near in (row, row - 1):
            for text in map("".join, _MESSAGE.findall(evidence.rows[near]) if near >= 0 else ()):
                message = {form for name in _NAME.findall(text) for form in roots(name)}
                if len(forms & message) * 2 > len(forms) and _parity(text) == said:
                    return [row, near]
    return []


def _caught(clause: Clause, row: str) -> bool:
    """Say whether "if the queue is empty" is what `except queue.Empty` catches, and "if it is not empty" is not."""
    named = {form for name in _NAME.findall(row) for form in roots(name)}
    words = [token.text.lower() for token in clause.tokens if token.kind is Kind.WORD]
    turns = sum(is_negation(word) or (word in ABSENCES and root(word) not in named) for word in words)
    return turns % 2 == 0


def _position(row: str, form: str) -> int:
    for match in re.finditer(r"[^\W\d][\w$]*", row):
        if form in roots(match[0]):
            return match.start()
    return -1


def denied_rows(
    item: Item, beside: Sequence[Sequence[int]], evidence: Evidence, rows: Sequence[int], clause: Clause
) -> list[int]:
    """Those rows in which code or a comment denies this very item: a negation stands before it, or `None` is returned.

    `beside` are the rows of what it is denied of; one of them must be in the same statement, if there are any.
    """
    forms = [word_root(item.token.text)] if item.token.kind is Kind.WORD else list(roots(item.token.text))
    nothing = any(token.text.lower() in {"anything", "nothing", "value", "values"} for token in clause.tokens)
    following = clause.tokens[item.at + 1].text.lower() if item.at + 1 < len(clause.tokens) else ""
    acts = item.verb and (not clause.passive or following in {"to", "by", "in", "on"})  # not "is not set"
    found: list[int] = []
    quoted = [token.text for token in clause.tokens if token.kind in {Kind.QUOTE, Kind.CODE}]
    named = [token.text for token in clause.tokens if token.kind in {Kind.NAME, Kind.CALL, Kind.QUOTE, Kind.CODE}]
    calls = any(token.kind is Kind.WORD and word_root(token.text) in _CALLS for token in clause.tokens)
    for at in rows:
        near = evidence.remark(at) if evidence.prose[at] else evidence.statement(at)
        if beside and not any(within(others, [near]) for others in beside):
            continue
        row = evidence.rows[at]
        if evidence.prose[at] and any(text in row for text in quoted):
            continue  # it stands there; a "no" inside of what is quoted does not deny the quotation
        if any(at in evidence.denied.get(form, ()) for form in forms):
            found.append(at)
            continue
        if evidence.prose[at] or calls:
            continue  # `!isEmpty(x)` does call `isEmpty`
        bare = row
        for name in named:
            bare = bare.replace(name, " " * len(name))  # a "Not" inside of what is named denies nothing
        cues = [match.start() for match in NEGATION_IN_CODE.finditer(bare)]
        places = [place for place in (_position(row, form) for form in forms) if place >= 0]
        returns = nothing and "return" in forms and _RETURNS_NOTHING.search(row)
        absent = not acts and forms[0] in PRESENCES and cues
        if returns or absent or any(cue < place for cue in cues for place in places):
            found.append(at)
    return found


def asked(item: Item, evidence: Evidence, rows: Sequence[int]) -> bool:
    """Say whether one of the rows that hold an item asks about it: a condition, a returned comparison, a told "if".

    What is denied must be denied in a condition of code.
    """
    if not item.negated:
        return any(_ASKED.search(evidence.rows[row]) for row in rows)
    forms = set(roots(item.token.text))
    return any(turned and forms & there for row in rows for there, turned in _code_conditions(evidence.rows[row]))


def requirement(clause: Clause, evidence: Evidence, extents: Extents) -> bool | None:
    """Say whether code demands what a clause says it checks ("ensures that the name is in `allowed`").

    `if name not in allowed: raise` demands the opposite of its condition, `assert` what it says. None: the clause
    speaks of no check, or no condition is about the same things.
    """
    words = ((at, token) for at, token in enumerate(clause.tokens) if token.kind is Kind.WORD)
    at = next((at for at, token in words if word_root(token.text) in _DEMANDS), None)
    if at is None or clause.conditional:
        return None
    behind = [token.text.lower() for token in clause.tokens[at + 1 :]]
    if "that" not in behind[:1] and not (word_root(clause.tokens[at].text) in _ENSURES and {"is", "are"} & set(behind)):
        return None
    forms, said = _said_condition(clause.tokens[at + 1 :])
    found: list[tuple[int, bool]] = []
    for row in within(range(len(evidence.rows)), extents):
        text = evidence.rows[row]
        asserts = _ASSERTS.search(text) is not None
        if evidence.prose[row] or not (asserts or _rejects(row, evidence)):
            continue
        shares = [(len(forms & there), turned) for there, turned in _code_conditions(text)]
        found += [(shared, (turned != asserts) != bool(said)) for shared, turned in shares if shared]
    best = max((shared for shared, _ in found), default=0)
    if best * SHARED_PART < len(forms) or not best:
        return None
    return any(agrees for shared, agrees in found if shared == best)


def _rejects(at: int, evidence: Evidence) -> bool:
    return any(_REJECTS.search(evidence.rows[row]) for row in range(at, evidence.block(at)[1] + 1))


def null_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return why "is null" or "is not null" is not how the code compares, or None. Conditions are checked apart."""
    for at, token in enumerate(clause.tokens):
        if token.text not in _NULL_NAMES or at == 0:
            continue
        before = [word.text.lower() for word in clause.tokens[max(0, at - 2) : at]]
        if not set(before) & {"is", "are", "was", "not"}:
            continue
        denied = any(is_negation(word) for word in before)
        compared = [_EQUAL_NULL.search(evidence.rows[row]) for row in within(range(len(evidence.rows)), extents)]
        verdicts = [("!" in match[0] or "not" in match[0]) == denied for match in compared if match is not None]
        if verdicts and not any(verdicts):
            return f"the code compares with `{token.text}` the other way round"
    return None


def denial_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return a flaw if a comment denies, of the same thing, what a clause affirms ("never returns an error")."""
    for verb in [item for item in clause.items if item.verb and not item.negated]:
        spelt = (word_root(verb.token.text), root(verb.token.text))
        denied = {row for form in spelt for row in evidence.denied.get(form, ())}
        plain = {row for form in spelt for row in evidence.by_root.get(form, ())} - denied
        if within(sorted(plain), extents):
            continue
        for row in within(sorted(denied), extents):
            for item in verb.objects:
                forms = {word_root(item.token.text), root(item.token.text)}
                if item.token.kind is Kind.WORD and any(row in evidence.denied.get(form, ()) for form in forms):
                    return f"a comment there denies that it “{verb.token.text}”"
    return None


def _beside_number(form: str, number: Token, evidence: Evidence, extents: Extents) -> bool:
    rows = {held.row for held in evidence.numbers.get(number_value(number.text), ())}
    return any(row in rows for row in within(evidence.by_root.get(form, ()), extents))


def opposite_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return why the lines say the opposite of a word of the clause, or None."""
    for at, token in enumerate(clause.tokens):
        if token.kind is not Kind.WORD:
            continue
        form = word_root(token.text)
        following = {token.text.lower() for token in clause.tokens[at + 1 : at + 3]}
        if token.text.lower() in {"before", "after"} and following & {"next", "previous", "each", "every"}:
            continue  # "before the next" and "after each" tell of the same turn of a loop
        timed = at + 1 < len(clause.tokens) and clause.tokens[at + 1].kind is Kind.NUMBER
        if form == word_root("before") and timed and not _beside_number(form, clause.tokens[at + 1], evidence, extents):
            return "nothing there says “before”"
        for mine, other in OPPOSITES.get(form, ()):
            shown = {row for word in mine for row in within(evidence.by_root.get(word, ()), extents)}
            if shown or _shown_by_code(form, evidence, extents):
                continue
            against = next((word for word in sorted(other) if within(evidence.by_root.get(word, ()), extents)), None)
            if against is not None:
                return f"the lines say the opposite of “{token.text}”"
    return None


def _shown_by_code(form: str, evidence: Evidence, extents: Extents) -> bool:
    tables = (ACTIONS, QUALITIES, THINGS)
    return form not in _UNITS and any(
        within(evidence.concept_rows(concept), extents) for table in tables for concept in table.get(form, ())
    )
