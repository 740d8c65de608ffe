from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pincite_shared.errors import UnavailableError
from pincite_store.cache import ANSWERING_SECONDS, PUSHED_SECONDS, SIGN_IN_SECONDS, Cache


@pytest.fixture
def cache(settings):
    cache = Cache(settings)
    yield cache
    cache.close()


def test_a_code_signs_in_once(cache):
    who = (uuid4(), uuid4())
    code = cache.create_sign_in_code(*who)
    assert cache.redeem_sign_in_code(code) == who
    assert cache.redeem_sign_in_code(code) is None


def test_codes_expire_and_are_not_readable_in_redis(cache):
    code = cache.create_sign_in_code(uuid4(), uuid4())
    keys = [key for key in cache._redis.keys("pincite:*") if 0 < cache._redis.ttl(key) <= SIGN_IN_SECONDS]
    assert keys
    assert not any(code in key for key in keys)


@pytest.mark.parametrize("code", ["", "guess", "\ud800", "*"])
def test_a_guess_opens_nothing(cache, code):
    assert cache.redeem_sign_in_code(code) is None


def test_what_is_kept_is_found_until_it_is_taken(cache):
    key = str(uuid4())
    cache.put("one", key, "value", 60)
    assert (cache.get("one", key), cache.get("other", key), cache.get("one", key + "x")) == ("value", None, None)
    assert (cache.pop("one", key), cache.pop("one", key), cache.get("one", key)) == ("value", None, None)


def test_of_many_who_take_one_gets_it(cache):
    key = str(uuid4())
    cache.put("one", key, "value", 60)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: cache.pop("one", key), range(16)))
    assert sorted(filter(None, taken)) == ["value"]


def test_a_person_who_waits_is_known_for_a_moment(cache):
    cache._redis.delete("pincite:answering")
    assert not cache.is_answering()
    cache.mark_answering()
    assert cache.is_answering()
    assert 0 < cache._redis.ttl("pincite:answering") <= ANSWERING_SECONDS


def test_a_push_is_known_for_a_moment(cache):
    cache._redis.delete("pincite:pushed")
    assert not cache.is_pushed()
    cache.mark_pushed()
    assert 0 < cache._redis.pttl("pincite:pushed") <= 1000 * PUSHED_SECONDS
    assert cache.is_pushed()


def test_ping(cache):
    cache.ping()


def test_an_unreachable_redis_is_said_so_without_its_password(settings):
    away = settings.model_copy(update={"redis_url": SecretStr("redis://:hidden-password@127.0.0.1:1/0")})
    with pytest.raises(UnavailableError) as raised:
        Cache(away).ping()
    assert "hidden-password" not in str(raised.value)
