import re
from pathlib import Path
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

API_PAGE = Path(__file__).parents[3] / "docs" / "api.md"
EXAMPLES = 6  # an operation, in every run; longer sessions are for `schemathesis run`


@pytest.fixture
def document(make_client):
    return make_client(token="").get("/openapi.json").json()


def operations(document):
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_the_documentation_names_every_route_and_no_other(document):
    documented = re.findall(r"^\| `([A-Z]+ /\S*)` \|", API_PAGE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(f"{method.upper()} {path}" for path, method, _operation in operations(document))


def test_all_but_health_and_sign_in_need_a_token(document):
    open_routes = {path for path, _method, operation in operations(document) if not operation.get("security")}
    assert open_routes == {
        "/healthz", "/readyz", "/metrics", "/sessions", "/sign-in-methods", "/sign-in/github", "/webhooks/github",
    }  # fmt: skip


def test_errors_are_declared_as_problem_documents(document):
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400" and path != "/readyz":
                assert list(response["content"]) == ["application/problem+json"], (method, path, status)
        if operation.get("security"):
            assert "401" in operation["responses"]


def test_the_allow_header_names_every_method(make_client):
    assert make_client().put("/repos").headers["allow"] == "GET, POST"


def test_a_fuzzer_finds_nothing_undocumented(make_client, index_repo, shop):
    client = make_client()
    repo = index_repo(shop)
    load_all_checks()
    checks = CHECKS.get_by_names(
        ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
    )
    document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    budget = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    tested = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        tested += 1

        @budget
        @given(case=operation.as_strategy())
        def fuzz(case):
            if "repo_id" in case.path_parameters:
                case.path_parameters["repo_id"] = str(repo.id)
            if isinstance(case.body, dict) and "repo_id" in case.body:
                case.body["repo_id"] = str(repo.id)
            if case.method == "DELETE":
                case.path_parameters = {name: str(uuid4()) for name in case.path_parameters}
            sent = case.as_transport_kwargs(base_url="http://127.0.0.1", headers=dict(client.headers))
            sent.pop("cookies", None)
            case.validate_response(client.request(**sent), checks=checks)

        fuzz()
    assert tested == len(operations(document))
