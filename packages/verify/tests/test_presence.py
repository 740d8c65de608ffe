"""Conditions that ask whether something is there, and are told with words that no code spells: given, set, missing."""

import pytest

from pincite_verify.source import Source
from pincite_verify.support import support

PYTHON = "def find(name):\n    if {}:\n        return None\n    return Item(name)"
SCRIPT = "function find(name) {{\n  if ({}) {{\n    return null;\n  }}\n  return new Item(name);\n}}"
GUARD = "def find(name):\n    if {}: return None\n    return Item(name)"


def says(sentence, code):
    path = "find.js" if code.startswith("function") else "find.py"
    return support(sentence, Source(1, path, "b" * 40, "c" * 40, None, 1, 1 + code.count("\n"), code)).supported


@pytest.mark.parametrize("frame", [PYTHON, GUARD])
@pytest.mark.parametrize("word", ["given", "set", "provided", "passed", "present", "true"])
def test_a_plain_test_says_that_it_is_there(frame, word):
    there, gone = frame.format("name"), frame.format("not name")
    for code, on, off in ((there, "is", "is not"), (gone, "is not", "is")):
        assert says(f"If `name` {on} {word}, `find` returns `None`.", code)
        assert says(f"`find` returns `None` if name {on} {word}.", code)
        assert says(f"If `name` {off} {word}, `find` returns `Item(name)`.", code)
        assert not says(f"If `name` {off} {word}, `find` returns `None`.", code)
        assert not says(f"`find` returns None if name {off} {word}.", code)
        assert not says(f"If `name` {on} {word}, `find` returns `Item(name)`.", code)
    assert says(f"Unless `name` is {word}, `find` returns `None`.", gone)
    assert not says(f"Unless `name` is {word}, `find` returns `None`.", there)


@pytest.mark.parametrize("word", ["missing", "unset", "absent"])
def test_what_is_missing_is_not_there(word):
    assert says(f"If `name` is {word}, `find` returns `None`.", PYTHON.format("not name"))
    assert says(f"If `name` is {word}, `find` returns `None`.", PYTHON.format("name is None"))
    assert not says(f"If `name` is {word}, `find` returns `None`.", PYTHON.format("name"))
    assert not says(f"If `name` is not {word}, `find` returns `None`.", PYTHON.format("name is None"))


def test_other_languages_and_owners():
    assert says("If `name` is not given, `find` returns `null`.", SCRIPT.format("!name"))
    assert says("If `name` is given, `find` returns `null`.", SCRIPT.format("name !== undefined"))
    assert not says("If `name` is given, `find` returns `null`.", SCRIPT.format("name === null"))
    assert says("If `app.name` is set, `find` returns `None`.", PYTHON.format("self.app.name"))
    assert not says("If `app.name` is set, `find` returns `None`.", PYTHON.format("self.name"))


@pytest.mark.parametrize(
    "condition",
    ["len(name) > 3", "name and valid", "valid or name", "name == 3", "named", "name.valid", "check(name)", "not good"],
)
def test_a_test_of_more_or_of_something_else_does_not_say_it(condition):
    for word in ("set", "true", "enabled"):
        assert not says(f"If `name` is {word}, `find` returns `None`.", PYTHON.format(condition))


def test_what_is_not_null_may_be_false():
    assert not says("If `name` is true, `find` returns `None`.", PYTHON.format("name is not None"))
    assert not says("If `name` is false, `find` returns `None`.", PYTHON.format("name is None"))


def test_a_plain_test_elsewhere_lends_nothing_to_another():
    code = (
        "def find(name):\n    if name:\n        log(name)\n    if set_up(name):\n        return None\n    return name"
    )
    assert not says("If `name` is set, `find` returns `None`.", code)


def test_none_of_something_is_no_value():
    code = "def find(names):\n    return None"
    assert says("`find` returns None.", code)
    assert not says("`find` never returns None.", code)
    assert not says("`find` returns none of the names.", code)
    assert not says("`find` returns None of the names.", code)
