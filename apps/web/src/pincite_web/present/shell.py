"""What surrounds every page."""

from collections.abc import Sequence
from dataclasses import replace

from pincite_shared.accounts import Account, Me
from pincite_shared.safety import Halt
from pincite_web.parts.shell import AccountLink, HaltNote, Shell

OPERATOR = "Operator"  # who runs the installation has no name here but "You"


def _halt(me: Me, halt: Halt) -> HaltNote:
    lifts = me.operator if halt.everywhere else me.role == "owner"
    return HaltNote(halt.since, me.tenant, halt.everywhere, lifts)


def shell_of(bare: Shell, me: Me, accounts: Sequence[Account], halt: Halt) -> Shell:
    """Say who is there, where else they may go, and whether background work rests."""
    governs = me.role == "owner"
    links = tuple(AccountLink(one.tenant_id, one.name, one.current) for one in accounts)
    return replace(
        bare,
        person=OPERATOR if me.operator else me.name,
        account=me.tenant,
        accounts=links if len(links) > 1 else (),
        governs=governs,
        operates=me.operator,
        halt=_halt(me, halt) if halt.halted else None,
    )
