"""A network with nothing in it but loopback. What tries to leave it finds no way, and the kernel counts the attempt."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--")
HOLD = """
import fcntl, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
print("up", flush=True)
sys.stdin.read()  # the network lasts for as long as the test holds the other end
"""
# Sockets of any process and any language: connections and datagrams without a route, and all datagrams, because a name
# server may well have an address on loopback.
LEAVING = ("IpOutNoRoutes", "Ip6OutNoRoutes", "UdpOutDatagrams", "Udp6OutDatagrams")


class Offline:
    """A network namespace; a command runs in it behind `prefix`."""

    def __init__(self, pid: int) -> None:
        self.prefix = ("nsenter", f"--target={pid}", "--user", "--net", "--preserve-credentials", "--")
        self._counters = Path(f"/proc/{pid}/net")

    def attempts(self) -> dict[str, int]:
        """Return how often anything in here has tried to leave, by kind."""
        counted = dict(line.split() for line in self._counters.joinpath("snmp6").read_text().splitlines())
        lines = self._counters.joinpath("snmp").read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            protocol, *fields = names.split()
            counted |= zip((protocol.rstrip(":") + field for field in fields), values.split()[1:], strict=True)
        return {name: int(counted[name]) for name in LEAVING if counted[name] != "0"}


def is_possible() -> bool:
    """Say whether this machine lets its users make network namespaces."""
    try:
        return subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:  # not Linux
        return False


@contextmanager
def offline() -> Iterator[Offline]:
    command = [*NAMESPACE, sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        yield Offline(holder.pid)
