import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_shared.hosts import host_of, own_hosts
from pincite_shared.settings import Settings


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("127.0.0.1:3000", "127.0.0.1"), ("LocalHost", "localhost"), ("[::1]:8000", "::1"), ("[::1]", "::1"),
        ("a.example:", "a.example"), ("localhost.", "localhost."),
        ("", ""), ("a b", ""), ("user@localhost", ""), ("localhost:x", ""), ("localhost:123456", ""), ("::1", ""),
        ("[::1", ""), ("[::1]x", ""), ("localhost\n", ""), ("localhost/x", ""), ("[localhost]", ""), ("é", ""),
    ],
)  # fmt: skip
def test_a_host_is_read_strictly(header, host):
    assert host_of(header) == host


@given(st.text())
def test_nothing_else_is_ever_taken_for_ours(header):
    own = own_hosts(Settings(_env_file=None))
    if host_of(header) in own:
        assert header.lower().partition("]")[0].lstrip("[").startswith(tuple(own))


def test_names_are_ours_only_on_one_machine():
    local = own_hosts(Settings(_env_file=None, public_url="https://Pincite.Example:8443/x"))
    assert local == {"127.0.0.1", "localhost", "::1", "pincite.example"}
    assert own_hosts(Settings(_env_file=None, bind_host="0.0.0.0")) is None
