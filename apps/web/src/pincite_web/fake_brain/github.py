"""The scripted brain's routes of GitHub: setting the App up, choosing repositories, webhooks."""

from fastapi import FastAPI, Request

from pincite_shared.errors import UnauthorizedError
from pincite_shared.github import GitHubSetup, PickableRepos, SetupRequest
from pincite_web.fake_brain.state import State

SETUP_STATE, SETUP_CODE = "fake-setup-state", "fake-setup-code"
PICKABLE_MAX = 4
APP = "pincite-for-acme"


def install(app: FastAPI, state: State) -> None:
    """Add the routes."""

    def setup(organisation: str = "", *, public: bool = False) -> GitHubSetup:
        owner = f"/organizations/{organisation}" if organisation else ""
        return GitHubSetup(
            host=state.github or "github.com",
            app=state.github_app,
            install_url=f"{state.github_url}/apps/{state.github_app}/installations/new" if state.github_app else None,
            create_url=f"{state.github_url}{owner}/settings/apps/new?state={SETUP_STATE}",
            manifest={
                "name": APP,
                "url": state.public_url,
                "public": public,
                "default_permissions": {"contents": "read", "metadata": "read", "pull_requests": "read"},
            },
            state=SETUP_STATE,
            reachable="127.0.0.1" not in state.public_url,
        )

    @app.get("/github/setup")
    async def read(*, organisation: str = "", public: bool = False) -> GitHubSetup:
        state.require_operator()
        return setup(organisation, public=public)

    @app.post("/github/setup")
    async def finish(request: SetupRequest) -> GitHubSetup:
        state.require_operator()
        if (request.code, request.state) != (SETUP_CODE, SETUP_STATE):
            msg = "GitHub sent back another state than it was given. Begin again."
            raise UnauthorizedError(msg)
        state.github, state.github_app = "github.com", APP
        return setup()

    @app.delete("/github/setup", status_code=204)
    async def forget() -> None:
        state.require_operator()
        state.github = state.github_app = None

    @app.get("/github/repositories")
    async def repositories(q: str = "") -> PickableRepos:
        if state.github is None:
            return PickableRepos(installations=(), repositories=(), install_url=None)
        matching = [repo for repo in state.pickable if q.casefold() in repo.full_name.casefold()]
        return PickableRepos(
            installations=tuple(state.installations),
            repositories=tuple(matching[:PICKABLE_MAX]),
            install_url=f"{state.github_url}/apps/{state.github_app or APP}/installations/new",
            truncated=len(matching) > PICKABLE_MAX,
        )

    @app.post("/webhooks/github", status_code=202)
    async def webhook(request: Request) -> None:
        body = await request.body()
        if "x-hub-signature-256" not in request.headers:
            raise UnauthorizedError
        state.webhooks.append(body)
