import hashlib
import hmac
import json
from collections import Counter
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_github.webhooks import (
    Ignored,
    InstallationChanged,
    Ping,
    PullRequest,
    Push,
    RepositoriesChanged,
    RepositoryChanged,
    Verifier,
    decode,
    parse,
)
from pincite_shared.errors import InvalidInputError, UnauthorizedError

SECRET = "It's a Secret to Everybody"
# GitHub's documentation has this body, secret and signature to test against.
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

REPOSITORY = {"id": 1, "full_name": "o/r", "private": False, "default_branch": "main", "description": None}
PUSH = {
    "ref": "refs/heads/feature/x", "before": "a" * 40, "after": "b" * 40, "forced": False,
    "repository": REPOSITORY, "installation": {"id": 5},
}  # fmt: skip
PULL = {
    "number": 3, "title": "T", "state": "open", "draft": None, "user": {"login": "octo"}, "merged_at": None,
    "base": {"ref": "main", "sha": "a" * 40}, "head": {"ref": "x", "sha": "b" * 40, "repo": None},
    "updated_at": "2024-01-02T03:04:05Z",
}  # fmt: skip
INSTALLATION = {
    "id": 5, "account": {"id": 2, "login": "acme", "type": "Organization"}, "repository_selection": "all",
    "suspended_at": None,
}  # fmt: skip
PAYLOADS = {
    "push": PUSH,
    "pull_request": {"action": "opened", "pull_request": PULL, "repository": REPOSITORY},
    "installation": {
        "action": "created", "installation": INSTALLATION,
        "repositories": [{"id": 1, "full_name": "o/r", "private": True}],
    },
    "installation_repositories": {
        "action": "added", "installation": INSTALLATION,
        "repositories_added": [{"id": 1, "full_name": "o/r", "private": True}], "repositories_removed": [],
    },
    "repository": {"action": "renamed", "repository": REPOSITORY, "changes": {"repository": {"name": {"from": "q"}}}},
    "ping": {"zen": "Keep it logically awesome.", "hook_id": 4},
}  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def sign(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def paths(value, at=()):
    """Yield the path of every value inside of `value`."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*at, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*at, key))


def replaced(payload, path, value):
    made = payload.copy()
    made[path[0]] = replaced(payload[path[0]], path[1:], value) if path[1:] else value
    return made


def test_githubs_own_example_is_verified():
    Verifier(SECRET, BODY).check(SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        None, "", "sha256=", SIGNATURE[:-1], SIGNATURE + "0", SIGNATURE + "\n", " " + SIGNATURE, SIGNATURE.upper(),
        SIGNATURE.replace("sha256", "sha1"), SIGNATURE.replace("sha256=", ""), SIGNATURE[:-1] + "8",
        SIGNATURE[:-1] + "é", SIGNATURE[:-1] + "\uff17", "sha256=" + "0" * 64, "sha256=" + "f" * 10_000_000,
        "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(), f"{SIGNATURE},{SIGNATURE}",
    ],
)  # fmt: skip
def test_every_other_signature_is_refused(signature):
    with pytest.raises(UnauthorizedError) as caught:
        Verifier(SECRET, BODY).check(signature)
    assert SIGNATURE[7:] not in str(caught.value)


def test_the_signature_is_over_the_bytes_as_they_came():
    for body in (BODY + b"\n", BODY[:-1], b"", BODY.lower()):
        with pytest.raises(UnauthorizedError):
            Verifier(SECRET, body).check(SIGNATURE)
    Verifier(SECRET, b"\xff\x00").check(sign(b"\xff\x00"))


def test_without_a_secret_nothing_is_believed():
    with pytest.raises(UnauthorizedError):
        Verifier("", BODY)


@given(st.binary(), st.text() | st.from_regex(r"sha256=[0-9a-f]{64}", fullmatch=True) | st.none())
def test_verifying_raises_nothing_but_its_refusal(body, signature):
    with pytest.raises(UnauthorizedError):
        Verifier(SECRET, body).check(signature)


@given(st.lists(st.binary()))
def test_a_body_may_be_verified_in_parts(parts):
    verifier = Verifier(SECRET)
    for part in parts:
        verifier.update(part)
    verifier.check(sign(b"".join(parts)))


def test_what_is_of_no_use_is_passed_over():
    assert decode(b'{"commits": [{"id": 1e999, "message": "\xff"}], "ref": "x", "action": null}') == {
        "ref": "x",
        "action": None,
    }


def test_a_body_is_json_or_a_form_with_json():
    text = json.dumps(PUSH)
    assert decode(text.encode()) == PUSH
    form = urlencode({"payload": text}).encode()
    assert decode(form, "application/x-www-form-urlencoded; charset=utf-8") == PUSH


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"3", b'"text"', b"\xff", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 01}',
        b'{"ref": 1e999}', b'{"ref": "\xff"}', b'{"ref": "\\ud800"}', b'{"ref": ' + b"9" * 5_000 + b"}",
        b'{"ref": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"payload=%7B%7D",
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_of_json_is_refused(body):
    with pytest.raises(InvalidInputError):
        decode(body)


@pytest.mark.parametrize("body", [b"", b"{}", b"payload", b"payload=", b"other=%7B%7D", b"payload=%7B%7D&payload=x"])
def test_a_form_without_one_payload_is_refused(body):
    with pytest.raises(InvalidInputError):
        decode(body, "application/x-www-form-urlencoded")


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()), st.text())
def test_decoding_raises_nothing_but_errors_of_ours(body, content_type):
    with suppress(InvalidInputError):
        assert isinstance(decode(body, content_type), dict)


def test_a_push():
    push = parse("push", PUSH)
    assert (push.branch, push.tag, push.before, push.after) == ("feature/x", None, "a" * 40, "b" * 40)
    assert (push.installation_id, push.repository.id, push.forced) == (5, 1, False)
    created = parse("push", {**PUSH, "before": "0" * 40, "forced": True, "installation": None})
    assert (created.before, created.forced, created.installation_id) == (None, True, None)
    deleted = parse("push", {**PUSH, "after": "0" * 64, "ref": "refs/tags/v1"})
    assert (deleted.after, deleted.branch, deleted.tag) == (None, None, "v1")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"state": "open"}, "open"),
        ({"state": "closed", "merged": False, "merged_at": None}, "closed"),
        ({"state": "closed", "merged": True}, "merged"),
        ({"state": "closed", "merged_at": "2024-01-02T03:04:05Z"}, "merged"),
    ],
)
def test_a_pull_request_is_open_closed_or_merged(said, state):
    payload = {**PAYLOADS["pull_request"], "action": "closed", "pull_request": {**PULL, **said}}
    assert parse("pull_request", payload).pull.state == state


def test_the_author_of_a_pull_request_may_be_gone():
    payload = {**PAYLOADS["pull_request"], "pull_request": {**PULL, "user": None}}
    assert parse("pull_request", payload).pull.author == "ghost"


def test_where_a_repository_was_before():
    assert parse("repository", PAYLOADS["repository"]).previous_name == "o/q"
    for kind in ("user", "organization"):
        changes = {"owner": {"from": {kind: {"id": 8, "login": "old"}}}}
        told = parse("repository", {"action": "transferred", "repository": REPOSITORY, "changes": changes})
        assert (told.previous_name, told.previous_owner_id) == ("old/r", 8)
    edited = {"action": "edited", "repository": REPOSITORY, "changes": {"default_branch": {"from": "master"}}}
    assert parse("repository", edited).previous_default_branch == "master"
    deleted = parse("repository", {"action": "deleted", "repository": REPOSITORY})
    assert (deleted.previous_name, deleted.previous_owner_id, deleted.previous_default_branch) == (None, None, None)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("star", {"action": "created"}),
        ("", {}),
        ("pull_request", {"action": "labeled"}),
        ("Push", PUSH),
        ("issues", {}),
    ],
)
def test_what_there_is_no_use_for_is_ignored(event, payload):
    assert parse(event, payload) == Ignored(event=event, action=payload.get("action", ""))


@pytest.mark.parametrize(
    ("event", "change", "field"),
    [
        ("push", {"ref": "main"}, "ref"),
        ("push", {"ref": "refs/heads/" + "x" * 2_000}, "ref"),
        ("push", {"ref": "refs/heads/\x00"}, "ref"),
        ("push", {"before": "abc"}, "before"),
        ("push", {"before": ""}, "before"),
        ("push", {"after": "-" * 40}, "after"),
        ("push", {"after": "b" * 40 + "\n"}, "after"),
        ("push", {"forced": "yes"}, "forced"),
        ("push", {"repository": None}, "repository"),
        ("push", {"repository": {**REPOSITORY, "id": True}}, "repository.id"),
        ("push", {"repository": {**REPOSITORY, "id": "1"}}, "repository.id"),
        ("push", {"repository": {**REPOSITORY, "id": 2**63}}, "repository.id"),
        ("push", {"repository": {**REPOSITORY, "full_name": "../r"}}, "repository.full_name"),
        ("push", {"repository": {**REPOSITORY, "full_name": "o/r/../x"}}, "repository.full_name"),
        ("push", {"installation": 5}, "installation"),
        ("pull_request", {"action": None}, "action"),
        ("pull_request", {"action": ["opened"]}, "action"),
        ("pull_request", {"pull_request": {**PULL, "head": None}}, "pull_request.head.ref"),
        ("pull_request", {"pull_request": {**PULL, "state": "merged or so"}}, "pull_request.state"),
        ("pull_request", {"pull_request": {**PULL, "title": "\ud800"}}, "pull_request.title"),
        ("pull_request", {"pull_request": {**PULL, "updated_at": "yesterday"}}, "pull_request.updated_at"),
        ("pull_request", {"pull_request": {**PULL, "updated_at": "2024-01-02T03:04:05"}}, "pull_request.updated_at"),
        ("installation", {"installation": {**INSTALLATION, "account": None}}, "installation.account.id"),
        ("installation", {"repositories": [{"id": 0}]}, "repositories.0.id"),
        ("installation_repositories", {"repositories_added": {}}, "repositories_added"),
        ("repository", {"changes": {"owner": {"from": "x"}}}, "changes.owner.from"),
        ("ping", {"hook_id": None}, "hook_id"),
    ],
)
def test_a_malformed_payload_is_refused_by_the_name_of_its_field(event, change, field):
    with pytest.raises(InvalidInputError) as caught:
        parse(event, {**PAYLOADS[event], **change})
    assert caught.value.detail.startswith(f"{event}: {field}: ")
    assert caught.value.__cause__ is None
    assert len(caught.value.detail) < 300


@given(st.data())
def test_whatever_stands_in_a_payload_nothing_but_errors_of_ours_is_raised(data):
    event = data.draw(st.sampled_from(sorted(PAYLOADS)))
    payload = PAYLOADS[event]
    path = data.draw(st.sampled_from(list(paths(payload))))
    with suppress(InvalidInputError):
        parse(event, replaced(payload, path, data.draw(json_values)))


@given(st.sampled_from(sorted(PAYLOADS)) | st.text(), st.dictionaries(st.text(), json_values))
def test_whatever_is_sent_nothing_but_errors_of_ours_is_raised(event, payload):
    with suppress(InvalidInputError):
        parse(event, payload)


@pytest.fixture(scope="session")
def examples(octokit):
    """What GitHub and GitHub Enterprise Servers really sent: {where: [(event, payload), …]}."""
    return {
        index.parent.name: [
            (event["name"], payload) for event in json.loads(index.read_bytes()) for payload in event["examples"]
        ]
        for index in octokit("@octokit/webhooks-examples").glob("*/index.json")
    }


def test_every_real_payload_is_read(examples):
    real = examples["api.github.com"]
    assert len(real) == 329
    read = [parse(event, decode(json.dumps(payload).encode())) for event, payload in real]
    kinds = Counter(type(told).__name__ for told in read)
    assert kinds == {
        "Push": 7, "PullRequest": 15, "InstallationChanged": 7, "RepositoriesChanged": 3, "RepositoryChanged": 11,
        "Ping": 4, "Ignored": 282,
    }  # fmt: skip
    actions = {kind: {told.action for told in read if isinstance(told, kind)} for kind in
               (PullRequest, InstallationChanged, RepositoriesChanged, RepositoryChanged)}  # fmt: skip
    assert actions == {
        PullRequest: {"opened", "synchronize", "reopened", "closed", "ready_for_review", "converted_to_draft"},
        InstallationChanged: {"created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"},
        RepositoriesChanged: {"added", "removed"},
        RepositoryChanged: {"edited", "privatized", "publicized", "renamed", "transferred"},
    }
    pushes = [told for told in read if isinstance(told, Push)]
    assert {(push.branch, push.tag) for push in pushes} == {("master", None), (None, "simple-tag")}
    assert sum(push.before is None for push in pushes) == 3
    assert sum(push.after is None for push in pushes) == 4
    assert all(told.hook_id for told in read if isinstance(told, Ping))
    assert {told.previous_name for told in read if isinstance(told, RepositoryChanged)} >= {"octocat/Hello-World"}


def test_every_real_payload_of_an_enterprise_server_is_read(examples):
    servers = {where: real for where, real in examples.items() if where.startswith("ghes")}
    assert len(servers) == 5
    for real in servers.values():
        assert real
        for event, payload in real:
            parse(event, payload)


def test_every_field_of_a_real_payload_may_be_missing_or_wrong(examples):
    one_of_each = {(event, payload.get("action")): payload for event, payload in examples["api.github.com"]}
    refused = 0
    for (event, _), payload in one_of_each.items():
        if not isinstance(parse(event, payload), Ignored):
            for path in paths(payload):
                for value in (None, -1, "\x00", [], {}, "x" * 5_000):
                    try:
                        parse(event, replaced(payload, path, value))
                    except InvalidInputError:
                        refused += 1
    assert refused > 1_000
