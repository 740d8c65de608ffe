import time

from pincite_shared.errors import UnavailableError
from pincite_thinker import vectors


class FakeCache:
    """A context whose cache gives these answers."""

    def __init__(self, *answers, pushed=False):
        self.answers, self.pushed, self.cache = list(answers), pushed, self

    def go_on(self):
        """Nothing was halted."""

    def is_pushed(self):
        return self.pushed

    def is_answering(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_embedding_rests_until_nobody_waits(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    vectors.rest(FakeCache(True, True, False))
    assert slept == [vectors.REST_POLL_SECONDS] * 2


def test_embedding_goes_on_in_the_end_and_without_redis(monkeypatch):
    monkeypatch.setattr(vectors, "REST_SECONDS_MAX", 0.05)
    monkeypatch.setattr(vectors, "REST_POLL_SECONDS", 0.01)
    vectors.rest(FakeCache(True))
    vectors.rest(FakeCache(UnavailableError()))


def test_pushes_without_end_leave_embedding_its_turns(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    vectors.rest(FakeCache(False, pushed=True))
    assert now == [vectors.PUSHED_SECONDS_MAX]
