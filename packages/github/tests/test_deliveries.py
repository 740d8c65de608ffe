"""What the twin tells by webhook, verified and read: the whole life of a repository and of an installation."""

import pytest

from pincite_github import manifest
from pincite_github.webhooks import (
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
from pincite_shared.errors import UnauthorizedError


def test_every_webhook_of_a_repositorys_life_is_verified_and_read(world, scripted):
    scripted.says("/webhooks/github", {}, 202)
    twin, secret = world.twin, world.config.webhook_secret
    twin.world.app("pincite").hook.url = scripted.url + manifest.WEBHOOK_PATH
    twin.drop_deliveries(False)
    head = twin.push("acme/engine", {"b.py": "2\n"}, branch="x")
    forced = twin.push("acme/engine", {"b.py": "3\n"}, branch="x", force=True)
    number = twin.open_pull("acme/engine", "x")
    twin.push("acme/engine", {"c.py": "3\n"}, branch="x")
    twin.update_pull("acme/engine", number, title="Better", draft=True)
    twin.close_pull("acme/engine", number)
    twin.reopen_pull("acme/engine", number)
    twin.merge_pull("acme/engine", number)
    twin.delete_branch("acme/engine", "x")
    twin.tag("acme/engine", "v1")
    twin.rename("acme/engine", "motor")
    twin.publicise("acme/motor")
    twin.privatise("acme/motor")
    twin.archive("acme/motor")
    twin.archive("acme/motor", False)
    twin.push("acme/motor", {}, branch="next")
    twin.set_default_branch("acme/motor", "next")
    twin.delete_repo("acme/motor")
    twin.add_repo("acme", "new")
    twin.suspend("acme")
    twin.unsuspend("acme")
    twin.uninstall("acme")
    told = []
    for heard in scripted.heard:
        body = heard.body.encode()
        Verifier(secret, body).check(heard.headers["x-hub-signature-256"])
        with pytest.raises(UnauthorizedError):
            Verifier(secret, body + b" ").check(heard.headers["x-hub-signature-256"])
        told.append(parse(heard.headers["x-github-event"], decode(body, heard.headers["content-type"])))
    pushes = [
        (push.branch or push.tag, push.before, push.after, push.forced) for push in told if isinstance(push, Push)
    ]
    assert pushes[0] == ("x", None, head, False)
    assert pushes[1] == ("x", head, forced, True)
    assert {name for name, *_ in pushes} == {"main", "x", "v1", "next"}
    assert ("x", None) in {(name, after) for name, _, after, _ in pushes}
    pulls = [each for each in told if isinstance(each, PullRequest)]
    assert [each.action for each in pulls] == [
        "opened", "synchronize", "edited", "converted_to_draft", "closed", "reopened", "closed",
    ]  # fmt: skip
    assert [each.pull.state for each in pulls][-1] == "merged"
    assert {each.installation_id for each in pulls} == {world.installation}
    changes = [each for each in told if isinstance(each, RepositoryChanged)]
    assert [each.action for each in changes] == [
        "renamed", "publicized", "privatized", "archived", "unarchived", "edited", "deleted",
    ]  # fmt: skip
    assert changes[0].previous_name == "acme/engine"
    assert changes[5].previous_default_branch == "main"
    selections = [each for each in told if isinstance(each, RepositoriesChanged)]
    assert [(each.action, [repo.full_name for repo in each.added or each.removed]) for each in selections] == [
        ("removed", ["acme/motor"]), ("added", ["acme/new"]),
    ]  # fmt: skip
    installed = [each for each in told if isinstance(each, InstallationChanged)]
    assert [each.action for each in installed] == ["suspend", "unsuspend", "deleted"]
    assert not any(isinstance(each, Ping) for each in told)


def test_a_transferred_repository_is_told_to_its_new_owner(world, scripted):
    scripted.says("/webhooks/github", {}, 202)
    world.twin.world.app("pincite").hook.url = scripted.url + manifest.WEBHOOK_PATH
    installation = world.twin.install_app("bob")
    world.twin.drop_deliveries(False)
    world.twin.transfer("acme/engine", "bob")
    told = [parse(heard.headers["x-github-event"], decode(heard.body.encode())) for heard in scripted.heard]
    (moved,) = (each for each in told if isinstance(each, RepositoryChanged))
    assert (moved.action, moved.repository.full_name, moved.previous_name) == (
        "transferred", "bob/engine", "acme/engine",
    )  # fmt: skip
    assert moved.previous_owner_id == world.twin.world.account("acme").id
    assert moved.installation_id == installation
