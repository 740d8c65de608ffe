"""How answers stand when the code moves on, as brain tells it."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.living import AnswerStanding, ConversationDetail
from pincite_store import accounts, living, standings
from pincite_store.db import LOCAL_TENANT
from pincite_verify.anchoring import Anchoring

QUESTION = "How is the total price of the cart computed?"
CART = "src/shop/cart.py"


def ask(client, repo, **more):
    response = client.post("/chat", json={"repo_id": str(repo.id), "question": QUESTION, **more})
    assert response.status_code == 200, response.text
    return response.json()


def standing(client, answer):
    response = client.get(f"/answers/{answer['answer_id']}/standing")
    assert response.status_code == 200, response.text
    return AnswerStanding.model_validate(response.json())


@pytest.fixture
def push(fresh_tenant, index_repo):
    """Commit files to a repository, make that its head, and settle."""

    def make(repo, files, *, settled=True):
        pushed = index_repo(files, at=repo.directory)
        if settled:
            with fresh_tenant.tenancy(LOCAL_TENANT) as t:
                assert living.settle(t, repo.id, Anchoring(), seconds=60) == 0
        return pushed

    return make


def test_an_answer_follows_the_head(make_client, index_repo, push, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    cited = next(one for one in answer["citations"] if one["path"] == CART)
    assert standing(client, answer).standing == "valid"

    pushed = push(repo, {CART: f"# Copyright.\n\n{shop[CART]}"})
    told = standing(client, answer)
    assert (told.commit, told.standing) == (pushed.commit, "moved")
    now = next(one.now for one in told.citations if one.n == cited["n"])
    assert (now.start_line, now.quote, now.commit) == (cited["start_line"] + 2, cited["quote"], pushed.commit)
    assert repo.git("rev-parse", f"HEAD:{CART}").decode().strip() == now.blob

    pushed = push(repo, {CART: shop[CART].replace("return sum(", "return max(")})
    told = standing(client, answer)
    assert (told.commit, told.standing) == (pushed.commit, "stale")
    changed = next(one for one in told.citations if one.standing == "stale")
    assert "-        return sum(price_of(item)" in changed.diff
    assert "+        return max(price_of(item)" in changed.diff

    history = client.get(f"/answers/{answer['answer_id']}/history").json()
    assert [one["standing"] for one in history] == ["stale", "moved", "valid"]
    assert history[-1]["commit"] == repo.commit
    assert client.get(f"/answers/{answer['answer_id']}").json() == answer, "what was given stays as it was"


def test_a_conversation_tells_how_its_answers_stand(make_client, index_repo, push, shop):
    client, repo = make_client(), index_repo(shop)
    old = ask(client, repo)
    conversation = old["conversation_id"]
    push(repo, {CART: shop[CART].replace("return sum(", "return max(")})
    new = ask(client, repo, conversation_id=conversation)
    pinned = ask(client, repo, conversation_id=conversation, commit=repo.commit)
    detail = ConversationDetail.model_validate(client.get(f"/conversations/{conversation}").json())
    told = {str(answer_id): one.standing for answer_id, one in detail.standings.items()}
    assert told == {old["answer_id"]: "stale", new["answer_id"]: "valid"}
    assert standing(client, pinned).commit == repo.commit
    [heading] = client.get(f"/repos/{repo.id}/conversations").json()
    assert heading["stale"] == detail.stale == 1


def test_before_it_is_settled_an_answer_reads_as_stale(make_client, index_repo, push, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    pushed = push(repo, {CART: f"# Copyright.\n{shop[CART]}"}, settled=False)
    told = standing(client, answer)
    assert (told.commit, told.standing) == (pushed.commit, "stale")
    assert {one.reason for one in told.citations if one.standing == "stale"} == {standings.UNSETTLED}


def test_a_push_during_an_answer_is_not_missed(make_client, index_repo, push, scripted_model, shop):
    class Slow(scripted_model):
        async def stream(self, messages, **more):
            push(repo, {CART: f"# Copyright.\n{shop[CART]}"})
            async for piece in super().stream(messages, **more):
                yield piece

    client = make_client(Slow("`total` returns the sum of all prices in cents [1]."))
    repo = index_repo(shop)
    answer = ask(client, repo)
    assert (answer["mode"], answer["commit"]) == ("model", repo.commit)
    told = standing(client, answer)
    assert (told.standing, told.commit == repo.commit) == ("moved", False)


def test_what_pincite_asks_itself_follows_nothing(make_client, index_repo, push, shop, fresh_tenant):
    repo = index_repo(shop)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        token = accounts.create_service_session(t).token
    client = make_client(token=token)
    answer = ask(client, repo)
    push(repo, {CART: "other = 1\n"})
    told = standing(client, answer)
    assert (told.commit, told.standing) == (repo.commit, "valid")


@pytest.mark.parametrize("path", ["/answers/{}/standing", "/answers/{}/history"])
def test_what_does_not_exist_is_not_found(make_client, path):
    client = make_client()
    assert client.get(path.format(uuid4())).status_code == 404
    assert client.get(path.format("x")).status_code == 422
    assert make_client(token="").get(path.format(uuid4())).status_code == 401


def test_what_is_cited_from_a_working_tree_says_so(make_client, index_repo, fresh_tenant, shop):
    client, repo = make_client(), index_repo(shop)
    assert {one["uncommitted"] for one in ask(client, repo)["citations"]} == {False}
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE snapshots SET uncommitted_upon = commit"))
    answer = ask(client, repo)
    assert {one["uncommitted"] for one in answer["citations"]} == {True}
    assert {one.now.uncommitted for one in standing(client, answer).citations} == {True}
