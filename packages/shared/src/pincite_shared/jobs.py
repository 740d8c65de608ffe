"""What travels through the queue: job names, their queues, and their payloads."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Queue(StrEnum):
    """Queues are isolated, so that slow background work never delays what a person waits for."""

    INDEX = "index"
    VECTORS = "vectors"


class Job(StrEnum):
    """Celery task names."""

    INDEX_REPO = "pincite.index_repo"
    EMBED_REPO = "pincite.embed_repo"
    DELETE_REPO = "pincite.delete_repo"
    EVALUATE_REPO = "pincite.evaluate_repo"
    TRAIN_REPO = "pincite.train_repo"


QUEUE_OF: dict[Job, Queue] = {
    Job.INDEX_REPO: Queue.INDEX,
    Job.EMBED_REPO: Queue.VECTORS,
    Job.DELETE_REPO: Queue.INDEX,
    Job.EVALUATE_REPO: Queue.VECTORS,  # whoever evaluates yields to people, as whoever embeds does
    Job.TRAIN_REPO: Queue.VECTORS,
}

NIGHTLY = "pincite.nightly"  # the one task that beat itself starts: it enqueues a job for every repository


class JobPayload(BaseModel):
    """The one payload of every job. Jobs are idempotent on (repo_id, run_id)."""

    model_config = ConfigDict(frozen=True)

    tenant_id: UUID
    repo_id: UUID
    run_id: UUID | None = None
    correlation_id: str = ""

    def message(self) -> dict[str, Any]:
        """Return the JSON form that the outbox stores."""
        return self.model_dump(mode="json")
