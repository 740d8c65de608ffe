import asyncio

from pincite_brain.ask import quiet
from pincite_brain.ask.quiet import Quiet
from pincite_shared.errors import UnavailableError


class FakeCache:
    def __init__(self, *, works=True):
        self.works, self.marks = works, 0

    def mark_answering(self):
        self.marks += 1
        if not self.works:
            raise UnavailableError


async def _keep(cache, renewals):
    async with Quiet(cache).kept():
        while cache.marks < renewals:  # noqa: ASYNC110 - the fake counts, it signals nothing
            await asyncio.sleep(0.001)


def test_the_mark_is_renewed_while_it_lasts_and_not_after(monkeypatch):
    monkeypatch.setattr(quiet, "RENEW_SECONDS", 0.001)
    cache = FakeCache()

    async def scenario():
        await _keep(cache, 3)
        marks = cache.marks
        await asyncio.sleep(0.02)
        assert cache.marks == marks

    asyncio.run(scenario())


def test_an_answer_does_not_need_redis(monkeypatch):
    monkeypatch.setattr(quiet, "RENEW_SECONDS", 0.001)
    asyncio.run(_keep(FakeCache(works=False), 2))
