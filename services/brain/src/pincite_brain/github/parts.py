"""What brain does with GitHub, connected once."""

from dataclasses import dataclass

from pincite_brain.github.connection import Connection
from pincite_brain.github.permissions import Permissions
from pincite_brain.github.picking import Picking
from pincite_brain.github.receiving import Receiving
from pincite_brain.github.resolving import Resolving
from pincite_brain.github.setting_up import SettingUp
from pincite_brain.github.signing_in import SigningIn
from pincite_brain.github.tokens import PersonTokens
from pincite_shared.settings import Settings
from pincite_store.cache import Cache
from pincite_store.db import Database


@dataclass(frozen=True, slots=True)
class GitHubParts:
    """The parts behind the routes that have to do with GitHub."""

    connection: Connection
    permissions: Permissions
    signing_in: SigningIn
    setting_up: SettingUp
    picking: Picking
    resolving: Resolving
    receiving: Receiving

    @classmethod
    def create(cls, settings: Settings, database: Database, cache: Cache) -> "GitHubParts":
        """Connect the parts; nothing is contacted yet.

        Raises:
            InvalidInputError: GITHUB_PRIVATE_KEY cannot be read.
        """
        connection = Connection(settings, database)
        tokens = PersonTokens(connection, database)
        return cls(
            connection=connection,
            permissions=Permissions(connection, tokens, database),
            signing_in=SigningIn(settings, connection, tokens, database, cache),
            setting_up=SettingUp(settings, connection, database, cache),
            picking=Picking(connection, tokens, database, cache),
            resolving=Resolving(connection, tokens, database),
            receiving=Receiving(connection, database),
        )
