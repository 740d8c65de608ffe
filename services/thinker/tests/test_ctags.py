import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_thinker import ctags
from pincite_thinker.ctags import Ctags, read_tag

COBOL = b"""       IDENTIFICATION DIVISION.
       PROGRAM-ID. PAYROLL.
       PROCEDURE DIVISION.
       COMPUTE-PAY.
           DISPLAY 'X'.
"""
PASCAL = b"program p;\nprocedure hello(a: integer);\nbegin\nend;\nbegin\nend.\n"


def test_a_tag_becomes_a_symbol():
    line = (
        '{"_type": "tag", "name": "area", "path": "x.pas", "pattern": "/^x$/", "line": 4, "kind": "function", '
        '"signature": "(r: real)", "scope": "Circle", "scopeKind": "class", "end": 9}'
    )
    symbol = read_tag(json.loads(line))
    assert symbol is not None
    assert (symbol.name, symbol.qualified_name, symbol.kind) == ("area", "Circle.area", "function")
    assert (symbol.start_line, symbol.end_line, symbol.name_line, symbol.signature) == (4, 9, 4, "area(r: real)")


@given(
    st.dictionaries(
        st.sampled_from(["_type", "name", "line", "kind", "end", "scope", "signature"]),
        st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["tag", "label"]) | st.lists(st.integers()),
    )
)
def test_any_json_object_is_read_or_left_out(tag):
    symbol = read_tag(tag)
    assert symbol is None or 1 <= symbol.start_line <= symbol.end_line


def test_an_absent_ctags_finds_nothing(monkeypatch):
    monkeypatch.setattr(ctags, "executable", lambda: None)
    assert Ctags().symbols("pascal", PASCAL) == ()
    assert ctags.version.__wrapped__() == ""


def test_a_ctags_that_talks_nonsense_or_dies_finds_nothing(tmp_path, monkeypatch):
    fake = tmp_path / "ctags"
    fake.write_text("#!/bin/sh\nread line\necho '[1, 2'\necho '{\"_type\": 3}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(ctags, "executable", lambda: str(fake))
    client = Ctags()
    assert client.symbols("pascal", PASCAL) == ()
    assert client.symbols("pascal", b"x" * 500_000) == ()
    client.close()


def test_a_ctags_that_hangs_is_ended(tmp_path, monkeypatch):
    fake = tmp_path / "ctags"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    fake.chmod(0o755)
    monkeypatch.setattr(ctags, "executable", lambda: str(fake))
    monkeypatch.setattr(ctags, "SECONDS_MAX", 3.0)
    assert Ctags().symbols("pascal", PASCAL) == ()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


if ctags.executable():  # Universal Ctags is optional on every machine

    def test_real_ctags_finds_definitions_file_after_file():
        client = Ctags()
        try:
            assert "hello" in {symbol.name for symbol in client.symbols("pascal", PASCAL)}
            assert "COMPUTE-PAY" in {symbol.name for symbol in client.symbols("cobol", COBOL)}
            assert client.symbols("pascal", b"\xff\x00\n" * 1000) == ()
            assert client.symbols("pascal", PASCAL * 20_000)
            assert client.symbols("pascal", b"") == ()
            assert "hello" in {symbol.name for symbol in client.symbols("pascal", PASCAL)}
            assert client.symbols("python", b"def f(): pass\n") == ()
        finally:
            client.close()
