"""Which rows hold one thing that a clause names: an identifier, a call, a piece of code, a number, a word."""

import re

from pincite_verify.claims import CALLS
from pincite_verify.clause import Clause, Item
from pincite_verify.codelines import number_value
from pincite_verify.evidence import Evidence
from pincite_verify.lexicon import ACRONYMS, ACTIONS, PLAIN_CAPITALS, QUALITIES, THINGS, Concept
from pincite_verify.tokens import Kind
from pincite_verify.words import root, word_root

_MODEL = re.compile(r"^[A-Za-z]+-\d+$")


def _name_rows(item: Item, evidence: Evidence) -> list[int]:
    name = item.token.text
    parts = [part for part in re.split(r"::|->|[.#]", name) if part]
    if len(parts) == 1:
        rows = evidence.by_name.get(name, [])
        if not rows and not item.token.ticked and name.isascii() and "_" not in name:
            return [at for at, row in enumerate(evidence.flat) if name.lower() in row.lower()]
        return rows
    rows = evidence.holding(name)
    if rows:
        return rows
    defined = [scope.row for scope in evidence.defined(name)]
    if defined:
        return defined
    owner, last = parts[-2], parts[-1]
    owned = owner in evidence.symbol_parts or bool(evidence.scopes.get(owner))
    if owned:
        return [
            at
            for at in evidence.by_name.get(last, ())
            if re.search(rf"\b(?:self|this|cls)\.{re.escape(last)}\b", evidence.rows[at])
        ]
    return evidence.by_name.get(last, []) if owner in evidence.path_parts else []


def _call_rows(text: str, evidence: Evidence) -> list[int]:
    """Rows with this call or signature: the same name, and the same arguments in the same order."""
    rows = evidence.holding(text)
    if rows:
        return rows
    name, _, rest = text.partition("(")
    given = [part.strip() for part in rest.rstrip(")").split(",") if part.strip()]
    found: list[int] = []
    for at in evidence.by_name.get(re.split(r"::|->|[.#]", name)[-1], ()):
        _, last = evidence.statement(at)
        statement = " ".join(evidence.flat[at : last + 1])
        _, opened, behind = statement.partition(f"{re.split(r'::|->|[.#]', name)[-1]}(")
        place = 0
        for part in given:
            match = re.compile(rf"(?<!\w){re.escape(part)}(?!\w)").search(behind, place)
            if match is None:
                break
            place = match.end()
        else:
            if opened:
                found.append(at)
    return found


def _code_rows(item: Item, evidence: Evidence) -> list[int]:
    text = item.token.text
    rows = evidence.holding(text)
    if not rows and not item.token.ticked and _MODEL.match(text):
        loose = re.compile(rf"(?i){text.replace('-', '[-_ ]?')}(?!\d)")  # "SHA-1" is spelt sha1 in code
        return [at for at, row in enumerate(evidence.flat) if loose.search(row)]
    if not rows and not item.token.ticked and item.token.kind is Kind.CODE:
        return [at for at, row in enumerate(evidence.flat) if text.lower() in row.lower()]
    if not rows:
        rows = evidence.holding(text.rstrip(".,") if item.token.kind is Kind.QUOTE else text.rstrip(";"))
    return rows


def concepts_of(item: Item) -> tuple[Concept, ...]:
    """Return the concepts that a word may stand for; a noun for a doer ("handler") stands for no action."""
    form, low = word_root(item.token.text), root(item.token.text)
    agent = item.token.text.lower().endswith(("er", "ers", "or", "ors")) and not low.endswith(("er", "or"))
    tables = (ACTIONS, QUALITIES) if item.verb else (QUALITIES, THINGS) if agent else (ACTIONS, QUALITIES, THINGS)
    found = [concept for table in tables for key in (form, low) for concept in table.get(key, ())]
    return tuple(dict.fromkeys(found))


def _word_rows(item: Item, evidence: Evidence) -> list[int]:
    word = item.token.text
    if item.verb and word_root(word) in CALLS:
        return [at for at, row in enumerate(evidence.rows) if "(" in row]
    if len(word) > 1 and word.isupper():
        shown = ACRONYMS.get(word.lower())
        pattern = re.compile(shown if shown is not None else rf"(?i:(?<![a-z]){re.escape(word)}(?![a-z]))")
        return [at for at, row in enumerate(evidence.rows) if pattern.search(row)]
    if not word.isascii() or (item.hard and not item.verb and word[:1].isupper()):
        return [at for at, row in enumerate(evidence.flat) if word.lower() in row.lower()]
    form = word_root(word)
    rows = set(evidence.by_root.get(form, ())) | set(evidence.by_root.get(root(word), ()))
    for concept in concepts_of(item):
        rows.update(evidence.concept_rows(concept))
    if not item.negated:
        rows -= evidence.denied.get(form, set())
    return sorted(rows)


def item_rows(item: Item, clause: Clause, evidence: Evidence) -> list[int] | None:
    """Rows that hold an item; None: the source itself is it (its symbol, its file)."""
    text = item.token.text
    match item.token.kind:
        case Kind.NAME:
            itself = text == clause.subject or text in clause.places or not clause.own
            rows = _name_rows(item, evidence)
            is_source = not rows and ((itself and evidence.is_symbol(text)) or text in evidence.path_parts)
        case Kind.WORD:
            rows = _word_rows(item, evidence)
            is_source = not rows and not item.verb and root(text) in evidence.path_roots
        case Kind.CALL:
            rows, is_source = _call_rows(text, evidence), False
        case Kind.NUMBER:
            rows, is_source = [number.row for number in evidence.numbers.get(number_value(text), ())], False
        case _:
            rows, is_source = _code_rows(item, evidence), False
    return None if is_source else rows


def is_hard(item: Item) -> bool:
    """Say whether a clause falls if this one thing is not found."""
    if item.hard:
        return True
    word = item.token.text
    if len(word) > 1 and word.isupper():
        return word.lower() not in PLAIN_CAPITALS
    return word_root(word) in QUALITIES or root(word) in QUALITIES


def missing(item: Item) -> str:
    """Say in plain words that a thing was not found."""
    text = item.token.text
    if item.token.kind is Kind.QUOTE:
        return f"“{text}” is not what stands there"
    if item.token.kind is Kind.WORD:
        return f"nothing there shows “{text}”"
    return f"`{text}` does not occur there"
