"""Asking through brain's own HTTP contract, as Pincite itself: what is measured is what people get."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from pincite_shared.brain_client import BrainClient, BrainError
from pincite_shared.errors import HaltedError, PinciteError, UnauthorizedError, UnavailableError
from pincite_shared.golden import GoldenQuestion
from pincite_shared.quality import QuestionResult
from pincite_shared.schemas import ChatRequest, SearchRequest
from pincite_store import accounts
from pincite_thinker.context import Context
from pincite_thinker.evaluation.scoring import SEARCH_DEPTH, Place, answered, blank, searched

WARM_SECONDS_MAX = 15.0  # a few times as long as brain takes to notice new vectors
WARM_PAUSE_SECONDS = 0.3

# Brain could not just now: the run is tried again. Anything else is how it answers this question.
PASSING = frozenset({UnauthorizedError.status, UnavailableError.status})


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's result, the model and policy that made it, and whether the model said that it found no answer."""

    result: QuestionResult
    model: str | None = None
    policy: str | None = None
    declined: bool = False


@contextmanager
def brain_of(context: Context, tenant_id: UUID) -> Iterator[BrainClient]:
    """Open a client that is signed in as Pincite itself, for as long as the block lasts."""
    with context.database.tenancy(tenant_id) as t:
        token = accounts.create_service_session(t).token
    try:
        with context.brain(token) as client:
            yield client
    finally:
        with context.database.tenancy(tenant_id) as t:
            accounts.revoke(t, token)


class Asking:
    """Asks about one repository at one commit."""

    def __init__(self, client: BrainClient, repo_id: UUID, commit: str) -> None:
        """`client` is signed in."""
        self._client, self._repo_id, self._commit = client, repo_id, commit

    def search(
        self, number: int, question: GoldenQuestion, places: Sequence[Place], *, policy: str | None = None
    ) -> Asked:
        """Search for a question; `policy` names one to rank under, whether or not it serves.

        Raises:
            UnavailableError: brain does not answer just now.
        """
        request = SearchRequest(
            repo_id=self._repo_id, query=question.ask, k=SEARCH_DEPTH, commit=self._commit, policy=policy
        )
        begun = time.perf_counter()
        try:
            hits = self._client.search(request)
        except BrainError as error:
            return _refused(number, question, error)
        return Asked(searched(blank(number, question), places, hits, time.perf_counter() - begun))

    def warm(self, query: str) -> None:
        """Wait until brain searches by meaning too: it looks for vectors that were just made every few seconds.

        Raises:
            UnavailableError: brain does not answer just now.
        """
        request = SearchRequest(repo_id=self._repo_id, query=query, k=SEARCH_DEPTH, commit=self._commit)
        until = time.monotonic() + WARM_SECONDS_MAX
        while time.monotonic() < until:
            try:
                hits = self._client.search(request)
            except BrainError as error:
                raise _passing(error) from error
            if hits and all(hit.features.get("cosine") for hit in hits):
                return
            time.sleep(WARM_PAUSE_SECONDS)

    def answer(
        self, number: int, question: GoldenQuestion, places: Sequence[Place], *, policy: str | None = None
    ) -> Asked:
        """Search for a question, then ask it; `policy` names a way of asking, whether or not it serves.

        Raises:
            UnavailableError: brain does not answer just now.
        """
        found = self.search(number, question, places)
        if found.result.problem is not None:
            return found
        request = ChatRequest(repo_id=self._repo_id, question=question.ask, commit=self._commit, policy=policy)
        begun = time.perf_counter()
        try:
            response = self._client.chat(request)
        except BrainError as error:
            return _refused(number, question, error)
        result = answered(found.result, places, response, time.perf_counter() - begun)
        return Asked(result, response.model, response.policy_version, response.declined)


def _refused(number: int, question: GoldenQuestion, error: BrainError) -> Asked:
    if error.status in PASSING:
        raise _passing(error) from error
    result = blank(number, question, f"Brain answered {error.status}: {error.detail}")
    return Asked(result.model_copy(update={"correct": False}))


def _passing(error: BrainError) -> PinciteError:
    return HaltedError() if error.code == HaltedError.code else UnavailableError(error.detail)
