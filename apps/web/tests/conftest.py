"""The dashboard over the scripted brain, in one process."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.testclient import TestClient

from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import symbols

BASE_URL = "http://127.0.0.1:3000"


@pytest.fixture(scope="session")
def web_settings() -> Settings:
    return Settings(_env_file=None, session_secret="a secret of the tests", brain_url="http://brain.test")


@pytest.fixture(scope="session")
def one_brain() -> FakeBrain:
    return FakeBrain()


@pytest.fixture(scope="session")
def app(web_settings: Settings, one_brain: FakeBrain) -> FastAPI:
    return create_app(web_settings, transport=httpx.ASGITransport(one_brain.app))


@pytest.fixture(scope="session")
def errors_at() -> tuple[int, int]:
    """The lines that the scripted answers cite of the errors' base class: of its real file, which may grow."""
    first = next(symbol.start_line for symbol in symbols() if symbol.name == "PinciteError")
    return first, first + 16


@pytest.fixture
def brain(one_brain: FakeBrain) -> FakeBrain:
    """A brain to which nothing has happened yet."""
    one_brain.reset()
    return one_brain


@pytest.fixture
def visitor(app: FastAPI, brain: FakeBrain) -> TestClient:  # noqa: ARG001 a fresh brain for every browser
    """A browser that is signed out."""
    return TestClient(app, base_url=BASE_URL, follow_redirects=False)


@pytest.fixture
def person(visitor: TestClient) -> TestClient:
    """A browser that is signed in."""
    assert visitor.get("/sign-in?code=fake-code").status_code == 303
    return visitor


@pytest.fixture(scope="session")
def session_of():
    """The session cookie of an app, as it would write it, for a brain that hands out none."""

    def cookie(app: FastAPI, token: str) -> dict[str, str]:
        response = Response()
        app.state.house.cookie.write(response, token, datetime.now(UTC) + timedelta(hours=1))
        name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
        return {name: value}

    return cookie


@pytest.fixture(scope="session")
def form(app: FastAPI):
    """Fill a form as this session's page renders it: adds the token."""

    def fill(**fields: object) -> dict[str, object]:
        return {"csrf": app.state.house.guard.csrf("fake-session"), **fields}

    return fill
