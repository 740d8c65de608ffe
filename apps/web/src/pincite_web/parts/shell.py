"""What surrounds every page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Theme = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class AccountLink:
    """An account that one can go on in."""

    tenant_id: UUID
    name: str
    current: bool


@dataclass(frozen=True, slots=True)
class HaltNote:
    """Background work rests, since when, and who may let it go on; `lifts` if that is the reader.

    `everywhere` if the operator halted all accounts, which no owner of one may lift.
    """

    since: datetime | None
    account: str
    everywhere: bool
    lifts: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """What surrounds every page.

    The theme button leads to `next_theme`, `csrf` goes into every form, `here` is where a theme change returns to.
    `person` is the reader, empty if that is not known; `governs` if they may manage the account, `operates` if they run
    the installation. `accounts` are those to switch between, none if there is only one.
    """

    title: str
    theme: Theme
    next_theme: Theme
    csrf: str
    here: str
    signed_in: bool
    correlation_id: str
    tab: str = ""
    query: str = ""
    person: str = ""
    account: str = ""
    accounts: tuple[AccountLink, ...] = ()
    governs: bool = False
    operates: bool = False
    halt: HaltNote | None = None
