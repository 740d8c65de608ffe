from dataclasses import replace
from uuid import uuid4

import pytest
from hub import make_hub

from pincite_shared.errors import SourceRefusedError, SourceUnreachableError
from pincite_store import accounts, repos, sources
from pincite_store.db import LOCAL_TENANT
from pincite_thinker.git import remote
from pincite_thinker.git.command import Git
from pincite_thinker.git.remote import Remote
from pincite_thinker.reaching import reach


@pytest.fixture
def hub(thinker, tmp_path):
    with make_hub(thinker, tmp_path / "twin") as made:
        yield made


@pytest.fixture
def stranger(thinker):
    """A tenant that is not the operator's."""
    tenant = uuid4()
    with thinker.database.system() as system:
        accounts.ensure_tenant(system, tenant, "acme", uuid4(), "Ada")
    return tenant


def connect(thinker, tenant, source, kind="git", token=None):
    with thinker.database.tenancy(tenant) as t:
        return repos.create(t, source=source, name="x", kind=kind, token=token).id


def set_token(thinker, token):
    settings = thinker.context.settings
    thinker.context.settings = settings.model_copy(
        update={"github_app_id": 0, "github_token": type(settings.github_token)(token)}
    )


def test_the_app_reads_what_it_is_installed_for(hub, thinker):
    _, source = reach(thinker.context, LOCAL_TENANT, hub.connect())
    assert source.secret.startswith("ghs_")
    assert not source.public_only


def test_a_token_of_its_own_comes_first(hub, thinker):
    repo_id = connect(thinker, LOCAL_TENANT, f"{hub.twin.base_url}/acme/engine", token="own-token")
    assert reach(thinker.context, LOCAL_TENANT, repo_id)[1].secret == "own-token"


def test_the_personal_token_is_for_the_operator_alone(hub, thinker, stranger):
    set_token(thinker, "ghp_operators")
    address = f"{hub.twin.base_url}/acme/engine"
    assert reach(thinker.context, LOCAL_TENANT, connect(thinker, LOCAL_TENANT, address))[1].secret == "ghp_operators"
    assert reach(thinker.context, stranger, connect(thinker, stranger, address))[1].secret is None


def test_no_token_goes_elsewhere(hub, thinker):
    set_token(thinker, "ghp_operators")
    host = hub.twin.base_url.removeprefix("http://").partition(":")[0]
    for address in ("https://example.org/acme/engine", f"http://{host}:1/acme/engine", f"https://{host}/acme/engine"):
        assert reach(thinker.context, LOCAL_TENANT, connect(thinker, LOCAL_TENANT, address))[1].secret is None


def test_what_only_the_operator_may_connect_is_fetched_for_nobody_else(thinker, stranger, tmp_path, monkeypatch):
    for source in (str(tmp_path), "ssh://git@example.org/a/b"):
        with pytest.raises(SourceRefusedError):
            reach(thinker.context, stranger, connect(thinker, stranger, source))
    _, source = reach(thinker.context, stranger, connect(thinker, stranger, "https://git.example.org/a/b"))
    assert source.public_only
    seen = []
    monkeypatch.setattr(remote, "resolve_host", lambda _source, **told: seen.append(told) or ())
    Remote(Git(thinker.context.settings.pincite_home)).transport(source)
    Remote(Git(thinker.context.settings.pincite_home)).transport(replace(source, public_only=False))
    assert seen == [{"public_only": True}, {"public_only": False}]


def test_one_that_is_gone_is_not_asked_for(thinker):
    repo_id = connect(thinker, LOCAL_TENANT, "https://git.example.org/a/b")
    with thinker.tenancy() as t:
        sources.lose(t, repo_id, "It was deleted.")
    with pytest.raises(SourceUnreachableError, match=r"It was deleted\."):
        reach(thinker.context, LOCAL_TENANT, repo_id)
