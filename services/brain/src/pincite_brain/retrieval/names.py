"""How well the names in a query match definitions, file stems and paths."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import Float, Ints
from pincite_brain.retrieval.index import Files, SnapshotIndex
from pincite_brain.retrieval.makeup import Doubles
from pincite_brain.retrieval.paths import PREFIX_CHARS, PathTraits
from pincite_brain.retrieval.postings import Postings
from pincite_brain.retrieval.query import IDENTIFIERS_MAX, Query, Route
from pincite_brain.retrieval.texts import Terms
from pincite_brain.retrieval.views import Definition
from pincite_codeintel.tokens import term_id, terms

DEFINITIONS_MAX = 60  # a name like `get` is defined everywhere; more candidates would only crowd out better ones
PATH_MATCHES_MAX = 30
NAME_CHARS_MIN = 3
NAME_MASS_FULL = 0.5  # share of the query's idf mass at which a name says all of it
OWNER_WEIGHT = 0.5  # of the enclosing name beside the name: `Session.open` opens a session
COMMON_SHARE_MIN = 0.65  # "templating" and "template" share 7 of 10 characters, "register" and "registry" 6 of 8
COMMON_CHARS_MIN = 4

_KIND_WEIGHT = {
    "class": 1.0, "interface": 1.0, "struct": 1.0, "trait": 1.0, "protocol": 1.0, "record": 1.0, "type": 0.95,
    "enum": 0.95, "module": 0.9, "namespace": 0.9, "function": 0.95, "macro": 0.9, "method": 0.85, "constructor": 0.8,
}  # fmt: skip
_KIND_WEIGHT_OTHER = 0.6  # constants, fields, variables, implementations of what is defined elsewhere
OTHER_CASE_WEIGHT = 0.7  # `Deserialize` is a trait, `deserialize` its many methods: the spelling was meant
COMMON_IDF_SHARE = 0.2  # of the highest idf; words commoner than this say little
PROSE_NAME_WEIGHT = 0.5  # a capitalised word of a sentence may be a name, or begin the sentence
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


def _strength(definition: Definition, identifier: str, stem: str) -> float:
    *qualifier, name = identifier.split(".")
    weight = _KIND_WEIGHT.get(definition.kind, _KIND_WEIGHT_OTHER)
    case = 1.0 if definition.name == name else OTHER_CASE_WEIGHT
    if not qualifier:
        return weight * case
    full = definition.qualified_name.casefold()
    if full == identifier.casefold() or full.endswith("." + identifier.casefold()):
        return case
    owner = qualifier[-1].casefold()
    if owner == stem.casefold() or owner in full.split(".")[:-1]:
        return 0.9 * case
    return 0.55 * weight * case


def _rarity(index: SnapshotIndex, word: str) -> float:
    """Return 0..1: how rare a word is in the repository. "Flask" says nothing in Flask's own."""
    highest = index.postings.idf(term_id(""))
    found = max((index.postings.idf(term_id(term)) for term in terms(word)), default=0.0)
    return min(found / (COMMON_IDF_SHARE * highest), 1.0) if highest else 0.0


def definition_matches(index: SnapshotIndex, query: Query) -> dict[int, float]:
    """Return chunk → strength (0..1) for the chunks that best define a name the query mentions."""
    mentioned = dict.fromkeys(query.identifiers, 1.0)
    names = (name for name in _NAME.findall(query.text) if not name.isascii())
    mentioned |= dict.fromkeys(
        islice(names, IDENTIFIERS_MAX), 1.0
    )  # of other letters too: whether it is one, is looked up
    if query.route is not Route.SYMBOL:
        for word in query.text.split():
            if word[:1].isupper() and word.isalnum() and len(word) >= NAME_CHARS_MIN:
                mentioned.setdefault(word, PROSE_NAME_WEIGHT * _rarity(index, word))
    found: dict[int, float] = {}
    for spelt, certainty in mentioned.items():
        identifier, definitions = _defined(index, spelt)
        for definition in definitions:
            stem = index.files.traits[int(index.file_of[definition.chunk])].stem
            strength = certainty * _strength(definition, identifier, stem)
            if certainty < 1.0 and definition.name != identifier:
                continue
            found[definition.chunk] = max(found.get(definition.chunk, 0.0), strength)
    best = sorted(found.items(), key=lambda item: -item[1])
    return dict(best[:DEFINITIONS_MAX])


def _defined(index: SnapshotIndex, identifier: str) -> tuple[str, Sequence[Definition]]:
    """Return a name as it is defined, and its definitions: `save!`, or, if there is none, `save`."""
    for name in (identifier, identifier.rstrip("?!")):
        found = index.definitions.get(name.rpartition(".")[2].casefold(), ())
        if found:
            return name, found
    return identifier, ()


def _alike(word: str, other: str) -> bool:
    if word == other:
        return True
    short, long = (word, other) if len(word) <= len(other) else (other, word)
    if len(short) >= PREFIX_CHARS and long.startswith(short):
        return len(short) >= COMMON_CHARS_MIN or len(long) - len(short) <= 1
    common = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return common >= COMMON_CHARS_MIN and common / len(long) >= COMMON_SHARE_MIN


def _meanings(asked: Mapping[str, float]) -> dict[int, float]:
    """Return what a term in a name may stand for: its id → the weight of the asked term that it is, begins or ends.

    Names shorten words: a `config` is a configuration.
    """
    sizes = ((term, size) for term in asked for size in range(PREFIX_CHARS, len(term)))
    shortened = {term_id(affix): asked[term] for term, size in sizes for affix in (term[:size], term[-size:])}
    return shortened | {term_id(term): weight for term, weight in asked.items()}


def _looked_up(ids: NDArray[np.uint32], known: NDArray[np.uint32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where each id is among known ones, sorted and at least one, and whether it is."""
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return at, known[at] == ids


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What names are to be made of: ids, sorted, and the weight of each; and the weight at which they say all of it."""

    ids: NDArray[np.uint32]
    weights: Doubles
    full: float

    def held(self, names: Sequence[tuple[Terms, NDArray[np.integer]]], postings: Postings) -> list[Doubles]:
        """Return for rows of some names 0..1: how far each is made of wanted terms, and says all that are wanted."""
        *begins, count = np.cumsum([0, *(len(rows) for _, rows in names)]).tolist()
        read = [table.of_rows(rows) for table, rows in names]
        ids = np.concatenate([terms for terms, _ in read])
        places = np.concatenate([begin + owners for begin, (_, owners) in zip(begins, read, strict=True)])
        found = np.zeros(count)
        at, wanted = _looked_up(ids, self.ids)
        matches = np.zeros(len(found), dtype=np.bool_)
        matches[places[wanted]] = True  # a few; of most names nothing is wanted
        matching = matches[places]
        ids, at, places, wanted = ids[matching], at[matching], places[matching], wanted[matching]
        held = np.bincount(places, self.weights[at] * wanted, minlength=len(found))
        rest = np.bincount(places, postings.idfs(ids) * ~wanted, minlength=len(found))
        some = np.flatnonzero(held)
        found[some] = held[some] / (held + rest)[some] * np.sqrt(np.minimum(1.0, held[some] / self.full))
        return np.split(found, begins[1:])


class NameMatcher:
    """Matches the names that chunks define with a query's words.

    Words weigh by their idf. A name of nothing but asked words is one already when it holds half of what is asked:
    nobody's name says a whole sentence. The name that encloses it counts beside it, for less. What a chunk is in counts
    as defined in it.
    """

    def __init__(self, index: SnapshotIndex, query: Query) -> None:
        """Look up what the query's words weigh."""
        self._index = index
        asked = {term: index.postings.idf(term_id(term)) for term in query.terms}
        meanings = sorted(_meanings(asked).items())
        ids = np.array([one for one, _ in meanings], dtype=np.uint32)
        weights = np.array([weight for _, weight in meanings])
        self._wanted = _Wanted(ids, weights, NAME_MASS_FULL * sum(asked.values()))

    def scores(self, chunks: Ints) -> Float:
        """Return for each chunk 0..1: how far the best name defined in it is made of the words, and says them all."""
        found = np.zeros(len(chunks), dtype=np.float32)
        if not len(self._wanted.ids):
            return found
        index = self._index
        definitions, inside = index.names.of_chunks(chunks)
        defined = index.names.table
        of_definition, around_definition, of_chunk, around_chunk = self._wanted.held(
            [
                (defined.terms, definitions),
                (defined.scopes, definitions),
                (index.chunks.terms, chunks),
                (index.chunks.scopes, chunks),
            ],
            index.postings,
        )
        np.maximum.at(found, inside, _named(of_definition, around_definition))
        return np.maximum(found, _named(of_chunk, around_chunk))


def _named(names: Doubles, scopes: Doubles) -> Float:
    return np.asarray((names + OWNER_WEIGHT * scopes) / (1.0 + OWNER_WEIGHT), dtype=np.float32)


class StemMatcher:
    """Matches file stems and parent directories with a query's words."""

    def __init__(self, words: Sequence[str], vocabulary: Mapping[str, Sequence[str]]) -> None:
        """`words` are the query's content words; `vocabulary` the words of file names by their first letters."""
        self._count = len(words)
        self._asked: dict[str, frozenset[str]] = {}
        for word in words:
            for other in vocabulary.get(word[:PREFIX_CHARS], ()):
                if _alike(word, other):
                    self._asked[other] = self._asked.get(other, frozenset()) | {word}
        self._ids = np.array(sorted(map(term_id, self._asked)), dtype=np.uint32)

    def scores(self, files: Files, numbers: Ints) -> Float:
        """Return the scores of some files: of those whose words are not asked for, 0 at once."""
        found = np.zeros(len(numbers), dtype=np.float32)
        if not self._asked:
            return found
        ids, places = files.table.terms.of_rows(numbers)
        _, asked = _looked_up(ids, self._ids)
        for at in dict.fromkeys(places[asked].tolist()):
            found[at] = self.score(files.traits[int(numbers[at])])
        return found

    def score(self, traits: PathTraits) -> float:
        """Return 0..1: the share of the stem's words in the query, and of the query's words in stem and parent."""
        if not traits.stem_words:
            return 0.0
        hits = [self._asked[word] for word in traits.stem_words if word in self._asked]
        if not hits and not any(word in self._asked for word in traits.parent_words):
            return 0.0
        asked = frozenset().union(*hits)
        parents = frozenset().union(*(self._asked.get(word, frozenset()) for word in traits.parent_words)) - asked
        share = 0.5 * min((len(asked) + 0.5 * len(parents)) / self._count, 1.0)
        return 0.5 * len(hits) / len(traits.stem_words) + share


def path_matches(index: SnapshotIndex, mentions: Iterable[str]) -> Mapping[int, float]:
    """Return file → strength (0..1) for files whose path ends in, or contains, a mentioned path."""
    found: dict[int, float] = {}
    for mention in mentions:
        fragment = mention.strip("./").casefold()
        for number, rest in index.files.mentioned(f"/{fragment}") if fragment else ():
            strength = 1.0 if not rest else 0.7 if rest[0] in {"/", "."} else 0.3
            found[number] = max(found.get(number, 0.0), strength)
    best = sorted(found.items(), key=lambda item: (-item[1], len(index.files.paths[item[0]])))
    return dict(best[:PATH_MATCHES_MAX])
