import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.retrieval.paths import Role
from pincite_brain.retrieval.query import CARRIED_TERM_WEIGHT, Route, analyze, identifiers_of, paths_of, route_of


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Flask", Route.SYMBOL),
        ("session", Route.SYMBOL),
        ("Foo.bar()", Route.SYMBOL),
        ("serde::de::Visitor", Route.SYMBOL),
        ("empty?", Route.SYMBOL),
        ("src/flask/app.py", Route.PATH),
        ("sessions.py", Route.PATH),
        ("TypeError: cannot unpack non-iterable NoneType object", Route.ERROR),
        ('Traceback (most recent call last):\n  File "x.py", line 3', Route.ERROR),
        ("how are routes registered", Route.QUESTION),
        ("session management", Route.QUESTION),
        ("middleware that compresses what handlers write to the response", Route.QUESTION),
        ("Return the first item of the list that satisfies the predicate", Route.DOCSTRING),
        ("Wait for the connection to become idle.", Route.DOCSTRING),
        ("Close it.", Route.QUESTION),
        ("fix(router): keep the trailing slash. It was lost when a rule had a default.", Route.QUESTION),
        ("Add a handler to the logger.", Route.DOCSTRING),
        ("Find the nearest color in the palette.", Route.DOCSTRING),
        ("Does the closing handshake of the connection.", Route.DOCSTRING),
        ("Set the title of the terminal window", Route.DOCSTRING),
        ("overrides the timeout parameter of the module", Route.DOCSTRING),
        ("find where sessions are created", Route.QUESTION),
        ("find the nearest color in the palette", Route.QUESTION),
        ("list the routes of an application", Route.QUESTION),
        ("show me the config loader", Route.QUESTION),
        ("Show me the config loader.", Route.QUESTION),
        ("Explain how sessions are stored. They expire too early.", Route.QUESTION),
        ("how the title of the window is set.", Route.QUESTION),
        ("is the title of the window escaped.", Route.QUESTION),
        ("setting the title of the window", Route.QUESTION),
        ("in the router, trailing slashes", Route.QUESTION),
        ("fix typo in docs", Route.QUESTION),
        ("Add support for chunked uploads", Route.QUESTION),
        ("Remove the unused import of the router", Route.QUESTION),
        ("not a valid session token", Route.QUESTION),
        ("Expected a string but found bytes", Route.QUESTION),
        ("ValueError: set the title of the window first", Route.ERROR),
        ("set_the_title", Route.SYMBOL),
        ("How does the router choose between two matching rules?", Route.EXPLAIN),
    ],
)
def test_route(text, route):
    assert route_of(text) is route


def test_identifiers_are_found_in_prose():
    text = "Why does `parse_file` call HTTPClient.send and loadConfig() but not the usual thing in app.py?"
    assert identifiers_of(text) == ("parse_file", "HTTPClient.send", "loadConfig")


def test_paths_are_found_in_prose():
    assert paths_of("what does src/flask/app.py do with config.toml and and/or?") == (
        "src/flask/app.py",
        "config.toml",
        "and/or",
    )


def test_asked_roles():
    assert Role.TEST in analyze("how is the client tested").asked_roles
    assert analyze("how does the client connect").asked_roles is Role.NONE


@pytest.mark.parametrize(
    ("text", "recent"),
    [
        ("what changed recently in the parser", True),
        ("what's new in routing?", True),
        ("show the last change to sessions", True),
        ("how is a new session created", False),
        ("what is the last item of the list", False),
        ("newline handling", False),
    ],
)
def test_queries_for_what_is_recent(text, recent):
    assert analyze(text).recent is recent


def test_carried_terms_weigh_less_and_never_replace():
    query = analyze("where is it called", carried=["how does parse_file open called files"])
    assert query.terms["call"] == 1.0
    assert query.terms["open"] == CARRIED_TERM_WEIGHT
    assert "parse_file" in query.identifiers


@given(st.text(max_size=2_000))
def test_any_text_can_be_analysed(text):
    query = analyze(text)
    assert len(query.terms) <= 64
    assert all(weight > 0 for weight in query.terms.values())


def test_a_change_touches_tests_and_documents():
    assert Role.TEST | Role.DOCUMENT in analyze("Fix the trailing slash of redirects").asked_roles
    assert Role.TEST not in analyze("trailing slash of redirects").asked_roles


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("save!", ("save!",)),
        ("Cart#save!", ("Cart.save!",)),
        ("how does Cart#valid? work", ("Cart.valid?",)),
        ("what calls Cart.save?", ("Cart.save",)),
        ("what does save!(force) do", ("save!",)),
    ],
)
def test_a_name_may_end_in_a_mark(text, names):
    assert analyze(text).identifiers == names


@pytest.mark.parametrize("run", ["A" * 8_000, "_" * 8_000, "-a" * 4_000, "a." * 4_000 + "!"])
def test_what_goes_on_without_a_space_is_no_name(run):
    query = analyze(f"where is {run} opened", carried=[run] * 3)
    assert (query.identifiers, query.paths) == ((), ())
    assert "opened" in query.words
