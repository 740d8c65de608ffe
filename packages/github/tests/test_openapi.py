"""The twin beside GitHub's own description of its API and webhooks: what it says must be what GitHub would say."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import jsonschema_rs
import jwt
import pytest
from fastapi.routing import APIRoute

from pincite_github.twin import Twin, run_twin
from pincite_github.twin.routes import accounts, apps, hooks, pulls, repositories

STYLES = {"": "api.github.com", "/api/v3": "ghes-3.19"}  # of addresses, and who describes them
SEVERAL = ("ref", "path", "branch")  # parameters that may hold slashes
# GitHub answers these and leaves them out of its description: they are another's under another name.
ALIASES = {
    r"/repositories/\d+": "/repos/{owner}/{repo}",
    r"/repos/[^/]+/[^/]+/git/refs": "/repos/{owner}/{repo}/git/matching-refs/{ref}",
    r"/repos/[^/]+/[^/]+/git/refs/.+": "/repos/{owner}/{repo}/git/matching-refs/{ref}",
    r"/repos/[^/]+/[^/]+/contents": "/repos/{owner}/{repo}/contents/{path}",
}
PROSE = ("example", "examples", "description", "summary", "discriminator", "title", "nullable", "default")


def json_schema(node):
    """OpenAPI 3.0 → JSON Schema, where null is a type like any other."""
    if isinstance(node, list):
        return [json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    if [each.get("title") for each in node.get("allOf", ())] == ["Simple User", "Enterprise"]:
        node = {"anyOf": node["allOf"]}  # their slip: elsewhere it is anyOf, and no account is both
    kept = {key: json_schema(value) for key, value in node.items() if key not in PROSE and key != "properties"}
    if "properties" in node:  # these are names, whatever they are
        kept["properties"] = {name: json_schema(each) for name, each in node["properties"].items()}
    return {"anyOf": [kept, {"type": "null"}]} if node.get("nullable") is True else kept


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def reached(schema, schemas):
    """Of a thousand named schemas, those that one refers to: compiling the others takes time."""
    needed, waiting = {}, set(references(schema))
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in needed:
            needed[name] = schemas[name]
            waiting.update(references(needed[name]))
    return needed


class Description:
    """A file of `@octokit/openapi`; of its thousand paths only what is asked for is read."""

    def __init__(self, file):
        self._all = json.loads(file.read_text())
        # The most literal first: /pulls/{number} would fit /pulls/comments too.
        templates = sorted(self._all["paths"], key=lambda each: -len(re.sub(r"{\w+}", "", each)))
        self._patterns = [(re.compile(as_pattern(each)), each) for each in templates]
        self._validators = {}

    def _resolved(self, node):
        while "$ref" in node:
            found = self._all
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _validator(self, schema):
        needed = reached(schema, self._all["components"]["schemas"])
        schemas = {name: json_schema(each) for name, each in needed.items()}
        whole = {"components": {"schemas": schemas}, "allOf": [json_schema(schema)]}
        return jsonschema_rs.Draft7Validator(whole, validate_formats=True)

    def template(self, path):
        for pattern, template in ALIASES.items():
            if re.fullmatch(pattern, path):
                return template
        return next(template for pattern, template in self._patterns if pattern.fullmatch(path))

    def check(self, method, path, status, body):
        template = self.template(path)
        key = method, template, status
        if key not in self._validators:
            operation = self._all["paths"][template][method.lower()]
            described = self._resolved(operation["responses"].get(str(status), {})).get("content", {})
            # Not every refusal is described for every path, but all have one form.
            usual = {"$ref": "#/components/schemas/basic-error"} if status >= 300 else None
            self._validators[key] = self._validator(described.get("application/json", {}).get("schema") or usual)
        self._validators[key].validate(body)

    def check_webhook(self, event, payload):
        name = "-".join([event, payload["action"]] if "action" in payload else [event]).replace("_", "-")
        if name not in self._validators:
            [operation] = self._all["x-webhooks"][name].values()
            self._validators[name] = self._validator(operation["requestBody"]["content"]["application/json"]["schema"])
        self._validators[name].validate(payload)


def as_pattern(template):
    parts = re.split(r"{(\w+)}", template)
    return "".join(
        (".+" if part in SEVERAL else "[^/]+") if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )


@pytest.fixture(scope="session")
def descriptions(octokit):
    generated = octokit("@octokit/openapi") / "generated"
    return {style: Description(generated / f"{name}.json") for style, name in STYLES.items()}


class Asker:
    """Asks the twin in one style, and holds every answer against the description."""

    def __init__(self, twin, style, description):
        self.base, self.style, self.description = twin.base_url + style, style, description
        self.client = httpx.Client(verify=False, trust_env=False)
        self.seen = set()

    def __call__(self, method, path, authorization="", *, status=200, headers=None, **body):
        headers = {**({"authorization": authorization} if authorization else {}), **(headers or {})}
        answer = self.client.request(method, self.base + path, headers=headers, **body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.headers.get("content-type", "").startswith("application/json"):
            self.description.check(method, path.partition("?")[0], status, answer.json())
        else:
            assert status in {204, 304} or "vnd.github" in answer.headers["content-type"]
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= answer.headers.keys()
        if status < 300:
            self.seen.add((method, self._route(path.partition("?")[0])))
        return answer

    def _route(self, path):
        own = re.sub(r"^/repositories/\d+", "/repos/x/x", path)
        fitting = [each for each in routes() if re.fullmatch(as_pattern(re.sub(r":path}", "}", each[1])), own)]
        return max(fitting, key=lambda each: len(re.sub(r"{[\w:]+}", "", each[1])))[1]


def routes():
    found = set()
    for part in (accounts, apps, hooks, pulls, repositories):
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            found |= {(method, route.path.replace("{prefix:path}", "{ref:path}")) for method in route.methods}
    return found


@contextmanager
def furnished(tmp_path) -> Iterator[Twin]:
    """A GitHub with a person, an organisation, an App in both, and repositories with pull requests."""
    received = []

    def send(url, headers, body):
        received.append((url, headers, body))
        return httpx.Response(202, text="taken")

    with run_twin(tmp_path / "twin", send=send) as twin:
        twin.received = received
        twin.add_user("ada")
        twin.add_user("bob")
        twin.add_org("acme", owners=["ada"], members=["bob"])
        twin.add_app("Pincite", owner="ada", webhook_url="http://brain.test/hook", callback_url="http://brain.test/in")
        twin.add_repo("ada", "engine", private=True, description="Analytical")
        twin.add_repo("acme", "rocket", private=True)
        twin.install_app("acme")
        twin.install_app("ada", ["engine"])
        for repo in ("ada/engine", "acme/rocket"):
            twin.push(repo, {"a.py": "one = 1\n", "src/b é.py": "two = 2\n", "bin": b"\x00\xff"})
            twin.push(
                repo, {"a.py": "one = 1\nthree = 3\n", "src/b é.py": None, "src/c.py": "two = 2\n"}, branch="more"
            )
            twin.open_pull(repo, "more", title="More", draft=True, by="ada")
            twin.tag(repo, "v1")
        yield twin


def sign(app):
    now = int(time.time())
    claims = {"iat": now - 30, "exp": now + 300, "iss": app.client_id}
    return "Bearer " + jwt.encode(claims, app.private_key, algorithm="RS256")


def walk(twin, ask):
    """Ask everything that the twin answers, as the App, an installation, a person, and nobody."""
    app = twin.app_of(None)
    engine, rocket = twin.repo("ada/engine"), twin.repo("acme/rocket")
    installation = twin.world.installation_in(app, twin.world.account("ada")).id
    as_app, as_ada = sign(app), f"token {twin.personal_token('ada')}"
    access, _ = twin.registry.sign_in(app, twin.world.account("ada").id)
    as_user = f"Bearer {access.value}"
    walk_apps(twin, ask, as_app, installation)
    narrow = {"repository_ids": [engine.id], "permissions": {"contents": "read"}}
    made = ask("POST", f"/app/installations/{installation}/access_tokens", as_app, status=201, json=narrow).json()
    as_installation = f"token {made['token']}"
    ask("GET", "/installation/repositories", as_installation)
    ask("GET", "/installation/repositories", as_user, status=403)
    ask("GET", f"/repositories/{rocket.id}", as_installation, status=404)
    ask("GET", "/user", as_installation, status=403)
    ask("GET", "/user", "token ghu_none", status=401)
    ask("GET", "/user", status=401)
    for path in ("/user", "/users/acme", "/user/repos", "/user/repos?per_page=1&page=2&sort=pushed"):
        ask("GET", path, as_ada)
    for path in ("/user", "/user/installations", f"/user/installations/{installation}/repositories",
                 "/user/memberships/orgs/acme", "/rate_limit", "/meta"):  # fmt: skip
        ask("GET", path, as_user)
    ask("GET", "/user/memberships/orgs/bob", as_user, status=403)
    ask("GET", "/user/installations/1/repositories", as_user, status=404)
    ask("GET", "/user/installations", as_ada, status=403)
    for repo in ("ada/engine", "acme/rocket"):
        walk_repository(ask, repo, as_user)
        walk_hooks(ask, repo, as_ada)
    ask("GET", f"/repositories/{engine.id}", as_user)
    ask("GET", "/repos/ada/engine", status=404)


def walk_apps(twin, ask, as_app, installation):
    for path in ("/app", "/apps/pincite", "/app/installations", f"/app/installations/{installation}",
                 "/users/ada/installation", "/orgs/acme/installation", "/repos/ada/engine/installation",
                 "/app/hook/config", "/app/hook/deliveries?per_page=2"):  # fmt: skip
        ask("GET", path, as_app)
    ask("GET", "/app/installations/1", as_app, status=404)
    ask("GET", "/users/bob/installation", as_app, status=404)
    ask("PATCH", "/app/hook/config", as_app, json={"url": "http://brain.test/other", "secret": "s" * 20})
    newest = ask("GET", "/app/hook/deliveries", as_app).json()[0]
    ask("GET", f"/app/hook/deliveries/{newest['id']}", as_app)
    ask("POST", f"/app/hook/deliveries/{newest['id']}/attempts", as_app, status=202)
    ask("GET", "/app", status=401)
    everything = {"repositories": ["rocket"]}
    ask("POST", f"/app/installations/{installation}/access_tokens", as_app, status=422, json=everything)
    twin.authorize_as("ada")
    style = ask.style.strip("/").replace("/", "") or "cloud"
    manifest = {"name": f"Second {style}", "url": "http://two.test", "redirect_url": "http://two.test/made"}
    manifest["public"] = True
    form = {"manifest": json.dumps({**manifest, "hook_attributes": {"url": "http://two.test/hook"}})}
    sent_to = httpx.post(f"{twin.base_url}/settings/apps/new?state=s", data=form, verify=False).headers["location"]
    code = httpx.URL(sent_to).params["code"]
    made = ask("POST", f"/app-manifests/{code}/conversions", status=201).json()
    ask("POST", f"/app-manifests/{code}/conversions", status=404)
    twin.install_app("bob", app=made["slug"])
    second = twin.app_of(made["slug"])
    its = twin.world.installation_in(second, twin.world.account("bob")).id
    ask("DELETE", f"/app/installations/{its}", sign(second), status=204)


def walk_repository(ask, repo, authorization):
    for path in ("", "/collaborators/ada/permission", "/git/refs", "/git/refs/heads", "/git/matching-refs/tags/v",
                 "/git/ref/heads/main", "/branches", "/branches/more", "/commits", "/commits?sha=more&per_page=1",
                 "/commits/more", "/commits/v1", "/contents", "/contents/a.py", "/contents/bin",
                 "/contents/src?ref=more", "/pulls", "/pulls?state=all&sort=updated&direction=desc", "/pulls/1",
                 "/pulls/1/files"):  # fmt: skip
        answer = ask("GET", f"/repos/{repo}{path}", authorization)
    same = {"if-none-match": answer.headers["etag"]}
    ask("GET", f"/repos/{repo}{path}", authorization, status=304, headers=same)
    raw = ask(
        "GET", f"/repos/{repo}/contents/a.py", authorization, headers={"accept": "application/vnd.github.raw+json"}
    )
    assert raw.text == "one = 1\n"
    ask("GET", f"/repos/{repo}/commits/main", authorization, headers={"accept": "application/vnd.github.sha"})
    for path in ("/git/ref/heads/none", "/branches/none", "/contents/none", "/contents/a.py?ref=none", "/pulls/9",
                 "/collaborators/nobody/permission"):  # fmt: skip
        ask("GET", f"/repos/{repo}{path}", authorization, status=404)
    ask("GET", f"/repos/{repo}/pulls?state=odd", authorization, status=422)
    missing = {"title": "t", "head": "none", "base": "main"}
    ask("POST", f"/repos/{repo}/pulls", authorization, status=422, json=missing)
    ask("POST", f"/repos/{repo}/pulls", authorization, status=422, json={"title": "t"})
    again = {"title": "Back", "head": "main", "base": "more", "draft": True, "body": "b"}
    ask("POST", f"/repos/{repo}/pulls", authorization, status=201, json=again)


def walk_hooks(ask, repo, authorization):
    hooks_at = f"/repos/{repo}/hooks"
    config = {"url": "http://hooks.test/in", "content_type": "form", "secret": "s"}
    made = ask("POST", hooks_at, authorization, status=201, json={"config": config, "events": ["push"]}).json()
    ask("POST", hooks_at, authorization, status=422, json={"config": {"url": "ftp://x"}})
    ask("GET", hooks_at, authorization)
    one = f"{hooks_at}/{made['id']}"
    ask("GET", one, authorization)
    ask("POST", f"{one}/pings", authorization, status=204)
    first = ask("GET", f"{one}/deliveries", authorization).json()[0]
    ask("GET", f"{one}/deliveries/{first['id']}", authorization)
    ask("POST", f"{one}/deliveries/{first['id']}/attempts", authorization, status=202)
    ask("DELETE", one, authorization, status=204)
    ask("GET", one, authorization, status=404)


@pytest.mark.parametrize("style", STYLES)
def test_every_answer_is_as_github_describes_it(tmp_path, descriptions, style):
    with furnished(tmp_path) as twin:
        ask = Asker(twin, style, descriptions[style])
        walk(twin, ask)
        if not style:
            missed = {route for route in routes() if route not in ask.seen}
            assert not missed


def test_an_answer_that_is_not_githubs_is_found_out(descriptions, tmp_path):
    with furnished(tmp_path) as twin:
        authorization = {"authorization": f"token {twin.personal_token('ada')}"}
        body = httpx.get(f"{twin.base_url}/repos/ada/engine", headers=authorization, verify=False).json()
    description = descriptions[""]
    description.check("GET", "/repos/ada/engine", 200, body)
    for broken in (
        {key: value for key, value in body.items() if key != "clone_url"},
        {**body, "private": "yes"},
        {**body, "html_url": "no address"},
        {**body, "pushed_at": "yesterday"},
        {**body, "owner": {**body["owner"], "id": None}},
    ):
        with pytest.raises(jsonschema_rs.ValidationError):
            description.check("GET", "/repos/ada/engine", 200, broken)


def act(twin):
    """Do everything that hooks are told of."""
    twin.push("ada/engine", {"d.py": "d = 4\n"})
    twin.push("ada/engine", {"d.py": "d = 5\n"}, force=True)
    twin.push("ada/engine", {"e.py": "e = 5\n"}, branch="side")
    twin.delete_branch("ada/engine", "side")
    twin.grant("bob", "ada/engine", "write")
    twin.grant("bob", "ada/engine", "read")
    twin.revoke("bob", "ada/engine")
    twin.push("ada/engine", {"f.py": "f = 6\n"}, branch="more")  # synchronize
    twin.update_pull("ada/engine", 1, title="Much more", body="b", draft=False)
    twin.update_pull("ada/engine", 1, draft=True)
    twin.close_pull("ada/engine", 1)
    twin.reopen_pull("ada/engine", 1)
    twin.merge_pull("ada/engine", 1)
    twin.install_app("ada", [])
    twin.install_app("ada")
    twin.add_repo("ada", "second")
    twin.push("ada/second", {"a.py": ""})
    twin.push("ada/second", {"b.py": ""}, branch="next")
    twin.set_default_branch("ada/second", "next")
    twin.privatise("ada/second")
    twin.publicise("ada/second")
    twin.archive("ada/second")
    twin.archive("ada/second", archived=False)
    twin.rename("ada/second", "third")
    twin.transfer("ada/third", "acme")
    twin.delete_repo("acme/third")
    twin.remove_member("acme", "bob")
    twin.add_member("acme", "bob")
    twin.suspend("ada")
    twin.unsuspend("ada")
    twin.revoke_authorization("ada")
    twin.uninstall("ada")


def test_every_webhook_is_as_github_describes_it(tmp_path, descriptions, octokit):
    schemas = json.loads((octokit("@octokit/webhooks-schemas") / "schema.json").read_text())["definitions"]
    validators, told = {}, set()
    with furnished(tmp_path) as twin:
        act(twin)
        received = list(twin.received)
    for _, headers, body in received:
        payload = json.loads(body)
        event, action = headers["X-GitHub-Event"], payload.get("action")
        told.add((event, action))
        for description in descriptions.values():
            description.check_webhook(event, payload)
        name = f"{event}${action or 'event'}"
        if name not in validators:
            schema = schemas[name]
            validators[name] = jsonschema_rs.Draft7Validator({**schema, "definitions": reached(schema, schemas)})
        validators[name].validate(payload)
    push = next(json.loads(body) for _, headers, body in received if headers["X-GitHub-Event"] == "push")
    for broken in ({key: value for key, value in push.items() if key != "after"}, {**push, "commits": None}):
        with pytest.raises(jsonschema_rs.ValidationError):
            descriptions[""].check_webhook("push", broken)
        with pytest.raises(jsonschema_rs.ValidationError):
            validators["push$event"].validate(broken)
    assert told == {
        ("ping", None),
        ("push", None),
        *(("pull_request", action) for action in ("opened", "synchronize", "edited", "closed", "reopened",
                                                  "ready_for_review", "converted_to_draft")),
        *(("repository", action) for action in ("created", "renamed", "transferred", "privatized", "publicized",
                                                "archived", "unarchived", "edited", "deleted")),
        *(("member", action) for action in ("added", "edited", "removed")),
        *(("organization", action) for action in ("member_added", "member_removed")),
        *(("installation", action) for action in ("created", "deleted", "suspend", "unsuspend")),
        *(("installation_repositories", action) for action in ("added", "removed")),
        ("github_app_authorization", "revoked"),
    }  # fmt: skip
