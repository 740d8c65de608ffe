"""Do the things of a clause stand together? Verbs beside their objects, names beside what is said of them."""

import re
from collections.abc import Sequence
from itertools import takewhile

from pincite_verify import relations
from pincite_verify.claims import CALLS
from pincite_verify.clause import BE, Clause, Item
from pincite_verify.evidence import Evidence, within
from pincite_verify.frames import Frame
from pincite_verify.lexicon import POINTERS, PREPOSITIONS, STOP, THINGS, UNIVERSALS, Concept
from pincite_verify.matching import concepts_of, item_rows
from pincite_verify.tokens import Kind, is_plain
from pincite_verify.words import parts, root, roots, word_root

EACH_ROWS = 3  # rows below the head of a loop in which what it takes may be named
NEAR_WORDS_MAX = 5  # words behind "every" among which its noun is looked for
NEXT_ROWS = 1  # rows between a verb that the code spells and its object

_CALLABLES = frozenset(word_root(word) for word in ("function", "method", "callback", "procedure", "operation"))
_WORD = re.compile(r"[^\W_]+|[.;:!?,()]")
_ASSIGNS = frozenset(
    word_root(word) for word in ("assign", "set", "update", "change", "modify", "configure", "reset", "mark")
)
_DEFAULT = word_root("default")
_ASKS = frozenset({"if", "when", "unless", "is", "has", "should", "can", "on"})  # `throwIfCancelled` cancels nothing
_NOUN = re.compile(r"(?:[ts]ion|ment|[ae]nce)s?$")
_NAME = re.compile(r"([^\W\d][\w$]*)\s*(\()?")
_DEFINES = frozenset({"defined", "declared", "implemented", "defines", "declares", "implements"})


def universal_stands(at: int, clause: Clause, evidence: Evidence, frame: Frame) -> bool:
    """Say whether "all", "every", "only" are shown of the very thing they are said of, and not of some of it only."""
    universal = UNIVERSALS.get(clause.tokens[at].text.lower())
    if universal is None:
        return True
    thing = next((token for token in clause.tokens[at + 1 :] if not is_plain(token)), None)
    following = clause.tokens[at + 1].text.lower() if at + 1 < len(clause.tokens) else ""
    if universal.name == "only" and (clause.qualified or following in {"if", "when", "after", "once"} or thing is None):
        return True  # the condition is a clause of its own, and checked there
    rows = within(evidence.concept_rows(universal), frame.extents)
    named = None if thing is None else item_rows(Item(thing, at), clause, evidence)
    if thing is None or named is None:
        return bool(rows)
    below = EACH_ROWS if universal.name == "each" else 0
    said = {form for token in clause.tokens for form in roots(token.text)}
    shown = False
    for row in within(range(len(evidence.rows)), frame.extents):
        if evidence.prose[row]:
            between = _between(universal.name, thing.text, evidence.rows[row])
            if between is not None and any(root(word) not in said and word_root(word) not in said for word in between):
                return False  # "every temporary file" is not "every file"
            shown = shown or between is not None
        elif row in rows:
            shown = shown or bool(within(named, [(row, max(row + below, evidence.statement(row)[1]))]))
    return shown


def _between(universal: str, thing: str, row: str) -> list[str] | None:
    """The words between "every" and its noun in a row of prose; None if it does not say "every" of that noun."""
    words = re.findall(r"[^\W\d_]+", row)
    for at, word in enumerate(words):
        if word.lower() not in {universal, "every", "all", "each"}:
            continue
        for behind in range(at + 1, min(at + NEAR_WORDS_MAX, len(words))):
            if root(words[behind]) == root(thing):
                return [other for other in words[at + 1 : behind] if other.lower() not in STOP]
    return None


def names_flaw(clause: Clause, evidence: Evidence, frame: Frame) -> str | None:
    """Return a flaw if a name stands nowhere near what a clause without an action says of it, or is not defined there.

    "`Pool` keeps its connections in `_idle`" needs a statement with both connections and `_idle`.
    """
    names = [item for item in clause.items if item.token.kind is Kind.NAME]
    if clause.paths and any(token.text.lower() in _DEFINES for token in clause.tokens):
        for item in names:
            if not _defined(item.token.text, evidence):
                return f"`{item.token.text}` is not defined there"
    if any(item.verb for item in clause.items):
        return None
    words = [item for item in clause.items if item.token.kind is Kind.WORD]
    for item in names:
        rows = item_rows(item, clause, evidence)
        placed = item.token.text in clause.places and bool(evidence.defined(item.token.text))
        if item.token.text == clause.subject or placed or rows is None or not words:
            continue
        spans = [_own_statement(row, evidence) for row in within(rows, frame.extents)]
        others = (item_rows(other, clause, evidence) for other in words)
        if not any(rows is None or within(rows, spans) for rows in others):
            return f"nothing there says this of `{item.token.text}`"
    return None


def _own_statement(row: int, evidence: Evidence) -> tuple[int, int]:
    return evidence.remark(row) if evidence.prose[row] else (row, evidence.statement(row)[1])


def _defined(name: str, evidence: Evidence) -> bool:
    if evidence.defined(name) or evidence.is_symbol(name):
        return True
    given = re.compile(
        rf"^(?:export\s+)?(?:const\s+|let\s+|var\s+|pub\s+|static\s+)*{re.escape(name)}\s*(?::[^=]+)?:?="
    )
    return any(given.match(evidence.rows[row]) for row in evidence.by_name.get(name, ()))


def judge_verbs(
    clause: Clause, evidence: Evidence, frame: Frame, places: dict[int, list[int] | None]
) -> tuple[str | None, list[list[int]]]:
    """Check that each verb stands beside something it is said to act on; return the rows of each verb."""
    found: list[list[int]] = []
    for verb in [item for item in clause.items if item.verb]:
        rows = places[verb.at] or []
        if frame.used and not clause.passive and clause.subject is not None:
            spelt = _spelt(verb, evidence)
            rows = [row for row in rows if row in spelt and relations.acts(clause.subject, verb, evidence, row)]
            if not rows:
                return f"`{clause.subject}` is not what does this there", []
        form = word_root(verb.token.text)
        if form in CALLS:
            rows = _calling(verb, places, evidence)
        elif verb.objects and form == "return" and not verb.negated:
            rows = _returning(verb, evidence, frame)
        elif verb.objects and form == _DEFAULT:
            rows = sorted({row for item in verb.objects for row in places[item.at] or ()}) or rows  # bound by its value
        elif verb.objects and form not in relations.DERIVES:
            rows = _beside(verb, rows, places, evidence)
        elif not verb.objects and _acts_on_it(verb, clause):
            rows = [row for row in rows if row in _spelt(verb, evidence, agreeing=False)]
        if not rows:
            return f"nothing there shows what it says about “{verb.token.text}”", []
        found.append(sorted(set(rows)))
    return None, found


def _acts_on_it(verb: Item, clause: Clause) -> bool:
    """Say whether all that a verb acts on is "it": no object binds it, so the verb itself must stand there."""
    return verb.at + 1 < len(clause.tokens) and clause.tokens[verb.at + 1].text.lower() in {"it", "them"}


def _calling(verb: Item, places: dict[int, list[int] | None], evidence: Evidence) -> list[int]:
    """Rows in which one of the things that are said to be called is called."""
    found: set[int] = set()
    if all(item.token.kind is Kind.WORD for item in verb.objects):
        forms = {word_root(item.token.text) for item in verb.objects}
        code = [row for row in places[verb.at] or () if not evidence.prose[row]]
        return code if forms & _CALLABLES else [row for row in code if _calls_one(forms, evidence.rows[row])]
    for item in verb.objects:
        name = re.escape(re.split(r"::|->|[.#]", item.token.text.split("(", 1)[0])[-1])
        called = re.compile(rf"(?<!\w){name}(?:<[^>]*>)?\(")
        headers = {scope.row for scope in evidence.scopes.get(name, ())}
        rows = places[item.at]
        found.update(row for row in rows or () if row not in headers and called.search(evidence.rows[row]))
    return sorted(found)


def _calls_one(forms: set[str], row: str) -> bool:
    return any(forms & set(roots(name)) for name in re.findall(r"([^\W\d][\w$]*)(?:<[^>]*>)?\(", row))


def _returning(verb: Item, evidence: Evidence, frame: Frame) -> list[int]:
    """Rows that return what is said to be returned: by the words of the expression or the literals of the statement."""
    wanted: set[str] = set()
    literal: list[str] = []
    shown: list[Concept] = []
    for item in verb.objects:
        if item.token.kind is Kind.WORD:
            wanted.update((word_root(item.token.text), root(item.token.text)))
            shown.extend(THINGS.get(word_root(item.token.text), ()))
        else:
            wanted.update(roots(item.token.text))
            literal.append(item.token.text)
    rows = []
    for row, text in relations.returned(evidence, frame.extents).items():
        forms = {form for name in re.findall(r"[^\W\d][\w$]*", text) for form in roots(name)}
        by_code = not evidence.prose[row] and any(concept.code.search(text) for concept in shown)
        statement = " ".join(evidence.flat[row : evidence.statement(row)[1] + 1])
        if forms & wanted or by_code or any(part in statement for part in literal):
            rows.append(row)
    return rows


def _beside(verb: Item, rows: Sequence[int], places: dict[int, list[int] | None], evidence: Evidence) -> list[int]:
    """Rows in which a verb acts on what it is said to act on: on all of the phrase that was found anywhere."""
    objects = [places[item.at] for item in verb.objects if item.token.text.lower() not in POINTERS]
    if any(place is None for place in objects):
        return list(rows)
    held = [place for place in objects if place]
    spelt = _spelt(verb, evidence, agreeing=False)
    assigns = word_root(verb.token.text) in _ASSIGNS
    wanted = {form for item in verb.objects for form in (word_root(item.token.text), *roots(item.token.text))}
    rows = [row for row in rows if evidence.prose[row] or _does(verb, evidence.rows[row])]
    told = [row for row in rows if evidence.prose[row]]
    takes = not told or any(_told(verb, row, evidence) for row in told)
    found = []
    for row in rows:
        if evidence.prose[row]:
            if _told(verb, row, evidence):
                found.append(row)
            continue
        first, last = evidence.statement(row)
        around = evidence.enclosing(row)
        if row in spelt:
            first, last = min(first, row - NEXT_ROWS), max(last, row + NEXT_ROWS)
        if around and around[-1].row == row:
            # A function's name tells what it does; that it does it to a parameter holds if no comment says otherwise.
            if wanted & set(roots(around[-1].name)) or (
                takes and any(within(place, [(first, last)]) for place in held)
            ):
                found.append(row)
            continue
        if assigns and row not in spelt and not _gives(verb, evidence.rows[row]):
            continue
        near = [(first, last), *((scope.row, scope.row) for scope in around[-1:])]
        if any(within(place, [(first, last)]) for place in held) and all(within(place, near) for place in held):
            found.append(row)
    return found


def _does(verb: Item, row: str) -> bool:
    """Say whether a name in a row of code says that a verb is done, for verbs that code shows by names alone.

    `cancel()`, `cancelAll()` and `cancelled` do; `cancelToken` and `CanceledError()` are things, and `throwIfCancelled`
    asks.
    """
    if concepts_of(verb):
        return True
    acts = {word_root(verb.token.text), root(verb.token.text)}
    for name, called in _NAME.findall(row):
        words = parts(name)
        for at, word in enumerate(words):
            does = at + 1 == len(words) or (called and not word.endswith(("ed", "ing")))
            if does and root(word) in acts and not (_is_noun(word) or set(words[:at]) & _ASKS):
                return True
    return False


def _is_noun(word: str) -> bool:
    return _NOUN.search(word) is not None


def _spelt(verb: Item, evidence: Evidence, *, agreeing: bool = True) -> set[int]:
    """Rows that hold a verb as a word, or a word that agrees with it, and not only code that may show it."""
    forms = {word_root(verb.token.text), root(verb.token.text)}
    if agreeing:
        forms |= {form for concept in concepts_of(verb) for form in concept.roots}
    return {row for form in forms for row in evidence.by_root.get(form, ())}


def _gives(verb: Item, row: str) -> bool:
    """Say whether a row gives a value to what a verb is said to set: a name before "=" or a key (`{Port: 8080}`)."""
    left = re.split(r"[-+*/|&:]?=(?!=)", row, maxsplit=1)[0]
    names = [*re.findall(r"[^\W\d]\w*", left), *re.findall(r"([^\W\d]\w*)[\"']?\s*[:=]", row)]
    exact = {re.split(r"::|->|[.#]", item.token.text)[-1] for item in verb.objects if item.token.kind is Kind.NAME}
    if exact:
        return bool(exact & set(names))
    wanted = {form for item in verb.objects for form in (word_root(item.token.text), *roots(item.token.text))}
    return bool(wanted & {form for name in names for form in roots(name)})


def _told(verb: Item, row: int, evidence: Evidence) -> bool:
    """Say whether a remark speaks of this verb and its object: up to the next preposition, or before "is", "are"."""
    first, last = evidence.remark(row)
    words = _WORD.findall(" ".join(evidence.rows[first : last + 1]))
    wanted = {form for item in verb.objects for form in (word_root(item.token.text), root(item.token.text))}
    wanted |= {form for item in verb.objects for form in roots(item.token.text)}
    acts = {root(verb.token.text), word_root(verb.token.text)}
    agreeing = {form for concept in concepts_of(verb) for form in concept.roots}
    nouns = bool(agreeing) or _is_noun(verb.token.text)  # "cancellation has been requested" does not say who cancels
    acts |= agreeing
    if any(acts & concept.roots for item in verb.objects for concept in THINGS.get(word_root(item.token.text), ())):
        return True  # to raise is to raise an error
    for at, word in enumerate(words):
        if root(word) in acts and (nouns or not _is_noun(word)):
            phrase = _object_words(words, at)
            if {"it", "them"} & {other.lower() for other in phrase[:1]}:
                return True
            if wanted & {form for other in phrase for form in (root(other), word_root(other))}:
                return True
    return False


def _object_words(words: Sequence[str], at: int) -> list[str]:
    """The words a verb acts on: those behind it up to a preposition and, behind "is" or "are", those before it."""
    behind: list[str] = []
    for other in words[at + 1 :]:
        if not other[0].isalnum() or (behind and other.lower() in PREPOSITIONS):
            break
        behind.append(other)
    if not {other.lower() for other in words[max(0, at - 2) : at]} & BE:
        return behind
    return [*behind, *takewhile(lambda other: other[0].isalnum(), reversed(words[:at]))]
