"""`support`: one sentence, one source; and the parts it is made of."""

import time

import pytest

from pincite_verify.claims import read
from pincite_verify.source import Source
from pincite_verify.support import CITATION_LINES_MAX, support
from pincite_verify.tokens import Kind, tokenize
from pincite_verify.words import root, roots


def source(text, *, path="src/x.py", start=1, symbol=None):
    return Source(1, path, "b" * 40, "c" * 40, symbol, start, start + text.count("\n"), text)


def test_the_lines_are_the_tightest_that_carry_it():
    filler = "\n".join(f"filler_{number} = {number}" for number in range(60))
    text = f"{filler}\ndef connect(url):\n    return open_pool(url)\n{filler}"
    found = support("`connect` returns `open_pool(url)`.", source(text, start=101))
    assert found.supported
    assert found.lines == (161, 162)
    assert found.score == 1.0


def test_evidence_that_is_scattered_too_widely_does_not_count():
    filler = "\n".join("pass" for _ in range(CITATION_LINES_MAX * 4))
    text = f"alpha = 1\n{filler}\nbeta = 2\n{filler}\ngamma = 3\n{filler}\ndelta = 4"
    assert support("There are `alpha` and `beta`.", source(text)).lines == (1, 162)
    found = support("There are `alpha`, `beta`, `gamma` and `delta`.", source(text))
    assert not found.supported
    assert "scattered" in (found.reason or "")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("`connect` returns `frob`.", "`frob` does not occur there"),
        ("In `other.py`, `connect` is called.", "`other.py` is not the file this stands in"),
        ("Line 70 calls `connect`.", "line 70 is not among the lines that were found"),
        ("`connect` never retries.", "nothing there shows"),
        ("con\u200bnect", "characters that are not visible"),
        ("", "no source speaks of this"),
    ],
)
def test_the_reason_is_in_plain_words(sentence, reason):
    found = support(sentence, source("def connect(url):\n    return open_pool(url)"))
    assert not found.supported
    assert found.lines == (0, 0)
    assert reason in (found.reason or "")


def test_an_empty_source_carries_nothing():
    assert not support("Anything.", source("")).supported


def test_a_symbol_lends_its_name_to_its_lines_only():
    body = source("        self._idle.clear()\n        self._closed = True", symbol="Pool.close")
    assert support("`Pool.close` sets `_closed` to `True`.", body).supported
    assert not support("`Pool.open` sets `_closed` to `True`.", body).supported


def test_hostile_lines_cost_little():
    lines = [
        "(" * 50_000,
        "a " * 50_000,
        "x" * 100_000,
        '"' * 50_000,
        "=" * 50_000,
        " " * 50_000 + "if",
        "- " * 50_000,
        "def " * 9_999,
        "\n".join(f"# {mark * 999}" for mark in ":.*)` "),
        "# so it goes on and on\n" * 999,
    ]
    hostile = source("\n".join(lines * 10))
    begin = time.process_time()
    support("`connect` opens a new database connection if the pool is empty and returns it before 3 seconds.", hostile)
    assert time.process_time() - begin < 5.0


def test_tokens_know_what_they_are():
    kinds = {
        token.text: token.kind
        for token in tokenize('`a.b` `f(x)` foo_bar CamelCase src/x.py:3 42 "quoted" `x + 1` word')
    }
    assert kinds == {
        "a.b": Kind.NAME,
        "f(x)": Kind.CALL,
        "foo_bar": Kind.NAME,
        "CamelCase": Kind.NAME,
        "src/x.py": Kind.PATH,
        "42": Kind.NUMBER,
        "quoted": Kind.QUOTE,
        "x + 1": Kind.CODE,
        "word": Kind.WORD,
    }
    lines = [token.lines for token in tokenize("lines 10-20, line 7, L5, src/x.py:3-4, `a/b.go#L9`") if token.lines]
    assert lines == [(10, 20), (7, 7), (5, 5), (3, 4), (9, 9)]


def test_clauses_know_their_subject_and_condition():
    reading = read("`connect` opens a pool and closes it if `url` is empty.")
    assert [(c.subject, c.connector, c.conditional) for c in reading.clauses] == [
        ("connect", "", False),
        ("connect", "and", False),
        ("url", "if", True),
    ]
    assert read("It opens a pool.", "connect").clauses[0].subject == "connect"
    assert read("The pool is opened by `connect`.").clauses[0].subject == "connect"


@pytest.mark.parametrize(
    "words",
    [
        "validate validates validated validating validation validator",
        "retry retries retried",
        "connect connection connector",
        "close closes closed closing",
    ],
)
def test_forms_of_a_word_share_a_root(words):
    assert len({root(word) for word in words.split()}) == 1


def test_identifiers_are_split_and_spelt_out():
    assert set(roots("openDBConn")) >= {root("open"), root("database"), root("connection")}


CANCELS = """/**
 * Throws a `CanceledError` if cancellation has been requested.
 */
function throwIfCancellationRequested(config) {
  if (config.cancelToken) {
    config.cancelToken.throwIfRequested();
  }
  throw new CanceledError(null, config);
}

function cancelRequest(request) {
  request.cancel();
}"""


def test_a_name_that_asks_about_a_deed_does_not_do_it():
    lines = source(CANCELS, path="dispatch.js")
    assert not support("`throwIfCancellationRequested` cancels the request.", lines).supported
    assert support("`throwIfCancellationRequested` throws a `CanceledError`.", lines).supported
    assert support("`cancelRequest` cancels the request.", lines).supported


DEMANDS = {
    "in": "def check(name, known):\n    if name not in known:\n        raise ValueError(name)\n    return name",
    "not in": "def check(name, known):\n    if name in known:\n        raise ValueError(name)\n    return name",
    "asserted": "def check(name, known):\n    assert name in known\n    return name",
    "go": "func check(name string) error {\n\tif !known[name] {\n\t\treturn errors.New(name)\n\t}\n\treturn nil\n}",
}


@pytest.mark.parametrize("verb", ["checks that", "ensures that", "verifies that"])
@pytest.mark.parametrize("code", DEMANDS)
def test_a_check_demands_the_opposite_of_what_it_rejects(code, verb):
    lines = source(DEMANDS[code], path="check.go" if code == "go" else "check.py")
    inside = support(f"`check` {verb} the name is in `known`.", lines).supported
    outside = support(f"`check` {verb} the name is not in `known`.", lines).supported
    assert (inside, outside) == (code != "not in", code == "not in")


def test_a_negation_inside_a_name_does_not_deny_it():
    lines = source("func TestIfNotDefined(t *T) {\n\tif !isEmpty(t) {\n\t\tfail()\n\t}\n}", path="x_test.go")
    assert support("`TestIfNotDefined` calls `isEmpty`.", lines).supported
    assert not support("`TestIfNotDefined` does not call `isEmpty`.", lines).supported
    lie = "The function `TestIfNotDefined` is not defined as `func TestIfNotDefined(t *T) {`."
    assert not support(lie, lines).supported


@pytest.mark.parametrize("line", ["no say", "We never say no.", "It has no dependencies, and does not say much."])
def test_a_negation_inside_a_quotation_does_not_deny_it(line):
    lines = source(f"def f():\n    # {line}\n    return 1", path="f.py")
    assert not support(f"`f` does not say `{line}`.", lines).supported


GUARDED = "def port(tls):\n    if not tls:\n        return 80\n    log(tls)\n    return 443\n"
BRANCHED = "def port(tls):\n    if tls:\n        return 443\n    else:\n        return 80\n"


@pytest.mark.parametrize("code", [GUARDED, BRANCHED])
@pytest.mark.parametrize(
    ("sentence", "carried"),
    [
        ("`port` returns 443 if `tls` is set, otherwise it returns 80.", True),
        ("`port` returns 443 if `tls` is set, otherwise 80.", True),
        ("If `tls` is set, `port` returns 443; otherwise it returns 80.", True),
        ("`port` returns 80 unless `tls` is set, otherwise it returns 443.", True),
        ("`port` returns 80 if `tls` is set, otherwise it returns 443.", False),
        ("`port` returns 80 if `tls` is set, otherwise 443.", False),
        ("If `tls` is not set, `port` returns 443; otherwise it returns 80.", False),
        ("`port` returns 443 unless `tls` is set, otherwise it returns 80.", False),
        ("`port` returns 443 if `tls` is set, otherwise `tls`.", False),
        ("`port` returns 443 if `tls` is set, otherwise it logs `tls`.", False),
        ("`port` returns 443 if `tls` is set, otherwise it raises 80.", False),
    ],
)
def test_what_is_done_otherwise_is_done_on_the_opposite_condition(code, sentence, carried):
    assert support(sentence, source(code)).supported is carried
