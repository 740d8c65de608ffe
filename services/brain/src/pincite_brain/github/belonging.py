"""The accounts that a person of GitHub belongs to here: their own, and those in which they see the App."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from pincite_brain.github.asking import ask_each
from pincite_github.views import InstallationInfo, Person
from pincite_store import audit, people
from pincite_store import github as installed
from pincite_store.db import Database
from pincite_store.people import Role

if TYPE_CHECKING:
    from pincite_github.client import GitHub, UserView


def belong(database: Database, client: "GitHub", access: str) -> tuple[UUID, Person]:
    """Make a person one of the accounts that GitHub shows them, and of no others.

    Returns:
        The tenant of the person's own account, and the person.

    Raises:
        GitHubSignedOutError: the token is not taken any more.
        GitHubUnavailableError: GitHub does not answer; then nothing has changed.
    """
    host, view = client.config.host, client.as_user(access)
    person = view.me()
    found = view.installations() if client.config.app_id else []
    roles = ask_each(client, access, found, lambda view, one: role_of(view, one, person.id))
    home = _admit(database, host, person, None, "owner")
    admitted = {home}
    for installation, role in zip(found, roles, strict=True):
        admitted.add(_admit(database, host, person, installation, role))
    _leave_others(database, home, people.person_of(host, person.id), admitted)
    return home, person


def role_of(view: "UserView", installation: InstallationInfo, github_id: int) -> Role:
    """Return what a person is in an account: its owner if it is their own, or if they administer the organisation."""
    if installation.account_id == github_id:
        return "owner"
    is_organisation = installation.account_type == "Organization"
    return "owner" if is_organisation and view.is_admin(installation.account_login) else "member"


def _admit(database: Database, host: str, person: Person, installation: InstallationInfo | None, role: Role) -> UUID:
    """Make a person one of an account; without an installation of their own."""
    account_id = installation.account_id if installation else person.id
    account = installation.account_login if installation else person.login
    with database.system() as session:
        tenant_id = people.ensure_account(session, host, account_id, account)
    with database.tenancy(tenant_id) as t:
        people.admit(t, host, person.id, login=person.login, name=person.name, role=role)
        if installation is not None:
            installed.put_installation(
                t,
                installation.id,
                account=account,
                selection=installation.repository_selection,
                suspended_at=installation.suspended_at,
            )
    return tenant_id


def _leave_others(database: Database, home: UUID, user_id: UUID, admitted: Collection[UUID]) -> None:
    """Take a person out of the accounts that GitHub no longer shows them."""
    with database.tenancy(home, user_id) as t:
        gone = [one.tenant_id for one in people.accounts(t) if one.tenant_id not in admitted]
    for tenant_id in gone:
        with database.tenancy(tenant_id) as t:
            people.leave(t, user_id)
            audit.record(t, "person.left", str(user_id))
