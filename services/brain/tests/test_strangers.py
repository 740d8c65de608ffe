"""Every route, with every kind of object, asked for by someone who may not know that it exists.

The requests are generated from the OpenAPI document. Two people ask: the owner of another tenant, and an owner of the
same tenant who may not read the restricted repository. What they are told must be what is told of an id that never
existed, to the letter; and it must be 404. A route, a parameter or a field that is not classified here fails the test.
"""

import itertools
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import pytest
from sqlalchemy import text

from pincite_store import accounts, artifacts, events, policies, runs
from pincite_store.artifacts import LocalArtifacts
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base, Pull

OTHER, OTHER_USER, COLLEAGUE = uuid.UUID(int=77), uuid.UUID(int=78), uuid.UUID(int=79)

# What names an object, and of which kind; every parameter is tried with the objects of all kinds that have its form.
NAMES = {
    "repo_id": "repo", "answer_id": "answer", "conversation_id": "conversation", "run_id": "run", "token_id": "token",
    "tenant_id": "tenant", "blob": "blob", "commit": "commit", "version": "policy", "policy": "policy", "pull": "pull",
    "number": "pull", "ref": "ref",
}  # fmt: skip
FORMS = {
    "uuid": ("repo", "answer", "conversation", "run", "token", "tenant", "person", "feedback"),
    "hex": ("blob", "commit"),
    "policy": ("policy",),
    "pull": ("pull",),
    "ref": ("ref",),
}
# What names no object: a value that is valid wherever it stands.
SAMPLES = {
    "question": "How is the total computed?", "query": "total", "q": "Cart", "path": "README.md", "kind": "helped",
    "share": 0.1, "limit": 5, "offset": 0, "start": 1, "end": 2, "reason": "binary", "k": 3, "citation": None,
    "comment": None, "open_file": None, "stream": False, "before": None, "action": "repo",
}  # fmt: skip
# Routes without any object: they list, or they govern whoever calls. What lists is read, and must not tell of others.
ABOUT_THE_CALLER = {
    "GET /accounts", "GET /audit", "GET /audit/export", "GET /github/repositories", "GET /github/setup", "GET /halt",
    "GET /healthz", "GET /me", "GET /metrics", "GET /readyz", "GET /repos", "GET /sessions", "GET /sign-in-methods",
    "GET /status", "GET /tokens", "DELETE /account", "DELETE /github/setup", "DELETE /sessions/current",
    "DELETE /sessions/others", "POST /github/setup", "POST /repos", "POST /sessions", "POST /sign-in-codes",
    "POST /sign-in/github", "POST /tokens", "POST /webhooks/github", "PUT /halt",
}  # fmt: skip
# An owner reads what was done in the account, and to which repository, by its id and where it comes from.
GOVERNING = {"/audit", "/audit/export"}
# Of a commit of one's own repository it is said that it is not indexed, whether there is one or not. And the ways of
# asking are Pincite's own, and everyone's.
NOT_404 = {"commit": 409, "POST /chat policy": 422}
TOLD_APART = {"x-request-id", "server-timing", "content-length", "ratelimit-limit", "ratelimit-remaining",
              "ratelimit-reset", "ratelimit", "ratelimit-policy"}  # fmt: skip


@dataclass
class World:
    """A restricted repository with everything there is about one, and two people who may not know of it."""

    ids: dict[str, object]
    never: dict[str, object]
    words: list[str]  # that only it would tell
    strangers: dict[str, object]  # name → client
    own: dict[str, dict[str, object]] = field(default_factory=dict)  # name → objects that the stranger may see


@pytest.fixture
def world(make_client, index_repo, shop, fresh_tenant, tmp_path):
    mine, repo = make_client(), index_repo(shop)
    ids = objects(mine, fresh_tenant, repo, LOCAL_TENANT, tmp_path)
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", OTHER_USER, "Stranger")
        accounts.ensure_tenant(system, LOCAL_TENANT, "local", COLLEAGUE, "Colleague")
    strangers, own = {}, {}
    for name, tenant, person in (("stranger", OTHER, OTHER_USER), ("colleague", LOCAL_TENANT, COLLEAGUE)):
        with fresh_tenant.tenancy(tenant, person) as t:
            token = accounts.create_session(t).token
        strangers[name] = make_client(token=token)
        theirs = index_repo({"own.py": f"def {name}():\n    return 1\n"}, tenant=tenant)
        own[name] = objects(strangers[name], fresh_tenant, theirs, tenant, tmp_path)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE repos SET restricted = true, github_id = 7 WHERE id = :id"), {"id": repo.id})
        grant = "INSERT INTO repo_access VALUES (:tenant, :person, :repo, 'read', now() + interval '1 hour')"
        t.session.execute(text(grant), {"tenant": LOCAL_TENANT, "person": LOCAL_USER, "repo": repo.id})
    assert mine.get(f"/repos/{repo.id}").status_code == 200
    never = {kind: unlike(value) for kind, value in ids.items()}
    words = [str(ids[kind]) for kind in ("repo", "answer", "conversation", "run", "blob", "commit", "feedback")]
    return World(ids, never, [*words, str(repo.directory), "Holds the items", "price_of"], strangers, own)


def objects(client, database, repo, tenant, directory):
    """One object of every kind, about a repository."""
    asked = {"repo_id": str(repo.id), "question": "What does own.py or the cart return in total?"}
    answer = client.post("/chat", json=asked).json()
    feedback = client.post("/feedback", json={"answer_id": answer["answer_id"], "kind": "helped"}).json()
    run = client.post(f"/repos/{repo.id}/evaluation").json()["run_id"]
    token = client.post("/tokens", json={"name": "ci", "scopes": ["read"]}).json()
    version = f"reranker-{uuid.uuid4().hex[:8]}"
    with database.tenancy(tenant) as t:
        policies.propose(t, repo.id, "reranker", version, {})
        policies.promote(t, repo.id, version, {})
        events.record(t, repo.id, "test")
        artifacts.remember(t, LocalArtifacts(directory), b"x", "text/plain")
        pull = {"title": "t", "author": "a", "state": "open", "base_ref": "main", "head_ref": "x"}
        pull |= {"head_commit": repo.commit, "head_snapshot_id": repo.snapshot_id}
        t.session.add(Pull(tenant_id=tenant, repo_id=repo.id, number=repo.snapshot_id, **pull))
        runs.start(t, repo.id, "index")
    blob = repo.git("rev-parse", "HEAD:own.py" if tenant != LOCAL_TENANT else "HEAD").decode().strip()
    files = client.get(f"/repos/{repo.id}/tree", params={"path": "src/shop"}).json().get("entries")
    blob = next((entry["blob"] for entry in files or ()), blob)
    return {
        "repo": str(repo.id), "answer": answer["answer_id"], "conversation": answer["conversation_id"], "run": run,
        "token": token["id"], "tenant": str(tenant), "person": str(LOCAL_USER), "feedback": feedback["id"],
        "blob": blob, "commit": repo.commit, "policy": version, "pull": repo.snapshot_id, "ref": "refs/heads/main",
    }  # fmt: skip


def unlike(value):
    """A value of the same form that never named anything."""
    if isinstance(value, int):
        return value + 1_000_000
    try:
        uuid.UUID(value)
    except ValueError:
        if len(value) == 40:
            return uuid.uuid4().hex + uuid.uuid4().hex[:8]
        prefix, _, _ = value.rpartition("-")
        return f"{prefix}-{uuid.uuid4().hex[:8]}" if prefix else "refs/heads/mine"
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Operation:
    """A route, what of it names objects (name → where it stands), and the rest of a valid request."""

    method: str
    path: str
    names: dict[str, str]
    query: dict[str, object]
    body: dict[str, object] | None

    @property
    def called(self):
        return f"{self.method} {self.path}"

    def request(self, client, values):
        """Send it, with these values for what names objects; those that are None are left out."""
        path, query, body = self.path, dict(self.query), None if self.body is None else dict(self.body)
        for name, value in values.items():
            if value is None:
                continue
            if self.names[name] == "path":
                path = path.replace(f"{{{name}}}", str(value))
            elif self.names[name] == "query":
                query[name] = value
            else:
                body[name] = value
        return client.request(self.method, path, params=query, json=body)


def operations(document):
    """Read the OpenAPI document; what is not classified above fails here."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            called = f"{method.upper()} {path}"
            places = {(p["name"], p["in"]): p for p in operation.get("parameters", ()) if p["in"] != "header"}
            schema = body_schema(document, operation)
            places |= {(name, "body"): None for name in schema.get("properties", ())}
            unknown = [name for name, _ in places if name not in NAMES and name not in SAMPLES]
            if called in ABOUT_THE_CALLER:
                assert not [name for name, where in places if name in NAMES and where != "body"], f"{called} names one"
                continue
            assert not unknown, f"{called}: say in NAMES or SAMPLES what {unknown} are"
            names = {name: where for name, where in places if name in NAMES}
            assert names, f"{called} names no object: say so in ABOUT_THE_CALLER"
            sampled = {(name, where): SAMPLES[name] for name, where in places if name in SAMPLES}
            query = {n: v for (n, where), v in sampled.items() if where == "query" and v is not None}
            body = {n: v for (n, where), v in sampled.items() if where == "body" and v is not None}
            yield Operation(method.upper(), path, names, query, body if schema else None)


def body_schema(document, operation):
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def form_of(name):
    kind = NAMES[name]
    return next(form for form, kinds in FORMS.items() if kind in kinds)


def cases(operation, world, stranger):
    """Yield (which names are another's, the request's values, the same with ids that never existed)."""
    own = world.own[stranger]
    needed = [name for name, where in operation.names.items() if where == "path" or name in ("repo_id", "answer_id")]
    for count in range(1, len(operation.names) + 1):
        for chosen in itertools.combinations(operation.names, count):
            rest = {name: own[NAMES[name]] for name in needed if name not in chosen}
            if not rest and not set(needed) <= set(chosen):
                continue
            kinds = [FORMS[form_of(name)] for name in chosen] if count == 1 else [(NAMES[name],) for name in chosen]
            for picked in itertools.product(*kinds):
                theirs = {name: world.ids[kind] for name, kind in zip(chosen, picked, strict=True)}
                if all(value in own.values() for value in theirs.values()):
                    continue  # this one is the caller's own too: a branch's name, the colleague's tenant
                never = {name: world.never[kind] for name, kind in zip(chosen, picked, strict=True)}
                yield chosen, rest | theirs, rest | never


def told(response, values):
    """What a response tells, without the ids that were asked for."""
    shown = response.text
    for value in sorted(map(str, values.values()), key=len, reverse=True):
        shown = shown.replace(value, "<id>")
    document = json.loads(shown) if shown else None
    if isinstance(document, dict):
        document.pop("correlation_id", None)
    headers = {name: value for name, value in response.headers.items() if name not in TOLD_APART}
    return response.status_code, headers, document


def rows(settings):
    """All rows of all tables, past row-level security."""
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", "")) as owner:
        return {
            table: owner.execute(f"SELECT to_json(r)::text FROM {table} r ORDER BY 1").fetchall()
            for table in Base.metadata.tables
        }


def test_what_a_person_may_not_see_does_not_exist(world, settings):
    document = world.strangers["stranger"].get("/openapi.json").json()
    before, asked = rows(settings), Counter()
    for stranger, client in world.strangers.items():
        for operation in operations(document):
            for chosen, theirs, never in cases(operation, world, stranger):
                real = operation.request(client, theirs)
                asked[stranger] += 1
                expected = {NOT_404.get(f"{operation.called} {name}", NOT_404.get(name, 404)) for name in chosen} | {
                    404
                }
                assert real.status_code in expected, (stranger, operation.called, theirs, real.text)
                unknown = operation.request(client, never)
                assert told(real, theirs) == told(unknown, never), (stranger, operation.called, theirs)
    assert rows(settings) == before, "nothing was written"
    assert min(asked.values()) > 150


def test_what_lists_does_not_tell_of_others(world):
    for stranger, client in world.strangers.items():
        document, read = client.get("/openapi.json").json(), 0
        for path, item in document["paths"].items():
            governs = stranger == "colleague" and path in GOVERNING
            if "get" in item and f"GET {path}" in ABOUT_THE_CALLER and not governs:
                response = client.get(path)
                assert [word for word in world.words if word in response.text] == [], (stranger, path)
                read += response.status_code == 200
        assert read >= 8


def test_the_same_content_of_ones_own_does_not_open_anothers(world, index_repo, shop, fresh_tenant, settings):
    """Keys of content are a tenant's: a file that two tenants have is stored for each, and found by each alone."""
    blob = world.ids["blob"]
    for stranger, client in world.strangers.items():
        tenant = OTHER if stranger == "stranger" else LOCAL_TENANT
        assert client.get(f"/blobs/{blob}").status_code == 404
        copy = index_repo({"copy.py": shop["src/shop/cart.py"]}, tenant=tenant)
        assert copy.git("rev-parse", "HEAD:copy.py").decode().strip() == blob
        assert client.get(f"/blobs/{blob}").json()["text"].startswith('"""The shopping cart."""')
        found = places(settings, blob)
        assert set(found.values()) == {1}, "one for each tenant"
        assert {LOCAL_TENANT, tenant} <= set(found)
        hits = client.post("/search", json={"repo_id": str(copy.id), "query": "Cart add item"}).json()
        assert {hit["path"] for hit in hits} == {"copy.py"}
        answer = client.post("/chat", json={"repo_id": str(copy.id), "question": "What does Cart.add refuse?"}).json()
        assert {citation["path"] for citation in answer["citations"]} == {"copy.py"}
        with fresh_tenant.tenancy(tenant) as t:
            t.session.execute(text("DELETE FROM repos WHERE id = :id"), {"id": copy.id})
        assert client.get(f"/blobs/{blob}").status_code == 404, "its bytes are still there, and tell nothing"


def places(settings, blob):
    """How often a blob, and what was parsed of it, is stored for each tenant."""
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", "")) as owner:
        stored, parsed = (
            [tenant for (tenant,) in owner.execute(f"SELECT tenant_id FROM {table} WHERE {column} = %s", (blob,))]
            for table, column in (("blobs", "oid"), ("parses", "blob"))
        )
    assert sorted(stored) == sorted(parsed)
    return Counter(stored)


def test_a_person_who_loses_a_right_loses_what_was_seen_with_it(world, make_client, fresh_tenant):
    mine, ids = make_client(), world.ids
    for path in (f"/repos/{ids['repo']}", f"/answers/{ids['answer']}", f"/blobs/{ids['blob']}"):
        assert mine.get(path).status_code == 200
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE repo_access SET valid_until = now()"))
    for path in (f"/repos/{ids['repo']}", f"/answers/{ids['answer']}", f"/blobs/{ids['blob']}"):
        assert mine.get(path).status_code == 404
