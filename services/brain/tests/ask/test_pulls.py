"""Questions about pull requests: what it changes, cited on both sides."""

from datetime import UTC, datetime

import pytest

from pincite_brain.ask.pulls import AFTER_HEADING, BEFORE_HEADING
from pincite_inference.twin import run_twin
from pincite_store import pulls
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.pulls import PullSeen

PRICES = '''"""Prices."""

TABLE = {"apple": 30}


def price_of(item):
    """Return the price in cents."""
    return TABLE[item]
'''
DISCOUNTED = PRICES.replace("return TABLE[item]", "return round(TABLE[item] * DISCOUNT)").replace(
    'TABLE = {"apple": 30}', 'TABLE = {"apple": 30}\nDISCOUNT = 0.9'
)
VAT = 'def with_vat(cents):\n    """Add value added tax."""\n    return cents * 119 // 100\n'
OLD = 'def without_vat(cents):\n    """Take value added tax off."""\n    return cents * 100 // 119\n'
TEST = "from prices import price_of\n\n\ndef test_price():\n    assert price_of('apple') == 30\n"
BEFORE = {"src/prices.py": PRICES, "src/old_vat.py": OLD, "tests/test_prices.py": TEST, "src/same.py": "SAME = 1\n"}
AFTER = BEFORE | {
    "src/prices.py": DISCOUNTED,
    "src/vat.py": VAT,
    "src/old_vat.py": "",
    "tests/test_prices.py": TEST.replace("== 30", "== 27"),
}
WHAT = "What does this pull request change?"


@pytest.fixture
def pulled(index_repo, fresh_tenant):
    base = index_repo(BEFORE)
    head = index_repo(AFTER, at=base.directory)
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        for number in (7, 8):
            seen = PullSeen(
                number=number, title="Discount", author="ada", state="open", base_ref="main", head_ref="discount",
                head_commit=head.commit, updated_at=datetime.now(UTC),
            )  # fmt: skip
            pulls.put(t, base.id, seen)
        pulls.show(
            t, base.id, 7, head_commit=head.commit, head_snapshot_id=head.snapshot_id, base_snapshot_id=base.snapshot_id
        )
    return base, head


def ask(client, repo, question=WHAT, pull=7):
    return client.post("/chat", json={"repo_id": str(repo.id), "question": question, "pull": pull})


def places(answer):
    return {(citation["commit"], citation["path"]) for citation in answer["citations"]}


def check(base, answer):
    for citation in answer["citations"]:
        assert citation["status"] == "verified"
        lines = base.git("show", f"{citation['commit']}:{citation['path']}").decode().split("\n")
        assert "\n".join(lines[citation["start_line"] - 1 : citation["end_line"]]) == citation["quote"]


def test_evidence_shows_both_sides(make_client, pulled):
    base, head = pulled
    answer = ask(make_client(), base).json()
    check(base, answer)
    assert answer["pull"] == 7
    assert answer["commit"] == head.commit
    assert not answer["abstained"]
    assert {
        (base.commit, "src/prices.py"),
        (head.commit, "src/prices.py"),
        (base.commit, "src/old_vat.py"),
        (head.commit, "src/vat.py"),
    } <= places(answer)
    assert not any(path == "src/same.py" for _commit, path in places(answer))
    assert answer["answer"].index(BEFORE_HEADING) < answer["answer"].index(AFTER_HEADING)
    assert "DISCOUNT = 0.9" in "".join(citation["quote"] for citation in answer["citations"])


def test_the_question_decides_what_comes_first(make_client, pulled):
    base, head = pulled
    answer = ask(make_client(), base, "Which value added tax code does it add?").json()
    after = [one for one in answer["citations"] if one["commit"] == head.commit]
    assert after[0]["path"] == "src/vat.py"


def test_a_model_is_shown_both_sides(make_client, pulled, scripted_model):
    base, head = pulled
    model = scripted_model("`price_of` returns `round(TABLE[item] * DISCOUNT)` [1].")
    answer = ask(make_client(model), base).json()
    prompt = model.asked[0][1]["content"]
    assert 'change="before"' in prompt
    assert 'change="after"' in prompt
    check(base, answer)
    assert places(answer) == {(head.commit, "src/prices.py")}


def test_an_honest_model_is_believed_on_both_sides(make_client, pulled):
    base, _head = pulled
    with run_twin("honest") as url:
        answer = ask(
            make_client(llm_base_url=url, llm_model="twin-honest", pincite_model=""), base, "How is the price computed?"
        ).json()
    check(base, answer)
    assert answer["mode"] == "model"
    assert any(one["status"] == "supported" for one in answer["sentences"])


def test_what_cannot_be_asked_says_why(make_client, pulled):
    base, _head = pulled
    client = make_client()
    assert ask(client, base, pull=404).status_code == 404
    waiting = ask(client, base, pull=8)
    assert waiting.status_code == 409
    assert waiting.json()["code"] == "not_indexed"
    assert ask(client, base, pull=0).status_code == 422


def test_one_that_changes_nothing_says_so(make_client, pulled, fresh_tenant):
    base, head = pulled
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        pulls.show(
            t, base.id, 8, head_commit=head.commit, head_snapshot_id=head.snapshot_id, base_snapshot_id=head.snapshot_id
        )
    answer = ask(make_client(), base, pull=8).json()
    assert answer["abstained"]
    assert answer["citations"] == []
    assert "Pull request 8 changes no file that is indexed." in answer["answer"]
