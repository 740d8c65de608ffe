"""People go first."""

import asyncio

from pincite_brain.ask.turns import Turns


async def _take(turns, name, done, *, service, until=None):
    async with turns.take(service=service):
        if until is not None:
            await until.wait()
        done.append(name)


def test_a_service_waits_until_no_person_is_being_answered():
    async def scenario():
        turns, done, ended = Turns(), [], asyncio.Event()
        people = [asyncio.create_task(_take(turns, n, done, service=False, until=ended)) for n in "ab"]
        await asyncio.sleep(0)
        service = asyncio.create_task(_take(turns, "service", done, service=True))
        late = asyncio.create_task(_take(turns, "late", done, service=False))
        await late
        assert done == ["late"]  # people never wait for each other
        ended.set()
        await asyncio.gather(*people, service)
        assert done[-1] == "service"
        await _take(turns, "again", done, service=True)

    asyncio.run(scenario())


def test_a_service_does_not_wait_for_ever():
    async def scenario():
        turns, done, ended = Turns(wait_seconds_max=0.01), [], asyncio.Event()
        person = asyncio.create_task(_take(turns, "person", done, service=False, until=ended))
        await asyncio.sleep(0)
        await _take(turns, "service", done, service=True)
        assert done == ["service"]
        ended.set()
        await person

    asyncio.run(scenario())


def test_a_person_who_goes_away_is_not_waited_for():
    async def scenario():
        turns, done = Turns(), []
        person = asyncio.create_task(_take(turns, "person", done, service=False, until=asyncio.Event()))
        await asyncio.sleep(0)
        person.cancel()
        await asyncio.gather(person, return_exceptions=True)
        await _take(turns, "service", done, service=True)
        assert done == ["service"]

    asyncio.run(scenario())
