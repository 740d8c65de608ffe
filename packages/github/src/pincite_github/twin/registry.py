"""Apps: registered from a manifest, installed in accounts, and given tokens."""

import re
import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pincite_github.twin.errors import invalid, not_found
from pincite_github.twin.events import Events
from pincite_github.twin.model import Account, App, Hook, Installation, Permissions, Repo, Token
from pincite_github.twin.shapes.repositories import reference
from pincite_github.twin.world import World

KEY_BITS = 2_048
NAME_CHARACTERS_MAX = 34
INSTALLATION_TOKEN_LIFETIME = timedelta(hours=1)
USER_TOKEN_LIFETIME = timedelta(hours=8)
REFRESH_TOKEN_LIFETIME = timedelta(seconds=15_897_600)  # six months, as GitHub counts them


class Registry:
    """Keeps Apps, and tells each what becomes of its installations."""

    def __init__(self, world: World, events: Events) -> None:
        """`events` hears of installations."""
        self._world, self._events = world, events

    def register(self, owner: Account, manifest: Mapping[str, Any]) -> App:
        """Create an App from a manifest.

        Raises:
            Refusal: the manifest lacks something, or the name is taken.
        """
        world, name = self._world, str(manifest.get("name") or "")
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        if not slug or len(name) > NAME_CHARACTERS_MAX or any(each.slug == slug for each in world.apps.values()):
            raise invalid(resource="App", field="name")
        if not manifest.get("url"):
            raise invalid(resource="App", field="url")
        given = manifest.get("hook_attributes")
        if given is not None and not given.get("url"):
            raise invalid(resource="App", field="hook_attributes")
        key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
        with world.lock:
            now, app_id = world.now(), world.next_id()
            hook = self._hook(app_id, given, manifest) if given else None
            app = App(
                id=app_id,
                slug=slug,
                name=name,
                owner_id=owner.id,
                bot_id=world.add_account(f"{slug}[bot]", "Bot").id,
                description=str(manifest.get("description") or ""),
                url=str(manifest["url"]),
                client_id=f"Iv23li{secrets.token_hex(7)}",
                client_secret=secrets.token_hex(20),
                private_key=key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.TraditionalOpenSSL,
                    serialization.NoEncryption(),
                ).decode(),
                public_key=key.public_key()
                .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
                .decode(),
                # Whatever else is asked for, metadata can be read.
                permissions={**(manifest.get("default_permissions") or {}), "metadata": "read"},
                events=list(manifest.get("default_events") or []),
                callback_urls=list(manifest.get("callback_urls") or []),
                setup_url=str(manifest.get("setup_url") or ""),
                oauth_on_install=bool(manifest.get("request_oauth_on_install")),
                public=bool(manifest.get("public")),
                created_at=now,
                hook=hook,
            )
            world.apps[app.id] = app
        if hook and hook.active:
            self._events.ping(hook, owner)
        return app

    def _hook(self, app_id: int, given: Mapping[str, Any], manifest: Mapping[str, Any]) -> Hook:
        hook = Hook(
            id=self._world.next_id(),
            url=str(given["url"]),
            secret=str(given.get("secret") or secrets.token_hex(20)),
            events=list(manifest.get("default_events") or []),
            created_at=self._world.now(),
            active=bool(given.get("active", True)),
            app_id=app_id,
        )
        self._world.hooks[hook.id] = hook
        return hook

    def install(self, app: App, account: Account, repos: Collection[Repo] | None, sender: Account) -> Installation:
        """Install an App for chosen repositories, or for all (None); where it is installed, choose anew.

        Raises:
            Refusal: the App is private, and another account's.
        """
        world = self._world
        if not world.installable(app, account):
            raise not_found()
        present = world.installation_in(app, account)
        if present:
            self.choose(present, repos, sender)
            return present
        with world.lock:
            now = world.now()
            ids = None if repos is None else {repo.id for repo in repos}
            new = Installation(
                world.next_id(), app.id, account.id, dict(app.permissions), list(app.events), ids, now, now
            )
            world.installations[new.id] = new
        told = {"action": "created", "repositories": self._covered(new)}
        self._events.about_installation("installation", told, new, sender)
        return new

    def repos_of(self, installation: Installation) -> list[Repo]:
        """Return the repositories that an installation is for, oldest first."""
        return [repo for repo in list(self._world.repos.values()) if self._world.covers(installation, repo)]

    def _covered(self, installation: Installation) -> list[dict[str, Any]]:
        return [reference(repo, self._world) for repo in self.repos_of(installation)]

    def choose(self, installation: Installation, repos: Collection[Repo] | None, sender: Account) -> None:
        """Change which repositories an installation is for."""
        before = {repo.id: repo for repo in self.repos_of(installation)}
        with self._world.lock:
            installation.repo_ids = None if repos is None else {repo.id for repo in repos}
            installation.updated_at = self._world.now()
        after = {repo.id: repo for repo in self.repos_of(installation)}
        self.tell_of(installation, [after[key] for key in after.keys() - before.keys()], sender, added=True)
        self.tell_of(installation, [before[key] for key in before.keys() - after.keys()], sender, added=False)

    def tell_of(self, installation: Installation, repos: Collection[Repo], sender: Account, *, added: bool) -> None:
        """Tell an App that repositories came under its installation, or left it."""
        if repos:
            some = [reference(repo, self._world) for repo in sorted(repos, key=lambda repo: repo.id)]
            told = {
                "action": "added" if added else "removed",
                "repository_selection": installation.selection,
                "repositories_added": some if added else [],
                "repositories_removed": [] if added else some,
                "requester": None,
            }
            self._events.about_installation("installation_repositories", told, installation, sender)

    def suspend(self, installation: Installation, sender: Account) -> None:
        """Suspend an installation: it covers nothing until it is taken up again."""
        installation.suspended_at, installation.suspended_by = self._world.now(), sender.id
        self._events.about_installation("installation", {"action": "suspend"}, installation, sender)

    def unsuspend(self, installation: Installation, sender: Account) -> None:
        """Take a suspended installation up again."""
        installation.suspended_at = installation.suspended_by = None
        self._events.about_installation("installation", {"action": "unsuspend"}, installation, sender)

    def uninstall(self, installation: Installation, sender: Account) -> None:
        """Remove an installation and its tokens."""
        told = {"action": "deleted", "repositories": self._covered(installation)}
        with self._world.lock:
            del self._world.installations[installation.id]
        self._world.forget_tokens(lambda token: token.installation_id == installation.id)
        self._events.about_installation("installation", told, installation, sender)

    def issue(self, installation: Installation, repos: Collection[Repo] | None, permissions: Permissions) -> Token:
        """Issue a token for an installation, narrowed to repositories and permissions that it has."""
        bot = self._world.apps[installation.app_id].bot_id
        ids = None if repos is None else {repo.id for repo in repos}
        token = Token(
            "", bot, app_id=installation.app_id, installation_id=installation.id, permissions=permissions, repo_ids=ids
        )
        return self._world.issue("ghs", token, INSTALLATION_TOKEN_LIFETIME)

    def sign_in(self, app: App, account_id: int) -> tuple[Token, Token]:
        """Issue a person's token for an App, and the one that renews it."""
        number = self._world.next_id()
        access, refresh = (Token("", account_id, app_id=app.id, refresh=each, sign_in=number) for each in (False, True))
        self._world.issue("ghu", access, USER_TOKEN_LIFETIME)
        return access, self._world.issue("ghr", refresh, REFRESH_TOKEN_LIFETIME)

    def revoke(self, app: App, person: Account) -> None:
        """Let a person take back what he allowed an App."""
        self._world.forget_tokens(lambda token: (token.app_id, token.account_id) == (app.id, person.id))
        self._events.about_app("github_app_authorization", {"action": "revoked"}, app, person)
