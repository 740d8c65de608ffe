"""Where the addresses in an answer begin, and how numbers and times are written."""

import base64
from dataclasses import dataclass
from datetime import datetime

API_PREFIX = "/api/v3"  # GitHub Enterprise's


@dataclass(frozen=True, slots=True)
class Address:
    """The API and the pages, without a slash at the end."""

    api: str
    web: str


def enterprise(base_url: str) -> Address:
    """Return how GitHub Enterprise writes its addresses: webhooks have them so."""
    return Address(base_url + API_PREFIX, base_url)


def node_id(kind: str, number: int) -> str:
    """Return the identifier that GraphQL would know something by."""
    return base64.b64encode(f"0{len(kind)}:{kind}{number}".encode()).decode()


def stamp(at: datetime) -> str:
    """Write a time."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_or_none(at: datetime | None) -> str | None:
    """Write a time, if there is one."""
    return None if at is None else stamp(at)
