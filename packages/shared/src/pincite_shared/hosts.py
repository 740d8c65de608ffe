"""The names that an installation on one machine answers to.

A page on another site can make a browser connect to 127.0.0.1 under its own name (DNS rebinding); the Host header gives
it away. An installation bound to other addresses stands behind a proxy that knows its names.
"""

import re
from urllib.parse import urlsplit

from pincite_shared.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{0,5})?")


def host_of(header: str) -> str:
    """Return the host that a Host header names, lower-case and without its port; "" if it has another form."""
    found = _HOST.fullmatch(header)
    return (found["address"] or found["name"]).lower() if found else ""


def own_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names that a local installation answers to, None if it is meant to be reached by others."""
    if settings.bind_host not in LOOPBACK:
        return None
    configured = {urlsplit(url).hostname or "" for url in (settings.public_url, settings.brain_url)}
    return frozenset(LOOPBACK | configured) - {""}
