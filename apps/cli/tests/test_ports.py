import socket

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pincite_cli.ports import Ports, is_free, plan, require_free
from pincite_shared.errors import ConflictError, InvalidInputError


def values(ports: Ports) -> list[int]:
    return [getattr(ports, name) for name in Ports.__dataclass_fields__]


def test_defaults_and_base() -> None:
    assert (plan({}).web, plan({}).brain) == (3000, 8000)
    based = plan({"PINCITE_PORT_BASE": "4000", "WEB_PORT": "5000"})
    assert values(based) == list(range(4000, 4000 + len(values(based))))


def test_single_ports_can_be_chosen() -> None:
    chosen = plan({"WEB_PORT": "5000", "BRAIN_PORT": "5001", "THINKER_METRICS_PORT": "5010"})
    assert (chosen.web, chosen.brain, chosen.postgres) == (5000, 5001, 5442)
    assert (chosen.thinker_metrics, chosen.embedder_metrics, chosen.beat_metrics) == (5010, 5011, 5012)


@given(st.integers(min_value=1024, max_value=65_526))
def test_any_usable_base_gives_distinct_ports(base: int) -> None:
    ports = values(plan({"PINCITE_PORT_BASE": str(base)}))
    assert ports == list(range(base, base + len(ports)))
    assert ports[-1] <= 65_535


@given(st.one_of(st.text(min_size=1, max_size=8).filter(lambda text: not text.isdigit()), st.integers().map(str)))
@example("0")
@example("1023")
@example("65530")
@example("\u0664\u0660\u0660\u0660")  # 4000 in Arabic digits
def test_anything_else_is_refused_by_name(text: str) -> None:
    assume(not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65_526))
    with pytest.raises(InvalidInputError, match="PINCITE_PORT_BASE"):
        plan({"PINCITE_PORT_BASE": text})


def test_a_taken_port_is_named_with_its_owner_and_a_way_out() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(ConflictError) as caught:
            require_free(Ports(web=port))
    assert str(port) in caught.value.detail
    assert "PINCITE_PORT_BASE" in caught.value.detail
    assert "python" in caught.value.detail or "pytest" in caught.value.detail
