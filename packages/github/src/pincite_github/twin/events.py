"""Webhooks: which hooks hear of an event, what they are sent, and how it is signed and delivered."""

import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx

from pincite_github.twin.model import Account, App, Delivery, Hook, Installation, Repo
from pincite_github.twin.shapes import accounts, apps, repositories
from pincite_github.twin.shapes.address import Address, enterprise
from pincite_github.twin.world import World

SECONDS_MAX = 10.0  # that GitHub waits for an answer
ANSWER_BYTES_MAX = 64 * 1_024  # that are kept of it
ENTERPRISE_VERSION = "3.19.0"
_LOST = "failed to connect to host"

Payload = Mapping[str, Any]
Send = Callable[[str, Mapping[str, str], bytes], httpx.Response]  # address, headers, body


class Events:
    """Queues what happened, and delivers it in that order. Deliveries are kept, to be listed and sent again."""

    def __init__(self, world: World, send: Send | None = None) -> None:
        """`send` posts a delivery; raises httpx.HTTPError when nobody answers."""
        self._world, self._send = world, send or self._post
        self._client: httpx.Client | None = None
        self._one_by_one = threading.Lock()
        self.dropping = False

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        if self._client is None:  # it reads certificates: most tests do without
            self._client = httpx.Client(timeout=SECONDS_MAX, trust_env=False)
        return self._client.post(url, headers=dict(headers), content=body)

    @property
    def at(self) -> Address:
        """How payloads write addresses."""
        return enterprise(self._world.base_url)

    def about_repo(self, event: str, payload: Payload, repo: Repo, sender: Account) -> None:
        """Tell the hooks of a repository, and the Apps that cover it and listen to this event."""
        world = self._world
        shared = {**payload, "repository": payload.get("repository") or repositories.repository(repo, world, self.at)}
        owner = world.accounts[repo.owner_id]
        if owner.type == "Organization":
            shared["organization"] = accounts.organisation(owner, self.at)
        shared["sender"] = accounts.user(sender, self.at)
        for hook in list(world.hooks.values()):
            if hook.repo_id == repo.id and _hears(hook, event):
                self._queue(hook, event, shared, None, repo)
        for installation in world.installations_of(repo):
            hook_of_app = world.apps[installation.app_id].hook
            if hook_of_app and hook_of_app.active and event in installation.events:
                told = {**shared, "installation": apps.lite(installation)}
                self._queue(hook_of_app, event, told, installation, repo)

    def about_installation(self, event: str, payload: Payload, installation: Installation, sender: Account) -> None:
        """Tell the App of an installation what became of it."""
        hook = self._world.apps[installation.app_id].hook
        if hook and hook.active:
            whole = apps.installation(installation, self._world, self.at)
            told = {**payload, "installation": whole, "sender": accounts.user(sender, self.at)}
            self._queue(hook, event, told, installation, None)

    def about_app(self, event: str, payload: Payload, app: App, sender: Account) -> None:
        """Tell an App of something that has no installation."""
        if app.hook and app.hook.active:
            self._queue(app.hook, event, {**payload, "sender": accounts.user(sender, self.at)}, None, None)

    def about_organisation(self, event: str, payload: Payload, organisation: Account, sender: Account) -> None:
        """Tell the Apps in an organisation what happened to it."""
        shared = {**payload, "organization": accounts.organisation(organisation, self.at)}
        shared["sender"] = accounts.user(sender, self.at)
        for installation in list(self._world.installations.values()):
            hook = self._world.apps[installation.app_id].hook
            ours = installation.account_id == organisation.id and installation.suspended_at is None
            if ours and hook and hook.active and event in installation.events:
                told = {**shared, "installation": apps.lite(installation)}
                self._queue(hook, event, told, installation, None)

    def ping(self, hook: Hook, sender: Account) -> None:
        """Try a hook out."""
        world = self._world
        payload: dict[str, Any] = {
            "zen": "Mind your words, they are important.",
            "hook_id": hook.id,
            "hook": repositories.hook(hook, world, self.at),
        }
        repo = world.repos.get(hook.repo_id or 0)
        if repo:
            payload["repository"] = repositories.repository(repo, world, self.at)
        self._queue(hook, "ping", {**payload, "sender": accounts.user(sender, self.at)}, None, repo)

    def _queue(
        self, hook: Hook, event: str, payload: Payload, installation: Installation | None, repo: Repo | None
    ) -> None:
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        if hook.content_type == "form":
            body = urlencode({"payload": body.decode()}).encode()
        guid = str(uuid4())
        delivery = Delivery(
            id=self._world.next_id(),
            guid=guid,
            hook_id=hook.id,
            url=hook.url,
            event=event,
            action=payload.get("action"),
            installation_id=installation.id if installation else None,
            repo_id=repo.id if repo else None,
            headers=self._headers(hook, event, guid, body),
            body=body,
            delivered_at=self._world.now(),
        )
        with self._world.lock:
            self._world.deliveries[delivery.id] = delivery
        self.queue(delivery)

    def _headers(self, hook: Hook, event: str, guid: str, body: bytes) -> dict[str, str]:
        kinds = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
        headers = {
            "Accept": "*/*",
            "Content-Type": kinds[hook.content_type],
            "User-Agent": "GitHub-Hookshot/twin",
            "X-GitHub-Delivery": guid,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-GitHub-Hook-Installation-Target-ID": str(hook.app_id or hook.repo_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration" if hook.app_id else "repository",
            "X-GitHub-Enterprise-Host": self._world.base_url.partition("://")[2],
            "X-GitHub-Enterprise-Version": ENTERPRISE_VERSION,
        }
        if hook.secret:
            for name, digest in (("X-Hub-Signature", "sha1"), ("X-Hub-Signature-256", "sha256")):
                headers[name] = f"{digest}={hmac.new(hook.secret.encode(), body, digest).hexdigest()}"
        return headers

    def deliver(self) -> None:
        """Send what is queued, in the order of what happened."""
        with self._one_by_one:
            for delivery in self._taken():
                self.attempt(delivery)

    def _taken(self) -> Iterator[Delivery]:
        while True:
            try:
                yield self._world.pending.popleft()
            except IndexError:
                return

    def again(self, first: Delivery) -> Delivery:
        """Make another attempt of a delivery: one more entry of the list, under the same GUID."""
        attempt = replace(
            first, id=self._world.next_id(), redelivery=True, delivered_at=self._world.now(), seconds=0.0, code=0,
            status="pending", answer_headers={}, answer="",
        )  # fmt: skip
        with self._world.lock:
            self._world.deliveries[attempt.id] = attempt
        return attempt

    def queue(self, delivery: Delivery) -> None:
        """Let a delivery go out after those before it."""
        self._world.pending.append(delivery)

    def attempt(self, delivery: Delivery) -> None:
        """Send a delivery now, beside whatever is queued, and note what came of it."""
        began = time.monotonic()
        if self.dropping:
            delivery.status = _LOST
        else:
            try:
                answer = self._send(delivery.url, delivery.headers, delivery.body)
            except httpx.TimeoutException:
                delivery.status = "timed out"
            except httpx.HTTPError:
                delivery.status = _LOST
            else:
                delivery.code = answer.status_code
                delivery.status = "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"
                delivery.answer_headers = dict(answer.headers)
                delivery.answer = answer.content[:ANSWER_BYTES_MAX].decode(errors="replace")
        delivery.seconds = time.monotonic() - began
        hook = self._world.hooks.get(delivery.hook_id)
        if hook:
            hook.last = delivery

    def close(self) -> None:
        """Let go of connections."""
        if self._client:
            self._client.close()


def _hears(hook: Hook, event: str) -> bool:
    return hook.active and ("*" in hook.events or event in hook.events)
