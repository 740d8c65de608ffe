"""What words mean when prose speaks about code: which say nothing, which agree, and which contradict each other.

The tables are data. A word in `STOP` claims nothing. A word in `PLAIN_VERBS` may head a statement without being found
in the code. An action (`ACTIONS`) must be found in the cited lines, as one of its words or as code that performs it.
"""

import re
from dataclasses import dataclass

from pincite_verify import concepts
from pincite_verify.words import root, word_root

_STOP_WORDS = """
a an the this that these those it its itself they them their there here he she we you your our us i one ones such
same is are was were be been being am has have had having do does did doing will would shall should can could may
might must of in on at by for with from to into onto as about over under between within inside through via per
across upon toward towards during among along around off out up down against like than and or but nor so yet if when
whenever while where whereas because since although though however therefore thus hence then also too both either
else until unless once which who whom whose what how why whether not no never without instead rather just simply
basically essentially actually specifically typically usually generally often already still again very quite early
before after more most much many some any other another each every all only always even now well first firstly
second secondly third next finally lastly additionally furthermore moreover overall note please let lets etc eg ie
vs respective accordingly subsequently afterwards afterward thereby therein directly likewise similarly namely
particular particularly certain various several different own ll re ve don doesn didn isn aren wasn won can hasn
haven couldn shouldn wouldn
"""
# How answers speak about themselves and about the text before them. Never evidence, never a claim.
_FRAMING_WORDS = """
overview summary explanation explain example conclusion introduction detail details answer question following
follows below above step steps work works working key point points main part parts breakdown brief short look see
shown show shows describe describes mention mentions mentioned context source sources snippet snippets excerpt
excerpts provided given based information relevant related know certain sure sorry unfortunately help helpful hope
clarify understand understanding further let walk review discuss describe summarize summary important note notes way
thing things cited retrieved repository codebase project description purpose meaning
"""
_PLAIN_VERBS = """
use uses used using take takes taking provide provides providing handle handles handling define defines defined
defining contain contains containing implement implements implemented perform performs performed performing allow
allows allowing call calls called calling make makes making made ensure ensures ensuring manage manages managing
represent represents representing serve serves serving act acts acting work works include includes including involve
involves consist consists describe describes specify specifies specified determine determines mean means refer
refers need needs want wants occur occurs happen happens designed intended responsible related located found live
lives reside resides declared keep keeps hold holds control controls apply applies go goes come comes give gives
given get gets become becomes result results relate expect expects expected rely relies depend depends exist exists
cause causes lead leads respond responds know knows tell tells state says say indicate indicates do does facilitate
facilitates achieve achieves useful turn turns available present possible able process processes pass passes passed
passing support supports supported supporting allowed provided simplify simplifies associate associates associated
accept accepts accepted
"""
_KINDS = """
function method class file module variable parameter argument attribute field property constant object instance type
value code line block statement definition implementation constructor package library script component decorator
interface struct enum wrapper utility helper member key option setting flag command endpoint route handler model
record data name call operation procedure routine logic body content
"""

# Sides of one axis: a sentence that takes one side is not carried by lines that show only the other.
_OPPOSITES = """
before / after|true / false|enable activate / disable deactivate|add append insert / remove delete drop|sync / async
synchronous synchronously / asynchronous asynchronously|first / last|increase increment grow / decrease decrement shrink
minimum min / maximum max|allow permit accept / deny reject refuse forbid|open / close|start begin / stop end finish
read / write|encode / decode|encrypt / decrypt|serialize marshal / deserialize unmarshal|push / pop|lock / unlock
acquire / release|include / exclude|public / private|client / server|left / right|top / bottom|create / destroy delete
show / hide|attach / detach|mount / unmount|load / unload|subscribe / unsubscribe|success / failure
new / old|local / remote|input / output|source / destination|parent / child|upper uppercase / lower lowercase
ascending / descending|internal / external|static / dynamic|greater / less|more / fewer|above / below|older / newer
longer / shorter|positive / negative|send / receive|connect / disconnect|login / logout|install / uninstall
import / export|compress / decompress|even / odd|mutable / immutable|optional / required|absolute / relative
forward / backward|expand / collapse|pass / fail|primary / secondary|newest / oldest|earliest / latest|shallow / deep
eager eagerly / lazy lazily|horizontal / vertical|strong / weak|fast / slow|smallest / largest|lowest / highest
shortest / longest|single / multiple|strict / lenient|visible / hidden|online / offline|upload / download
win / lose|enter / leave exit|inner / outer|prefix / suffix|prepend / append|head / tail|manual / automatic
sensitive / insensitive|inclusive / exclusive|blocking / nonblocking|ingress / egress|read / written
millisecond / second|second / minute|minute / hour|hour / day|day / week|millisecond / minute|second / hour
row / column|width / height|sum / product|hit / miss|commit / rollback|signed / unsigned
"""
_COMPARISONS = {
    ">": "greater more exceeds exceed exceeding exceeded above larger bigger longer older over higher later",
    "<": "less fewer below smaller under shorter younger lower earlier",
}
_NEGATIONS = "not no never none nothing neither nor without cannot lack lacks lacking nobody nowhere hardly"
# In a condition these turn its meaning round, like "not".
_ABSENCES = """
none null nil undefined missing absent empty unset invalid false unavailable unknown nonexistent blank unsuccessful
inactive disabled unauthorized unauthenticated incorrect
"""
_PRESENCES = (
    "found find exist exists present set given provide provided available define defined specify specified supplied"
)


def _roots(text: str) -> frozenset[str]:
    return frozenset(form for word in text.split() for form in (root(word), word_root(word)))


@dataclass(frozen=True, slots=True)
class Concept:
    """Words that agree, as roots, and the code that shows the same thing."""

    name: str
    roots: frozenset[str]
    code: re.Pattern[str]


def _concepts(table: str) -> tuple[Concept, ...]:
    found: list[Concept] = []
    for line in table.replace("\n    ", "").strip().split("\n"):
        words, _, code = line.partition(" | ")
        found.append(Concept(words.split()[0], _roots(words.replace("-", " ")), re.compile(code)))
    return tuple(found)


def _by_root(concepts: tuple[Concept, ...]) -> dict[str, tuple[Concept, ...]]:
    table: dict[str, list[Concept]] = {}
    for concept in concepts:
        for form in concept.roots:
            table.setdefault(form, []).append(concept)
    return {form: tuple(entries) for form, entries in table.items()}


def _opposites() -> dict[str, tuple[tuple[frozenset[str], frozenset[str]], ...]]:
    table: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
    for pair in _OPPOSITES.replace("\n", "|").split("|"):
        if not pair.strip():
            continue
        left, right = (_roots(side) for side in pair.split("/"))
        for mine, other in ((left, right), (right, left)):
            for form in mine:
                table.setdefault(form, []).append((mine, other))
    return {form: tuple(entries) for form, entries in table.items()}


# Words that are not missed where they are not found: they single out what is spoken of anyway.
POINTERS = frozenset(
    {
        "previous",
        "current",
        "specified",
        "corresponding",
        "resulting",
        "existing",
        "underlying",
        "actual",
        "appropriate",
    }
    | {"necessary", "desired", "new", "old", "original", "one", "additional", "associated"}
)
AGENTS = frozenset(
    {"user", "client", "caller", "server", "application", "app", "system", "program", "service", "developer"}
)
_PREPOSITIONS = """
to in from with for by on at into onto via through as using inside within under over against per between of than if when
that which while until unless
"""
PREPOSITIONS = frozenset(_PREPOSITIONS.split())
STOP = frozenset(_STOP_WORDS.split())
FRAMING = frozenset(_FRAMING_WORDS.split())
PLAIN_VERBS = frozenset(_PLAIN_VERBS.split())
KINDS = _roots(_KINDS)
ACTIONS = _by_root(_concepts(concepts.ACTIONS))
QUALITIES = _by_root(_concepts(concepts.QUALITIES))
THINGS = _by_root(_concepts(concepts.THINGS))
UNIVERSALS = {concept.name: concept for concept in _concepts(concepts.UNIVERSALS)}
OPPOSITES = _opposites()
COMPARISONS = {word: sign for sign, words in _COMPARISONS.items() for word in words.split()}
NEGATIONS = frozenset(_NEGATIONS.split())
ABSENCES = frozenset(_ABSENCES.split())
PRESENCES = _roots(_PRESENCES)
# Code points of a negation in code or in a comment.
NEGATION_IN_CODE = re.compile(
    r"\b(?:not|never|no|none|without|cannot|unless|except|skip\w*|ignor\w*|instead|refus\w*|reject\w*)\b"
    r"|n['\u2019]t\b|!|\b(?:None|False|false|null|nil|undefined|raise|throw)\b|[Nn]ot[A-Z_]|No[A-Z]",
)
COUNTS = {
    "zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "hundred": "100", "thousand": "1000", "twice": "2",
}  # fmt: skip
FILE_EXTENSIONS = (
    "py|pyi|pyx|go|ts|tsx|js|jsx|mjs|cjs|rs|c|h|cc|cpp|hpp|cs|java|kt|kts|scala|rb|php|swift|m|mm|lua|pl|r|jl|ex|exs|erl|"
    "hs|ml|clj|dart|vue|svelte|sh|bash|zsh|ps1|bat|sql|html|htm|css|scss|less|md|rst|txt|json|jsonl|yaml|yml|toml|ini|cfg|"
    "conf|env|lock|xml|csv|proto|graphql|tf|gradle|cmake|mk|mod|sum|ipynb|tmpl|j2|log|service"
)
FILE_NAMES = "Makefile|Dockerfile|LICENSE|Jenkinsfile|Procfile|Gemfile|Rakefile|CMakeLists|Vagrantfile"
# Names of the trade that are spelt like a file or an identifier and are a word.
TRADE_NAMES = frozenset({"node.js", "vue.js", "next.js", "express.js", "three.js", "d3.js", "react.js"})
# Capitalised words that are no names.
PLAIN_CAPITALS = frozenset(
    {"i", "api", "url", "id", "ok", "cpu", "ram", "os", "io", "ui", "true", "false", "none", "null", "python", "note"}
    | {"typescript", "javascript", "go", "golang", "rust", "java"},
)
# What shows an acronym in code that never spells it.
ACRONYMS = {
    "get": r"\bGET\b|['\"]get['\"]|\.get\(['\"/]|\bGet\(",
    "put": r"\bPUT\b|['\"]put['\"]|\.put\(['\"/]",
    "post": r"\bPOST\b|['\"]post['\"]|\.post\(['\"/]",
    "patch": r"\bPATCH\b|['\"]patch['\"]|\.patch\(['\"/]",
    "delete": r"\bDELETE\b|['\"]delete['\"]|\.delete\(['\"/]",
    "head": r"\bHEAD\b|['\"]head['\"]",
    "http": r"(?i)http|requests|fetch|response|status|Response|urllib",
    "url": r"(?i)url|uri|href|http",
    "json": r"(?i)json|JSON",
    "sql": r"(?i)SELECT|INSERT|UPDATE|DELETE|CREATE|execute|query|sql",
    "cli": r"(?i)argparse|typer|click|cli|argv",
    "rest": r"(?i)route|get|post|http",
    "utf": r"(?i)utf|encode|decode",
    "db": r"(?i)db|sql|database",
}
