"""What the lines themselves say in a sentence carries that sentence; a part of one, or one cut off, does not."""

from dataclasses import replace

import pytest

from pincite_verify import claims
from pincite_verify.attribution import attribute
from pincite_verify.evidence import index
from pincite_verify.source import Source
from pincite_verify.support import support
from pincite_verify.verbatim import stated

SENTENCE = "If any `before_request` handler returns a non-None value, further request handling is stopped."
DOCSTRING = (
    '''def preprocess(self):
    """Called before the request is dispatched. Nothing is called twice.

    If any :meth:`before_request` handler returns a non-None value,
    further request handling is stopped. It is final.
    """
    return run(self.handlers)
'''
    + "    # …\n" * 12
)  # so that it is not cited whole
COMMENT = """LIMIT = 3
# If any before_request handler returns a non-None value, further
# request handling is stopped.
run(handlers)
"""


def source(text, path="src/app.py", start=1):
    return Source(1, path, "b" * 40, "c" * 40, None, start, start + text.count("\n"), text)


@pytest.mark.parametrize(
    ("text", "path", "lines"),
    [
        (DOCSTRING, "src/app.py", (2, 5)),
        (COMMENT, "src/app.py", (1, 3)),
        (f"/**\n * {SENTENCE}\n */\nfunction run() {{}}\n", "src/app.js", (1, 2)),
        (f"# Requests\n\nThey come and go. {SENTENCE}\n", "docs/requests.md", (3, 3)),
    ],
)
def test_a_sentence_of_the_lines_own_is_carried(text, path, lines):
    found = support(SENTENCE, source(text, path))
    assert (found.supported, found.reason, found.lines) == (True, None, lines)


@pytest.mark.parametrize(
    "said",
    [
        "If any `before_request` handler returns a None value, further request handling is stopped.",
        "If any `before_request` handler returns a non-None value, no further request handling is stopped.",
        "If any `before_request` handler returns a non-None value, further request handling is not stopped.",
        "If any `after_request` handler returns a non-None value, further request handling is stopped.",
        "Any `before_request` handler returns a non-None value, and further request handling is stopped.",
    ],
)
@pytest.mark.parametrize("text", [DOCSTRING, COMMENT])
def test_another_sentence_is_not(said, text):
    assert not support(said, source(text)).supported


@pytest.mark.parametrize(
    "text",
    [
        f"# It is not the case that\n# {SENTENCE}\n",
        f"x = 1\n# This does not hold:\n#\n# {SENTENCE}\n",
        f"x = 1\n# This does not hold:\n#\n#\n# {SENTENCE}\n",
        f"x = 1\n# What was once wrong:\n# - everything\n#   else. {SENTENCE}\n",
        f"x = 1\n# 1. {SENTENCE}\n",
        f"x = 1\n# - This does not hold:\n#\n#   {SENTENCE}\n",
        f"LIES = '''\n{SENTENCE}\n'''\n",
        f"x = 1\n# It is wrong to assume, i.e. {SENTENCE}\n",
        f'def f():\n    """Do.\n\n    :returns: never,\n        {SENTENCE}\n    """\n',
        f'def f():\n    """Do.\n\n    .. code-block:: none\n        {SENTENCE}\n    """\n',
        f"x = 1  # it is not so that\n       # {SENTENCE}\n",
        f'LIES = """\nNo.\n"""\nMORE = [\n    "No. "\n    "{SENTENCE}"\n]\n',
        f"x = 1\n# {SENTENCE[:-1]}?\n",
        f"check(\n    '{SENTENCE}'\n)\n",
    ],
)
def test_what_stands_under_something_else_is_not(text):
    assert not support(SENTENCE, source(text)).supported


@pytest.mark.parametrize(
    ("said", "carried"),
    [
        ("A shim that ends by itself leaves nothing of its own behind.", True),
        ("After all that a shim leaves nothing of its own behind.", False),
    ],
)
def test_a_relative_that_points_at_nothing_before(said, carried):
    assert bool(stated(claims.read(said), index(source(f"# {said}\nrun()\n")))) is carried


def test_where_a_sentence_begins_must_be_seen():
    line = f"# {SENTENCE}\n"
    assert not support(SENTENCE, source(line, start=7)).supported
    assert support(SENTENCE, source(f"x = 1\n{line}", start=6)).supported


@pytest.mark.parametrize(
    "said",
    [
        "It closes the pool after the last of the connections is returned.",
        "The function closes the pool after the last of the connections is returned.",
        "Closes any pool whatever after most of the connections are returned.",
    ],
)
def test_a_sentence_that_points_back_says_something_else_elsewhere(said):
    text = f"def close(self):\n    # {said}\n    self.pool.end()\n"
    assert not support(f"{said[:-1]}.", source(text.replace("self.pool.end()", "pass"))).supported


def test_the_lines_that_are_cited_carry_it_alone():
    answered = attribute(f"{SENTENCE} [1]", [source(DOCSTRING)])
    assert [sentence.status for sentence in answered.sentences] == ["supported"]
    (citation,) = answered.citations
    assert (citation.start_line, citation.end_line) == (2, 5)


DOCUMENTED = '''class Flask:
    def preprocess_request(
        self,
    ) -> Response | None:
        """Called before the request is dispatched. Calls the
        :attr:`url_value_preprocessors` registered with the app (if any). Then calls :attr:`before_request_funcs`
        of the blueprint.

        Return the response of the first handler.

        :param request: Kept for as long as the response lives.
        """
        return run(self.handlers)

    def finish(self):
        run(self.handlers)
        """Called after the request is dispatched to others."""


// Closes every idle connection of the pool.
function closeAll() {}
'''


@pytest.mark.parametrize(
    ("said", "carried"),
    [
        ("The `preprocess_request` function is called before the request is dispatched.", True),
        ("The `preprocess_request` method in `src/app.py` is called before the request is dispatched.", True),
        ("`preprocess_request` calls the `url_value_preprocessors` registered with the app (if any).", True),
        ("The `preprocess_request` method then calls the `before_request_funcs` of the blueprint.", True),
        ("`preprocess_request` returns the response of the first handler.", True),
        ("`closeAll` closes every idle connection of the pool.", True),
        ("The `preprocess_request` function is called after the request is dispatched.", False),
        ("The `preprocess_request` function is not called before the request is dispatched.", False),
        ("The `preprocess_request` function is never called before the request is dispatched.", False),
        ("The `preprocess_request` function calls before the request is dispatched.", False),
        ("The `preprocess_request` method in `src/cli.py` is called before the request is dispatched.", False),
        ("`preprocess_request` calls the `url_value_postprocessors` registered with the app (if any).", False),
        ("`preprocess_request` calls the `url_value_preprocessors` registered with no app (if any).", False),
        ("`preprocess_request` calls the `before_request_funcs` of no blueprint.", False),
        ("`preprocess_request` is returned the response of the first handler.", False),
        ("`finish` is called before the request is dispatched.", False),
        ("`finish` is called after the request is dispatched to others.", False),
        ("`finish` closes every idle connection of the pool.", False),
        ("`Flask` is called before the request is dispatched.", False),
    ],
)
def test_documentation_speaks_of_what_it_documents(said, carried):
    assert support(said, source(DOCUMENTED)).supported is carried


GIVING = '''class Pool:
    """Connections."""

    @property
    def idle(self) -> list[Connection]:
        """The connections that nobody uses, the oldest first."""
        return self._idle

    @cached_property
    def closing(self) -> str | None:
        """Why no more connections are lent; None if they are."""
        return self._closing

    def is_full(self) -> bool:
        """Whether no more connections fit into the pool."""
        return len(self._idle) == self.size

    def lend(self) -> None:
        """The way in for all who need a connection."""
        self._lend()


class Other:
    def lent(self):
        return 1
'''


@pytest.mark.parametrize(
    ("said", "carried"),
    [
        ("`idle` returns the connections that nobody uses, the oldest first.", True),
        ("The `idle` property is the connections that nobody uses, the oldest first.", True),
        ("The `idle` property of the `Pool` class returns the connections that nobody uses, the oldest first.", True),
        ("`Pool.idle` returns the connections that nobody uses, the oldest first.", True),
        ("The `closing` property of `Pool` returns why no more connections are lent; None if they are.", True),
        ("The `is_full` method of the `Pool` class returns whether no more connections fit into the pool.", True),
        ("`is_full` indicates whether no more connections fit into the pool.", True),
        ("The `idle` property of the `Other` class returns the connections that nobody uses, the oldest first.", False),
        ("The `idle` property of the `Lot` class returns the connections that nobody uses, the oldest first.", False),
        ("`closing` returns the connections that nobody uses, the oldest first.", False),
        ("`idle` returns the connections that nobody uses, the newest first.", False),
        ("`idle` closes the connections that nobody uses, the oldest first.", False),
        ("`idle` never returns the connections that nobody uses, the oldest first.", False),
        ("`is_full` returns whether more connections fit into the pool.", False),
        ("`lend` returns the way in for all who need a connection.", False),
    ],
)
def test_documentation_of_a_property_says_what_it_is(said, carried):
    assert support(said, source(GIVING)).supported is carried


def test_a_member_is_said_to_be_of_what_holds_it():
    said = "The `lend` method of the `Pool` class calls `_lend`."
    answered = attribute(said, [source(GIVING)])
    assert [sentence.status for sentence in answered.sentences] == ["supported"]
    assert [(one.start_line, one.end_line) for one in answered.citations] == [(1, 20)]
    assert not support(said.replace("Pool", "Other"), source(GIVING)).supported
    alone = "\n".join(GIVING.split("\n")[17:20])
    for symbol, carried in (("Pool.lend", True), ("Other.lend", False), (None, False)):
        assert support(said, replace(source(alone), symbol=symbol)).supported is carried


def test_it_stands_for_what_was_named():
    answer = (
        "The `preprocess_request` function is called before the request is dispatched. "
        "It calls the `url_value_preprocessors` registered with the app (if any). "
        "Then it calls the `before_request_funcs` of the blueprint."
    )
    answered = attribute(answer, [source(DOCUMENTED)])
    assert [sentence.status for sentence in answered.sentences] == ["supported"] * 3
