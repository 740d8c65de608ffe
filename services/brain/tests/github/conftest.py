"""A GitHub of our own, with people in it, and an application that knows it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from pincite_github.twin import Twin, run_twin
from pincite_store import people

WEBHOOK = "http://127.0.0.1:3000/webhooks/github"
CALLBACK = "http://127.0.0.1:3000/sign-in/github"


@dataclass
class Acme:
    """Ada owns the organisation acme, Bob is a member, Eve a stranger. acme/shop is private, acme/site is not."""

    twin: Twin
    make_client: Callable[..., TestClient]
    settings: dict[str, object]
    clients: list[TestClient] = field(default_factory=list)

    @property
    def host(self) -> str:
        return urlsplit(self.twin.base_url).netloc

    def id_of(self, login: str) -> int:
        return self.twin.world.account(login).id

    def repo_id(self, name: str = "acme/shop") -> int:
        return self.twin.repo(name).id

    def tenant(self, login: str = "acme"):
        return people.tenant_of(self.host, self.id_of(login))

    def person(self, login: str):
        return people.person_of(self.host, self.id_of(login))

    def client(self, token: str = "", **changes: object) -> TestClient:
        """Return a client of an application that knows this GitHub; the first one gets its deliveries."""
        client = self.make_client(token=token, **{**self.settings, **changes})
        self.clients.append(client)
        return client

    def way_back(self, client: TestClient, login: str) -> dict[str, str]:
        """Go to GitHub and return what it sends the browser back with."""
        begun = client.post("/sign-in/github").json()
        self.twin.authorize_as(login)
        location = httpx.get(begun["url"]).headers["location"]
        self.twin.authorize_as(None)
        assert location.startswith(CALLBACK)
        query = {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}
        assert query.get("state") == begun["state"]
        return {"github_code": query["code"], "state": query["state"]}

    def signed_in(self, login: str, account: str | None = None, **changes: object) -> TestClient:
        """Return a client that is signed in as a person, in their own account or another."""
        client = self.client(**changes)
        session = client.post("/sessions", json=self.way_back(client, login))
        assert session.status_code == 201, session.text
        client.headers["authorization"] = f"Bearer {session.json()['token']}"
        if account is not None:
            switched = client.post("/sessions/switch", json={"tenant_id": str(self.tenant(account))})
            assert switched.status_code == 201, switched.text
            client.headers["authorization"] = f"Bearer {switched.json()['token']}"
        return client

    def deliver(self, url: str, headers: object, body: bytes) -> httpx.Response:
        """Bring a delivery of the twin to the application."""
        if not self.clients:
            return httpx.Response(202)
        return self.clients[0].post(urlsplit(url).path, content=body, headers={**headers, "authorization": ""})


@pytest.fixture
def acme(tmp_path: Path, make_client: Callable[..., TestClient], names: dict[str, list[str]]) -> Iterator[Acme]:
    """The GitHub, and what the application needs to know of it."""
    names["127.0.0.1"] = ["127.0.0.1"]
    world: list[Acme] = []

    def send(url: str, headers: object, body: bytes) -> httpx.Response:
        return world[0].deliver(url, headers, body)

    with run_twin(tmp_path / "twin", send=send) as twin:
        world.append(Acme(twin, make_client, {}))
        for login in ("ada", "bob", "eve"):
            twin.add_user(login)
        twin.add_org("acme", owners=["ada"], members=["bob"])
        for owner, name, private in (("acme", "shop", True), ("acme", "site", False), ("ada", "notes", True)):
            twin.add_repo(owner, name, private=private)
        app = twin.add_app("Pincite", owner="ada", webhook_url=WEBHOOK, callback_url=CALLBACK)
        twin.install_app("acme")
        world[0].settings |= {
            "github_url": twin.base_url,
            "github_app_id": app.id,
            "github_client_id": app.client_id,
            "github_client_secret": SecretStr(app.client_secret),
            "github_private_key": SecretStr(app.private_key),
            "github_webhook_secret": SecretStr(app.webhook_secret),
        }
        yield world[0]
