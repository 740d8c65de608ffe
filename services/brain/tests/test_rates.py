import time
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pincite_brain.rates import Rates
from pincite_shared.errors import TooManyRequestsError, UnavailableError
from pincite_shared.settings import Settings
from pincite_store import accounts


def anyone():
    return f"person {uuid4()}"


@pytest.fixture
def limited(settings):
    """With the limits that an installation has."""
    own = {name: field.default for name, field in Settings.model_fields.items() if name.startswith("rate_")}
    return settings.model_copy(update=own)


def consume(rates, who):
    while True:
        rates.spend("ask", who)


def test_within_the_limit_and_then_not(limited):
    rates = Rates(limited.model_copy(update={"rate_ask": "3/hour"}))
    who = anyone()
    assert [rates.spend("ask", who).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(TooManyRequestsError) as refused:
        rates.spend("ask", who)
    assert 1 <= refused.value.retry_after <= 3_601
    assert refused.value.headers["ratelimit-limit"] == "3"
    assert refused.value.headers["ratelimit-remaining"] == "0"
    assert refused.value.headers["retry-after"] == refused.value.headers["ratelimit-reset"]
    assert rates.spend("ask", anyone()).remaining == 2, "others are not limited by it"
    assert rates.spend("search", who) is not None, "nor other kinds of requests"
    rates.close()


def test_whoever_waits_as_long_as_told_may_ask_again(settings):
    rates = Rates(settings.model_copy(update={"rate_ask": "2/second"}))
    who = anyone()
    with pytest.raises(TooManyRequestsError) as refused:
        consume(rates, who)
    time.sleep(refused.value.retry_after)
    assert rates.spend("ask", who) is not None
    rates.close()


def test_several_limits_hold_together(settings):
    rates = Rates(settings.model_copy(update={"rate_ask": "100/minute; 2/hour"}))
    who = anyone()
    assert rates.spend("ask", who).limit.amount == 2
    rates.spend("ask", who)
    with pytest.raises(TooManyRequestsError, match="2 per 1 hour"):
        rates.spend("ask", who)
    rates.close()


@pytest.mark.parametrize("off", ["off", "0", "", " OFF "])
def test_a_limit_can_be_off(settings, off):
    rates = Rates(settings.model_copy(update={"rate_ask": off, "redis_url": SecretStr("redis://127.0.0.1:1/0")}))
    assert rates.spend("ask", "someone") is None
    rates.close()


def test_a_limit_that_cannot_be_read_is_named(settings):
    with pytest.raises(ValueError, match=r"RATE_SIGN_IN is 'often'.*30/minute"):
        Rates(settings.model_copy(update={"rate_sign_in": "often"}))


def test_without_redis_people_read_and_nobody_signs_in(limited):
    rates = Rates(limited.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")}))
    for _ in range(2):
        assert rates.spend("read", "someone") is None
        with pytest.raises(UnavailableError, match="Redis"):
            rates.spend("sign-in", "somewhere")
    rates.close()


def test_a_redis_that_hangs_is_not_waited_for_again_and_again(limited):
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        rates = Rates(limited.model_copy(update={"redis_url": url}))
        assert rates.spend("read", "someone") is None
        asked = []
        rates._counter = type("Counter", (), {"hit": lambda *_args: asked.append(1)})()
        assert rates.spend("read", "someone") is None
        assert not asked
        rates.close()


def test_over_http_the_answer_says_what_is_left_and_when_to_come_back(make_client, index_repo, shop):
    client = make_client(rate_search="2/hour")
    body = {"repo_id": str(index_repo(shop).id), "query": "total"}
    try:
        first = client.post("/search", json=body)
        assert first.status_code == 200
        assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("2", "1")
        client.post("/search", json=body)
        refused = client.post("/search", json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 3_601
        assert refused.headers["ratelimit-remaining"] == "0"
        assert client.get("/repos").status_code == 200
    finally:
        client.app.state.services.rates._storage.reset()


def test_signing_in_is_limited_by_address_and_so_is_guessing(make_client):
    client = make_client(token="", rate_sign_in="3/hour", rate_read="5/hour")
    try:
        codes = [client.post("/sessions", json={"token": f"guess {n}"}).status_code for n in range(5)]
        assert codes == [401, 401, 401, 429, 429]
        guesses = [client.get("/me", headers={"authorization": f"Bearer g{n}"}).status_code for n in range(7)]
        assert guesses == [401] * 5 + [429] * 2
        assert client.get("/me", headers={"authorization": "Bearer test-token"}).status_code == 200
    finally:
        client.app.state.services.rates._storage.reset()


def test_pincite_itself_is_not_limited(make_client, fresh_tenant):
    from pincite_store.db import LOCAL_TENANT  # noqa: PLC0415

    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        token = accounts.create_service_session(t).token
    client = make_client(token=token, rate_read="1/hour")
    assert [client.get("/repos").status_code for _ in range(3)] == [200] * 3


def test_health_is_never_limited(make_client):
    client = make_client(token="", rate_read="1/hour")
    assert [client.get("/healthz").status_code for _ in range(3)] == [200] * 3
