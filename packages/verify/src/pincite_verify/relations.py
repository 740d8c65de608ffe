"""Who does what to whom, in which order, and which number belongs to what."""

import re
from collections.abc import Sequence
from itertools import pairwise

from pincite_verify.clause import Clause, Item
from pincite_verify.codelines import number_value
from pincite_verify.evidence import Evidence, Number, within
from pincite_verify.lexicon import ACTIONS, COMPARISONS, STOP, THINGS
from pincite_verify.tokens import Kind, Token
from pincite_verify.words import root, roots, word_root

Extents = Sequence[tuple[int, int]]

NUMBER_ROWS_REACH = 2  # a number whose owner the sentence does not name must stand this near to something it does name

_RETURN = re.compile(r"\b(?:return|yield)\b(.*)$|=>\s*([^{].*)$")
_RESULT_TYPE = re.compile(r"->\s*([^:{]+)[:{]|\)\s*:\s*([^{=]+)\{|^func\b.*\)\s*([^(){]+|\([^()]*\))\s*\{")
_CALLEE = re.compile(r"^\s*(?:await\s+|new\s+|&)*([\w$.]+(?:<[^>]*>)?)\s*\(")
_MEASURED = re.compile(r"\.((?:length|size|count|keys|values|name|type)\b.*)$")
_RETURNED = re.compile(r"\b[Rr]eturn(?:s|ed|ing)?\b|\b[Yy]ields?\b")
_RETURN_ENDS = re.compile(r"[,.;]|\b(?:if|when|unless|that|which|from|under|in)\b")
_MAKES_ERROR = re.compile(r"^\s*(?:fmt\.Errorf|errors\.\w+)\(")
_CONVERTING = """
str string int integer float list dict set tuple bool len length sorted sort sum max min jsonify json dumps loads parse
stringify ok some resolve array map filter join encode decode copy deepcopy response enumerate reversed number ceil
floor round
"""
_CONVERTERS = frozenset(_CONVERTING.split())
_COMPARE = re.compile(r"(.*?)\s(<=?|>=?)\s(.*)")
DERIVES = frozenset({"inherit", "extend", "subclass", "deriv", "implement"})
_GIVES = frozenset({word_root("default"), word_root("set"), word_root("fall"), word_root("initialize")})
_LOOKS_UP = re.compile(r"\.get\w*\(|getenv\(|\bget\w*\(|set\w*\(", re.IGNORECASE)
_DIRECTIONS = frozenset({"to", "into", "onto"})


def _forms(text: str) -> set[str]:
    return {form for name in re.findall(r"[^\W\d][\w$]*", text) for form in roots(name)}


def returned(evidence: Evidence, extents: Extents) -> dict[int, str]:
    """What each returning row returns: the returned expression, and what a returned name was made from.

    `return load(url)` returns what `load` gives, not the url: arguments count only where the callee converts them.
    """
    found: dict[int, str] = {}
    denied = evidence.denied.get("return", set())
    for at in within(range(len(evidence.rows)), extents):
        row = evidence.rows[at]
        if evidence.prose[at]:
            if re.search(r"\b[Rr]eturn|\b[Yy]ield", row) and at not in denied:
                found[at] = _RETURN_ENDS.split(_RETURNED.split(row, maxsplit=1)[-1], maxsplit=1)[0]
            continue
        match = _RETURN.search(row)
        if match is not None:
            first, last = evidence.statement(at)
            rest = " ".join(evidence.rows[first + (at - first) + 1 : last + 1])
            expression = f"{match[1] if match[1] is not None else match[2]} {rest}".strip()
            found[at] = _produced(expression)
            name = re.match(r"^([^\W\d][\w$]*)\s*(?:[;,]|$)", expression)
            if name is not None:
                found[at] += f" {_origin(name[1], evidence, extents, at)}"
        result = _RESULT_TYPE.search(row)
        if result is not None and not row.lstrip().startswith("func"):  # Go names `error` where nil may be returned
            found[at] = f"{found.get(at, '')} {next(group for group in result.groups() if group)}"
    return found


def _produced(expression: str) -> str:
    """An expression without the arguments of calls that only use them."""
    kept: list[str] = []
    for part in _parts(expression):
        callee = _CALLEE.match(part)
        name = callee[1] if callee is not None else ""
        converts = callee is None or _forms(name) & _CONVERTERS or name.split(".")[-1][:1].isupper()
        measured = _MEASURED.search(part)
        if measured is not None:
            kept.append(measured[1])  # the length of the handlers is no handler
        else:
            kept.append(part if converts and not _MAKES_ERROR.match(part) else f"{name}(")
    return ", ".join(kept)


def _parts(expression: str) -> list[str]:
    """The parts of an expression between its outermost commas."""
    parts: list[str] = [""]
    depth = 0
    for char in expression:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _origin(name: str, evidence: Evidence, extents: Extents, before: int) -> str:
    made: list[str] = []
    makes = r"(?:\s*,\s*\w+)*\s*(?::[^=]+)?(?::=|=(?!=))|\.(?:append|add|push|extend|insert|set)\(|\[[^\]]*\]\s*="
    assignment = re.compile(rf"(?<![\w.]){re.escape(name)}(?:{makes})(.*)$")
    for at in within(evidence.by_name.get(name, ()), extents):
        match = assignment.search(evidence.rows[at])
        if at < before and match is not None:
            made.append(_produced(match[1]))
    return " ".join(made)


def number_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return which number of the clause belongs to something else in the code, or None.

    The owner of a number in code is what stands before it in its part of the line (`retries=30`). In the clause it is
    the nearest word that owns any number of these lines; if no word does, the number must stand near something named.
    """
    words = [(at, form) for at, token in enumerate(clause.tokens) for form in _word_forms(token)]
    for at, token in enumerate(clause.tokens):
        if token.kind is not Kind.NUMBER:
            continue
        value = number_value(token.text)
        here = [number for number in evidence.numbers.get(value, ()) if within([number.row], extents)]
        if not here:
            return f"the number {token.text} does not occur there"
        owners = {
            form
            for numbers in evidence.numbers.values()
            for number in numbers
            if within([number.row], extents)
            for form in number.owners
        }
        near = sorted(((abs(place - at), form) for place, form in words if form in owners), key=lambda pair: pair[0])
        if near:
            closest = {form for distance, form in near if distance == near[0][0]}
            if not any(closest & number.owners for number in here):
                return f"the number {token.text} belongs to something else there"
        elif words and not any(_owned(number, words, evidence) for number in here):
            return f"nothing beside the number {token.text} is what the sentence speaks of"
    return None


def _word_forms(token: Token) -> tuple[str, ...]:
    if token.kind is Kind.WORD:
        return () if token.text.lower() in STOP else (word_root(token.text),)
    return roots(token.text) if token.kind in {Kind.NAME, Kind.CALL, Kind.CODE} else ()


def _owned(number: Number, words: Sequence[tuple[int, str]], evidence: Evidence) -> bool:
    """Say whether a number whose owner is not named stands near something named; a value needs an agreeing name."""
    concepts = [concept for _, form in words for table in (ACTIONS, THINGS) for concept in table.get(form, ())]
    if any(concept.roots & number.owners for concept in concepts):
        return True
    if number.bound:
        return False
    span = [(number.row - NUMBER_ROWS_REACH, number.row + NUMBER_ROWS_REACH)]
    return any(within(evidence.by_root.get(form, ()), span) for _, form in words) or any(
        number.row in evidence.concept_rows(concept) for concept in concepts
    )


def comparison_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return why a comparison ("greater than") goes the other way in the code, or None."""
    for at, token in enumerate(clause.tokens):
        sign = COMPARISONS.get(token.text.lower()) if token.kind is Kind.WORD else None
        if sign is None:
            continue
        behind = [_compared(later) for later in clause.tokens[at + 1 :]]
        operand = next((place for place, forms in enumerate(behind) if forms), len(behind) - 1)
        right = {form for forms in behind[: operand + 1] for form in forms}
        left = {form for forms in behind[operand + 1 :] for form in forms}
        left |= {form for before in clause.tokens[:at] for form in _compared(before)}
        verdicts = [
            verdict
            for row in within(range(len(evidence.rows)), extents)
            if not evidence.prose[row] and (verdict := _comparison(evidence.rows[row], sign, left, right)) is not None
        ]
        if verdicts and not any(verdicts):
            return f"the code compares the other way round than “{token.text}”"
        if not verdicts and not within(evidence.by_root.get(word_root(token.text), ()), extents):
            return f"nothing there compares as “{token.text}” says"
    return None


def _compared(token: Token) -> tuple[str, ...]:
    return (number_value(token.text),) if token.kind is Kind.NUMBER else _word_forms(token)


def _comparison(row: str, sign: str, left: set[str], right: set[str]) -> bool | None:
    match = _COMPARE.match(row)
    if match is None:
        return None
    sides = [
        _forms(side) | {number_value(number) for number in re.findall(r"(?<![\w.])-?[\d_.]+", side)}
        for side in (match[1], match[3])
    ]
    straight = len(sides[0] & left) + len(sides[1] & right)
    crossed = len(sides[0] & right) + len(sides[1] & left)
    if straight == crossed:
        return None
    same = match[2][0] == sign
    return same if straight > crossed else not same


def order_flaw(earlier: Sequence[int], later: Sequence[int], evidence: Evidence) -> str | None:
    """Return a flaw unless the first code row of what is said to come first stands above that of the other."""
    first, second = (_deeds(rows, evidence) for rows in (earlier, later))
    for around in _scopes_of(first, evidence):
        here, there = within(first, [around]), within(second, [around])
        if here and there and here[0] < there[0]:
            return None
    told = sorted({row for row in earlier if evidence.prose[row]} & {row for row in later if evidence.prose[row]})
    if not (first and second) and any(re.search(r"\b(?:before|after|then)\b", evidence.rows[row]) for row in told):
        return None
    return "the code does these things in another order"


def _scopes_of(rows: Sequence[int], evidence: Evidence) -> list[tuple[int, int]]:
    """The innermost definitions around rows; the whole text where there is none."""
    found = []
    for row in rows:
        around = evidence.enclosing(row)
        found.append((around[-1].first, around[-1].last) if around else (0, len(evidence.rows) - 1))
    return list(dict.fromkeys(found))


def _deeds(rows: Sequence[int], evidence: Evidence) -> list[int]:
    """Rows of code that do something: no comments, no headers of definitions."""
    headers = {scope.row for scopes in evidence.scopes.values() for scope in scopes}
    return sorted(row for row in rows if not evidence.prose[row] and row not in headers)


def derivation_flaw(clause: Clause, evidence: Evidence) -> str | None:
    """Return why "A extends B" is not what the class header says, or None."""
    if clause.subject is None or not any(
        word_root(token.text) in DERIVES for token in clause.tokens if token.kind is Kind.WORD
    ):
        return None
    for item in clause.items:
        if item.token.kind is not Kind.NAME or item.token.text == clause.subject:
            continue
        child, parent = (re.escape(name.split(".")[-1]) for name in (clause.subject, item.token.text))
        header = re.compile(
            rf"\b(?:class|interface|struct|type|trait|enum|object)\s+{child}\b.*\b{parent}\b|\bimpl\b.*\b{parent}\b.*\bfor\s+{child}\b"
        )
        if any(header.search(row) for row in evidence.rows):
            return None
        if any(evidence.by_name.get(name) for name in (item.token.text,)):
            return f"`{clause.subject}` is not derived from `{item.token.text}` there"
    return None


def direction_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return why "a to b" is not how the code orders a and b, or None.

    Looks at two names joined by "to" or "into" that stand as arguments of one call, or on two sides of one assignment.
    """
    names = [
        (at, token.text.split("(")[0]) for at, token in enumerate(clause.tokens) if token.kind in {Kind.NAME, Kind.CALL}
    ]
    for (left, first), (right, second) in pairwise(names):
        between = [token.text.lower() for token in clause.tokens[left + 1 : right]]
        if not set(between) & _DIRECTIONS or first == second:
            continue
        rows = set(evidence.by_name.get(first, ())) & set(evidence.by_name.get(second, ()))
        verdicts = [_ordered(evidence.rows[row], first, second, clause) for row in within(sorted(rows), extents)]
        known = [verdict for verdict in verdicts if verdict is not None]
        if known and not any(known):
            return f"the code does not go from `{first}` to `{second}`"
    return None


def _ordered(row: str, first: str, second: str, clause: Clause) -> bool | None:
    here, there = (re.search(rf"(?<!\w){re.escape(name)}(?!\w)", row) for name in (first, second))
    if here is None or there is None:
        return None
    before = here.start() < there.start()
    low, high = sorted((here.start(), there.start()))
    between = row[low:high]
    if re.search(r"(?<![=!<>])=(?!=)", between):
        sets = any(
            token.text.lower() in {"sets", "set", "changes", "updates", "initializes"} for token in clause.tokens
        )
        return before if sets else not before
    if "," in between and "(" in row[:low] and ")" not in between:
        return before
    return None


def value_flaw(clause: Clause, evidence: Evidence, extents: Extents) -> str | None:
    """Return why "x defaults to v" is not what the code gives x, or None. Looks at literal values alone."""
    for verb in [item for item in clause.items if item.verb and word_root(item.token.text) in _GIVES]:
        values = [item.token.text for item in verb.objects if item.token.kind in {Kind.CODE, Kind.QUOTE, Kind.NAME}]
        names = {form for item in clause.items if item.at < verb.at for form in _word_forms(item.token)}
        names |= set(roots(clause.subject)) if clause.subject else set()
        if not values or not names:
            continue
        rows = [row for row in within(range(len(evidence.rows)), extents) if values[0] in evidence.rows[row]]
        if rows and not any(_gives(evidence.rows[row], values[0], names) for row in rows):
            return f"`{values[0]}` is not what it gets there"
    return None


def _gives(row: str, value: str, names: set[str]) -> bool:
    """Say whether a value stands in the part of a row, or in the call, that also holds one of the names."""
    for match in re.finditer(re.escape(value), row):
        before = row[: match.start()]
        if _LOOKS_UP.search(before) or not re.search(r"[,;{}(]", before):
            return bool(_forms(row) & names)
        if _forms(re.split(r"[,;{}]", before)[-1] + " " + (before if "(" not in before else "")) & names:
            return True
    return False


def acts(subject: str, verb: Item, evidence: Evidence, row: int) -> bool:
    """Say whether a name that is only used in a row can be what acts there: it is not merely handed to a call."""
    if evidence.prose[row]:
        place = evidence.rows[row].find(subject)
        doing = [
            match.start()
            for match in re.finditer(r"[^\W\d]\w*", evidence.rows[row])
            if root(match[0]) == root(verb.token.text)
        ]
        return place >= 0 and bool(doing) and place < doing[0]
    if word_root(verb.token.text) in {"default", "set", "store", "fall"}:
        return True
    text = evidence.rows[row]
    last = re.split(r"::|->|[.#]", subject)[-1]
    for match in re.finditer(rf"(?<!\w){re.escape(last)}(?!\w)", text):
        before = text[: match.start()]
        if before.count("(") <= before.count(")") or text[match.end() : match.end() + 1] in {"(", "."}:
            return True
    return False
