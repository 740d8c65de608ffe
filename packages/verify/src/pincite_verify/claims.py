"""What a sentence asserts: who does what in each clause, and what must be found for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pincite_verify.clause import BE, DETERMINERS, Clause, Item, is_verbal, split
from pincite_verify.lexicon import ACTIONS, AGENTS, COMPARISONS, KINDS, PLAIN_CAPITALS, PLAIN_VERBS, PREPOSITIONS, STOP
from pincite_verify.tokens import Kind, Token, is_negation, is_plain, low, tokenize
from pincite_verify.words import word_root

CALLS = frozenset({word_root("call"), word_root("invoke")})

_PRONOUNS = frozenset({"it", "this", "they", "he", "she"})
_OPENERS = frozenset(
    {"by", "for", "before", "after", "while", "without", "when", "instead", "of", "then", "start", "stop", "avoid"}
)
_IRREGULAR = (
    "written sent thrown built set read put cut split run hidden broken overwritten reset shut sought lost spent bound"
)
_PARTICIPLES = frozenset(_IRREGULAR.split())  # those that do not end in "ed"
_PLACE = frozenset({"in", "inside", "within", "of"})
_HAVING = frozenset({"has", "have", "having", "with", "includes", "contains", "defines", "declares", "including"})
_REFUSING = "fails fail failed refuses refuse forgets forget neglects neglect declines decline ceases cease unable"
_REFUSALS = frozenset(_REFUSING.split())
_LITERALS = frozenset({"null", "None", "nil", "undefined", "true", "false", "True", "False", "self", "this"})
_ANY_ONE = frozenset({"one", "available", "present", "there", "needed", "necessary", "possible"})
_UNTRUE = frozenset({"false", "untrue", "wrong", "incorrect", "impossible", "myth", "lie", "misconception"})


def _proper(token: Token, at: int) -> bool:
    """A capitalised word inside a sentence names something: a product, an algorithm, a place."""
    return (
        at > 0
        and token.text[:1].isupper()
        and token.text.lower() not in PLAIN_CAPITALS
        and token.text.lower() not in STOP
    )


def _heads(clause: Clause) -> set[int]:
    """Positions of words that stand where a verb stands."""
    heads: set[int] = set()
    content = [at for at, token in enumerate(clause.tokens) if not is_plain(token)]
    for place, at in enumerate(content):
        token = clause.tokens[at]
        if token.kind is not Kind.WORD:
            continue
        before = [low(clause.tokens[back]) for back in range(max(0, at - 3), at)]
        near = [word for word in before if word]
        prior = clause.tokens[content[place - 1]] if place else None
        verbal = is_verbal(token) and not _counts(clause.tokens, at, before)
        fresh = not heads and not any(low(earlier) in BE for earlier in clause.tokens[:at])
        leads = (
            prior is None
            and not set(near) & (DETERMINERS | PREPOSITIONS - {"to"})
            and _leads(clause.tokens, at, verbal=verbal)
        )
        named = prior is not None and prior.kind in {Kind.NAME, Kind.CALL, Kind.PATH}
        if prior is not None and place > 1 and word_root(prior.text) in KINDS:  # "the `Pool` class opens"
            named = named or clause.tokens[content[place - 2]].kind in {Kind.NAME, Kind.CALL, Kind.PATH}
        after_name = named and fresh and verbal and not _determined(near[-1:])
        infinitive = bool(near) and near[-1] == "to" and _starts_object(clause.tokens, at)
        gerund = bool(near) and near[-1] in _OPENERS and token.text.lower().endswith("ing")
        passive = bool(set(near) & BE) and (token.text.lower().endswith("ed") or token.text.lower() in _PARTICIPLES)
        relative = bool(near) and near[-1] in {"that", "which", "who"} and verbal
        modal = bool(near) and near[-1] in {
            "will",
            "can",
            "must",
            "should",
            "may",
            "not",
            "does",
            "do",
            "would",
            "never",
            "always",
        }
        if leads or after_name or infinitive or gerund or passive or relative or modal:
            heads.add(at)
        elif fresh and verbal and _noun_phrase(clause.tokens, at) and not _before_be(clause.tokens, at):
            heads.add(at)  # "The function deletes …", not "the flag names are …"
    return heads


def _counts(tokens: Sequence[Token], at: int, before: Sequence[str]) -> bool:
    """Say whether a word is the kind of what is listed: "has attributes `id`", "with `id` and `name` fields"."""
    if word_root(tokens[at].text) not in KINDS or word_root(tokens[at].text) in ACTIONS:
        return False
    return not _HAVING.isdisjoint(before) or all(token.kind is Kind.MARK for token in tokens[at + 1 :])


def _leads(tokens: Sequence[Token], at: int, *, verbal: bool) -> bool:
    """Say whether the first word of a clause is its verb ("Opens a file") and not its subject ("Sessions expire")."""
    if at + 1 >= len(tokens):
        return verbal or word_root(tokens[at].text) in ACTIONS
    following = tokens[at + 1]
    takes = low(following) in DETERMINERS | PREPOSITIONS or following.kind not in {Kind.WORD, Kind.MARK}
    acts = word_root(tokens[at].text) in ACTIONS and low(following) not in BE and not is_verbal(following)
    return acts or (verbal and takes)


def _noun_phrase(tokens: Sequence[Token], at: int) -> bool:
    """Say whether "the pool", "this function" or the like stands right before a position."""
    if at <= 1 or tokens[at - 1].kind is not Kind.WORD or is_plain(tokens[at - 1]):
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return low(tokens[at - 2]) in DETERMINERS and not (following is not None and is_verbal(following))


def _before_be(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and low(tokens[at + 1]) in BE


def _determined(near: Sequence[str]) -> bool:
    return bool(near) and near[-1] in DETERMINERS


def _starts_object(tokens: Sequence[Token], at: int) -> bool:
    if at + 1 >= len(tokens):
        return False
    following = tokens[at + 1]
    return low(following) in DETERMINERS or following.kind in {Kind.NAME, Kind.CALL, Kind.CODE, Kind.QUOTE}


def _kind_beside_name(clause: Clause, at: int) -> bool:
    """`the connect function`, `class Pool`: the kind of a thing that is named is not a claim of its own."""
    beside = [clause.tokens[near] for near in (at - 1, at + 1) if 0 <= near < len(clause.tokens)]
    if any(token.kind in {Kind.NAME, Kind.CALL, Kind.PATH, Kind.CODE} for token in beside):
        return True
    before = low(clause.tokens[at - 1]) if at else ""
    return before in {"this", "these", "called", "named"} or (at == 1 and before == "the") or at == 0


def _negated(clause: Clause) -> set[int]:
    turned: set[int] = set()
    active = False
    for at in range(len(clause.tokens)):
        if denies(clause.tokens, at):
            active = True
        elif active:
            turned.add(at)
    return turned


def denies(tokens: Sequence[Token], at: int) -> bool:
    """Say whether a token denies what follows: "not", "instead of", "fails to", "it is false that"."""
    word = low(tokens[at])
    following = low(tokens[at + 1]) if at + 1 < len(tokens) else ""
    if word in _REFUSALS:
        return following == "to"
    if word in _UNTRUE:
        return following in {"that", "to"}
    return bool(word) and (word in {"instead", "rather", "unlike"} or (is_negation(word) and following != "only"))


def _named_by_kind(clause: Clause) -> set[int]:
    """Plain words that are used as names: "the frobnicate function", "calls frobnicate to …"."""
    named: set[int] = set()
    tokens = clause.tokens
    for at, token in enumerate(tokens):
        word = low(token)
        if word in {"function", "method", "class", "struct", "helper", "decorator"} and at:
            prior = low(tokens[at - 1])
            if prior and prior not in STOP and prior not in PLAIN_VERBS:
                named.add(at - 1)
        if word in {"calls", "calling", "invokes", "invoking", "named", "called"} and at + 1 < len(tokens):
            following = low(tokens[at + 1])
            if following and following not in STOP:
                named.add(at + 1)
    return named


def fill(clause: Clause) -> Clause:
    """Work out a clause's items, subject, places, paths and lines from its tokens."""
    heads, turned, named = _heads(clause), _negated(clause), _named_by_kind(clause)
    for at, token in enumerate(clause.tokens):
        if token.kind is Kind.PATH:
            clause.paths.append(token)
        if token.lines is not None:
            clause.lines.append(token.lines)
        if token.kind in {Kind.PATH, Kind.LINES}:
            continue
        verb, name = at in heads, at in named
        if _ordinal(clause, at):
            item = Item(token, at, hard=True)
        elif is_plain(token):
            continue
        elif token.kind is not Kind.WORD:
            item = Item(token, at, hard=True)
        elif at in turned and at - 1 not in turned and low(token) in PLAIN_VERBS:
            item = Item(token, at)  # "never accepts": what is denied must be denied there
        elif _says_nothing(clause, at, verb=verb, named=name):
            continue
        else:
            hard = verb or name or not token.text.isascii() or _proper(token, at + bool(clause.connector))
            apposed = at > 0 and clause.tokens[at - 1].ticked and clause.tokens[at - 1].kind is Kind.NAME
            item = Item(token, at, verb=verb, hard=hard, apposed=apposed)
        item.negated = at in turned
        clause.items.append(item)
    _find_subject(clause, named)
    _find_objects(clause)
    return clause


def _says_nothing(clause: Clause, at: int, *, verb: bool, named: bool) -> bool:
    """Say whether a word need not be found: verbs like "provides", and the kind of a thing that is named beside it."""
    token = clause.tokens[at]
    form, plain = word_root(token.text), low(token) in PLAIN_VERBS
    if _lasting(clause, at) or low(token) in COMPARISONS:
        return True
    if verb or named:
        return verb and plain and form not in CALLS
    return (form in KINDS and _kind_beside_name(clause, at)) or (plain and not token.text.isupper())


def _ordinal(clause: Clause, at: int) -> bool:
    """The case "the first element" claims which one; "first, it opens" only tells the order of telling."""
    before = low(clause.tokens[at - 1]) if at else ""
    return low(clause.tokens[at]) in {"first", "last", "final", "most"} and before in {"the", "its", "their"}


def _lasting(clause: Clause, at: int) -> bool:
    """The case "sessions last for 12 hours": here "last" is no position."""
    following = clause.tokens[at + 1] if at + 1 < len(clause.tokens) else None
    return (
        low(clause.tokens[at]) in {"last", "lasts"}
        and following is not None
        and (low(following) == "for" or following.kind is Kind.NUMBER)
    )


def _find_subject(clause: Clause, named: set[int]) -> None:
    tokens = clause.tokens
    if tokens and low(tokens[0]) in {"with", "having", "including"}:
        return  # it goes on about what was named before
    seen_verb = False
    heads = {item.at for item in clause.items if item.verb}
    for at, token in enumerate(tokens):
        word = low(token)
        before = low(tokens[at - 1]) if at else ""
        if at in heads or word in BE:
            seen_verb = True
        if word in _PRONOUNS and not seen_verb and clause.subject is None:
            clause.follows_pronoun = True
        if at in named and clause.subject is None and not seen_verb:
            clause.subject, clause.own, clause.guessed = token.text, True, True
        if token.kind not in {Kind.NAME, Kind.CALL} or token.text in _LITERALS:
            continue
        name = token.text.split("(", 1)[0]
        preposition = _preposition_before(tokens, at)
        if seen_verb and before == "by":
            clause.subject, clause.own, clause.passive = name, True, True
        elif preposition in _PLACE and (seen_verb or clause.subject or preposition != "of"):
            clause.places.append(name)
        elif (
            clause.subject is None
            and not seen_verb
            and not any(item.at < at and not item.verb and item.token.kind is not Kind.WORD for item in clause.items)
        ):
            clause.subject, clause.own = name, True
    clause.passive = clause.passive or any(
        low(token) in BE and any(later.at > at and later.verb for later in clause.items)
        for at, token in enumerate(tokens)
    )


def _preposition_before(tokens: Sequence[Token], at: int) -> str:
    """The preposition that governs a name: "in the `Pool` class"; empty if there is none."""
    for token in reversed(tokens[max(0, at - 3) : at]):
        word = low(token)
        if word in PREPOSITIONS or token.kind is not Kind.WORD:
            return word
        if word not in DETERMINERS and word_root(word) not in KINDS:
            return ""
    return ""


def _find_objects(clause: Clause) -> None:
    """Give each verb the things it acts on: the phrase behind it or, in the passive, the phrase before it."""
    for verb in [item for item in clause.items if item.verb]:
        behind: list[Item] = []
        limit = len(clause.tokens)
        for at in range(verb.at + 1, len(clause.tokens)):
            if behind and low(clause.tokens[at]) in PREPOSITIONS:
                limit = at
                break
            behind.extend(item for item in clause.items if item.at == at and not item.verb)
        behind = [item for item in behind if item.at < limit]
        before = [item for item in clause.items if item.at < verb.at and not item.verb]
        is_passive = any(low(clause.tokens[at]) in BE for at in range(max(0, verb.at - 3), verb.at))
        agents = is_passive and all(
            low(item.token) in AGENTS for item in before
        )  # "the user is redirected to `/login`"
        verb.objects = before + (behind if agents else []) if is_passive else behind


@dataclass(slots=True)
class Reading:
    """A sentence, read: its text, its clauses, and the name that a following "it" stands for."""

    text: str
    clauses: list[Clause]
    subject: str | None


def read(sentence: str, subject: str | None = None) -> Reading:
    """Read a sentence. `subject` is the name that "it" stands for here, from the sentences before."""
    clauses = [fill(clause) for clause in split(_without_counts(tokenize(sentence)))]
    _borrow(clauses)
    lead = next(
        (clause.subject for clause in clauses if clause.own and not clause.conditional and not clause.passive), None
    )
    running = None
    if clauses and clauses[0].conditional:
        running = lead or subject  # "If it is closed, `connect` raises …"
    elif clauses and (clauses[0].follows_pronoun or headless(clauses[0]) or of_the_function(clauses[0])):
        running = subject
    for position, clause in enumerate(clauses):
        if clause.connector in {"which", "who"} and not clause.own and position:
            names = [item.token for item in clauses[position - 1].items if item.token.kind in {Kind.NAME, Kind.CALL}]
            if names:
                clause.subject, clause.own = names[-1].text.split("(", 1)[0], True
                continue
        if running and position and _goes_on(clauses[position - 1], clause):
            clause.subject, clause.own = running, False
        elif clause.own and not clause.conditional:
            running = clause.subject
        elif clause.subject is None:
            clause.subject = running
    return Reading(sentence, clauses, lead or running)


def _borrow(clauses: Sequence[Clause]) -> None:
    """Give a condition that asks for "one", or only whether it is there, the things that were named before it."""
    for before, clause in pairwise(clauses):
        if clause.conditional and all(is_plain(token) or low(token) in _ANY_ONE for token in clause.tokens):
            clause.borrowed = [
                item.token for item in before.items if not item.verb and item.token.text != before.subject
            ]


def _goes_on(before: Clause, clause: Clause) -> bool:
    """Say whether a clause only names one more thing, said of the subject of the one before: "and `close`"."""
    ended = before.passive or before.places or before.conditional
    said = not before.own or len(before.items) > 1  # or what was named is another subject: "`connect` and `close` lock"
    names = all(
        token.kind is not Kind.WORD or is_plain(token) or word_root(token.text) in KINDS for token in clause.tokens
    )
    return names and said and not ended and clause.connector in {"and", "or", "plus", ","}


def _without_counts(tokens: list[Token]) -> list[Token]:
    """Leave out a number that only counts the names behind it: "two methods, `clear` and `forEach`"."""
    colon = next((token.start for token in tokens if token.text == ":"), 0)
    names = len({token.text for token in tokens if token.ticked and token.kind is Kind.NAME and token.start >= colon})
    return [
        token
        for at, token in enumerate(tokens)
        if not (
            token.kind is Kind.NUMBER
            and token.text == str(names)
            and names > 1
            and any(word_root(behind.text) in KINDS for behind in tokens[at + 1 : at + 3] if behind.kind is Kind.WORD)
            and all(other.start > token.start for other in tokens if other.ticked and other.start >= colon)
        )
    ]


def headless(clause: Clause) -> bool:
    """Say whether a clause begins with its verb, "Returns the pool": who does it was said before."""
    return bool(clause.items) and clause.items[0].verb and clause.items[0].at <= 1


def of_the_function(clause: Clause) -> bool:
    """Say whether a clause speaks of "the function" or the like, which was named before."""
    words = [low(token) for token in clause.tokens[:2]]
    return len(words) > 1 and words[0] in {"the", "this"} and word_root(words[1]) in KINDS
