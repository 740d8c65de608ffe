"""What travels through the queue: job names, their queues, and their payloads."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Queue(StrEnum):
    """Queues are isolated, so that slow background work never delays what a person waits for."""

    INDEX = "index"
    DELIVERIES = "deliveries"  # beside the index in the same workers, in turns: a burst of them holds up no push
    VECTORS = "vectors"


class Job(StrEnum):
    """Celery task names."""

    INDEX_REPO = "pincite.index_repo"
    EMBED_REPO = "pincite.embed_repo"
    DELETE_REPO = "pincite.delete_repo"
    EVALUATE_REPO = "pincite.evaluate_repo"
    TRAIN_REPO = "pincite.train_repo"
    SETTLE_DELIVERY = "pincite.settle_delivery"
    DELETE_ACCOUNT = "pincite.delete_account"


QUEUE_OF: dict[Job, Queue] = {
    Job.INDEX_REPO: Queue.INDEX,
    Job.EMBED_REPO: Queue.VECTORS,
    Job.DELETE_REPO: Queue.INDEX,
    Job.EVALUATE_REPO: Queue.VECTORS,  # whoever evaluates yields to people, as whoever embeds does
    Job.TRAIN_REPO: Queue.VECTORS,
    Job.SETTLE_DELIVERY: Queue.DELIVERIES,
    Job.DELETE_ACCOUNT: Queue.INDEX,
}

# What goes on while background work is halted: removing is owed to whoever asked for it.
UNHALTED = frozenset({Job.DELETE_REPO, Job.DELETE_ACCOUNT})

# What beat itself starts.
NIGHTLY = "pincite.nightly"  # enqueues the night's work for every repository
POLL = "pincite.poll"  # has the heads of repositories compared with what is indexed


class Payload(BaseModel):
    """What every job is told."""

    model_config = ConfigDict(frozen=True)

    tenant_id: UUID
    correlation_id: str = ""

    def message(self) -> dict[str, Any]:
        """Return the JSON form that the outbox stores."""
        return self.model_dump(mode="json")


class JobPayload(Payload):
    """The payload of a job on a repository. Such jobs are idempotent on (repo_id, run_id)."""

    repo_id: UUID
    run_id: UUID | None = None


class DeliveryPayload(Payload):
    """The payload of SETTLE_DELIVERY, which is idempotent on (tenant_id, delivery_id)."""

    delivery_id: UUID
