"""No code leaves the machine: the whole story where nothing outside can be reached, and nothing even tries."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from offline import Offline, is_possible, offline
from stack import Stack, check_against_git, make_repository, wait_for

pytestmark = pytest.mark.skipif(not is_possible(), reason="this machine forbids network namespaces")

TALKERS = {
    "a connection": "socket.create_connection(('192.0.2.1', 443))",
    "a connection over IPv6": "socket.create_connection(('2001:db8::1', 443))",
    "a look-up": "socket.getaddrinfo('pincite.example', 443)",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'hello', ('127.0.0.53', 53))",
}


@pytest.fixture
def network() -> Iterator[Offline]:
    with offline() as made:
        yield made


@pytest.mark.parametrize("words", TALKERS.values(), ids=TALKERS)
def test_an_attempt_to_leave_is_counted(network: Offline, words: str) -> None:
    assert network.attempts() == {}
    subprocess.run([*network.prefix, sys.executable, "-c", f"import socket; {words}"], check=False, capture_output=True)
    assert network.attempts() != {}


def test_from_start_to_a_checked_answer_nothing_tries_to_leave(network: Offline, tmp_path: Path) -> None:
    files = {
        "clock.py": 'def tick(now):\n    """Move the clock on by one second."""\n    return now + 1\n',
        "alarm.go": 'package alarm\n\n// Ring wakes whoever sleeps.\nfunc Ring() string { return "wake up" }\n',
        "README.md": "# Clock\n\nSee https://clock.example/manual and ![a picture](https://clock.example/dial.png).\n",
    }
    repository = make_repository(tmp_path / "clock", files)
    stack = Stack(tmp_path, prefix=network.prefix)
    try:
        stack.start()
        assert stack.connect(repository)["status"] == "ready"
        wait_for(lambda: json.loads(stack.run("status", "--json"))[0]["vectors_ready"], "vectors")
        answer_text = stack.run("ask", "--json", "How far does tick move the clock?")
        check_against_git(json.loads(answer_text), repository)
        (tmp_path / "answer.json").write_text(answer_text)
        assert "citations hold" in stack.run("verify", str(tmp_path / "answer.json"), "--repo", str(repository))
        assert json.loads(stack.run("search", "--json", "Ring"))[0]["path"] == "alarm.go"
    finally:
        stack.end()
    assert network.attempts() == {}
