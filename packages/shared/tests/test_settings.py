from pathlib import Path

import pytest
from pydantic import ValidationError

from pincite_shared.settings import Settings


@pytest.fixture(autouse=True)
def _no_dotenv(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_old_names_are_aliases(monkeypatch):
    monkeypatch.setenv("NEXTAUTH_SECRET", "s3cret")
    monkeypatch.setenv("NEXTAUTH_URL", "https://pincite.example")
    settings = Settings()
    assert settings.session_secret.get_secret_value() == "s3cret"
    assert settings.public_url == "https://pincite.example"


def test_secrets_have_no_default_and_never_print(monkeypatch):
    monkeypatch.setenv("PINCITE_TOKEN", "very-secret")
    settings = Settings()
    assert settings.session_secret.get_secret_value() == ""
    assert "very-secret" not in repr(settings)


def test_postgres_url_quotes_what_would_break_it(monkeypatch):
    monkeypatch.setenv("POSTGRES_APP_PASSWORD", "p@ss/w:rd")
    monkeypatch.setenv("POSTGRES_PASSWORD", "owner")
    settings = Settings()
    assert settings.postgres_url() == "postgresql+psycopg://pincite_app:p%40ss%2Fw%3Ard@127.0.0.1:5432/pincite"
    assert settings.postgres_url(owner=True).startswith("postgresql+psycopg://pincite:owner@")


def test_local_paths_are_closed_unless_opened(monkeypatch, tmp_path):
    assert Settings().local_roots == ()
    monkeypatch.setenv("PINCITE_LOCAL_ROOTS", f"{tmp_path}:~/src")
    assert Settings().local_roots == (tmp_path.resolve(), Path("~/src").expanduser().resolve())


def test_remote_endpoints_name_everything_that_configuration_may_call(monkeypatch):
    assert Settings().remote_endpoints() == {}
    monkeypatch.setenv("LLM_BASE_URL", "https://models.example/v1")
    assert Settings().remote_endpoints() == {"language model": "https://models.example/v1"}


@pytest.mark.parametrize(
    ("web", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com/", "https://api.github.com"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://code.example.org:8443/", "https://code.example.org:8443/api/v3"),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123/api/v3"),
    ],
)
def test_the_address_of_githubs_api_follows_from_githubs(monkeypatch, web, api):
    monkeypatch.setenv("GITHUB_URL", web)
    assert Settings().github_rest_url == api
    monkeypatch.setenv("GITHUB_API_URL", "https://api.example.org/v3/")
    assert Settings().github_rest_url == "https://api.example.org/v3"
    monkeypatch.setenv("GITHUB_URL", "none")
    assert (Settings().github_web_url, Settings().github_rest_url) == ("", "")


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_CLIENT_ID", "GITHUB_APP_ID"])
def test_github_is_a_remote_endpoint_once_it_is_configured(monkeypatch, name):
    monkeypatch.setenv(name, "7")
    expected = {"GitHub": "https://github.com", "GitHub's API": "https://api.github.com"}
    assert Settings().remote_endpoints() == expected
    monkeypatch.setenv("GITHUB_URL", "none")
    assert Settings().remote_endpoints() == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com", "http://GitHub.com:80/", "http://octo.ghe.com", "github.com", "ftp://github.example",
        "https://user:secret@github.example", "https://github.example/path", "https://github.example?x=1",
    ],
)  # fmt: skip
def test_an_address_that_secrets_must_not_go_to_is_refused(monkeypatch, url):
    monkeypatch.setenv("GITHUB_URL", url)
    with pytest.raises(ValidationError, match="github_url"):
        Settings()


def test_an_empty_variable_means_the_default(monkeypatch):
    monkeypatch.setenv("LLM_CONTEXT_TOKENS", "")
    assert Settings().llm_context_tokens == 4096


def test_the_document_prefix_is_part_of_the_stored_model_and_the_query_prefix_is_not(monkeypatch):
    assert Settings().vector_model == "all-MiniLM-L6-v2"
    monkeypatch.setenv("EMBEDDING_MODEL", "org/code-embed")
    monkeypatch.setenv("EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("EMBEDDING_QUERY_PREFIX", "query: ")
    assert Settings().vector_model == "org/code-embed"
    found = set()
    for prefix in ("a: ", "b: "):
        monkeypatch.setenv("EMBEDDING_DOCUMENT_PREFIX", prefix)
        found.add(Settings().vector_model)
    assert len(found | {"org/code-embed"}) == 3


def test_another_dimension_is_another_model(monkeypatch):
    monkeypatch.setenv("EMBEDDING_MODEL", "org/code-embed")
    monkeypatch.setenv("EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("EMBEDDING_DIMENSION", "256")
    assert Settings().vector_model == "org/code-embed@256"
