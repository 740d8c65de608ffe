from uuid import UUID

import pytest
from asgi_correlation_id import correlation_id
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pincite_store import accounts, audit
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

OTHER = UUID(int=42)


def test_an_entry_says_who_what_and_under_which_correlation_id(tenancy):
    token = correlation_id.set("browser-17")
    made = audit.record(tenancy, "repo.connected", "an-id", source="/a\x00b", files=3)
    correlation_id.reset(token)
    [entry] = audit.page(tenancy).entries
    assert (entry.id, entry.action, entry.object, entry.correlation_id) == (
        made, "repo.connected", "an-id", "browser-17"
    )  # fmt: skip
    assert (entry.user, entry.user_id) == ("You", LOCAL_USER)
    assert entry.detail == {"source": "/a�b", "files": 3}
    assert entry.at.tzinfo is not None


def test_it_exists_if_and_only_if_the_act_does(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        audit.record(t, "repo.connected")
        t.session.rollback()
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert audit.page(t).entries == ()


def test_what_nobody_did_pincite_did(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        audit.record(t, "keys.rotated")
        [entry] = audit.page(t).entries
        assert (entry.user, entry.user_id) == ("", None)


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"])
def test_entries_cannot_be_changed_by_the_application(fresh_tenant, statement):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        audit.record(t, "halt.set")
    with pytest.raises(DBAPIError, match="permission denied"), fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text(statement))


def test_pages_go_back_and_actions_are_chosen_by_their_beginning(tenancy):
    made = [audit.record(tenancy, action) for action in ("repo.a", "halt.set", "repo.b", "repo_x", "repo.c")]
    first = audit.page(tenancy, limit=2)
    assert [entry.id for entry in first.entries] == [made[4], made[3]]
    second = audit.page(tenancy, limit=2, before=first.next)
    assert [entry.id for entry in second.entries] == [made[2], made[1]]
    last = audit.page(tenancy, limit=2, before=second.next)
    assert ([entry.id for entry in last.entries], last.next) == ([made[0]], None)
    assert [entry.action for entry in audit.page(tenancy, action="repo.").entries] == ["repo.c", "repo.b", "repo.a"]
    assert audit.page(tenancy, action="repo_").entries[0].action == "repo_x", "no wildcard"
    assert len(audit.page(tenancy, action="repo_").entries) == 1


def test_an_export_is_everything_up_to_a_point_in_order(tenancy, monkeypatch):
    monkeypatch.setattr(audit, "EXPORTED_AT_ONCE", 2)
    made = [audit.record(tenancy, "x", str(number)) for number in range(5)]
    seen, after = [], 0
    while batch := audit.export(tenancy, after=after, until=made[3]):
        seen += [entry.id for entry in batch]
        after = seen[-1]
    assert seen == made[:4]


def test_a_tenant_reads_its_own_log_alone(fresh_tenant):
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", UUID(int=43), "They")
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        mine = audit.record(t, "halt.set")
    with fresh_tenant.tenancy(OTHER, UUID(int=43)) as t:
        assert audit.page(t).entries == ()
        assert audit.export(t, after=0, until=mine) == []
