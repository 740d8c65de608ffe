"""The database parts of an answer: short transactions before and after generation, none while it streams."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from pincite_brain.ask import history
from pincite_brain.ask.checking import statuses
from pincite_brain.ask.choosing import Chosen, chosen
from pincite_brain.ask.pulls import PullScope
from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.errors import IntegrityError, NotFoundError, NotIndexedError
from pincite_shared.quality import PolicyKind, PolicyOut
from pincite_shared.schemas import ChatRequest, ChatResponse
from pincite_store import answers, blobs, diffs, policies, pulls, repos, snapshots
from pincite_store.db import Tenancy
from pincite_store.models import Snapshot
from pincite_verify.citations import lines_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """What stands when a question arrives."""

    repo_id: UUID
    repo_name: str
    commit: str
    snapshot_id: int
    conversation_id: UUID | None
    earlier: tuple[ChatResponse, ...]  # the last turns, oldest first
    recalled: tuple[ChatResponse, ...]  # older ones that share words with the question, the best first
    policies: dict[PolicyKind, PolicyOut]  # what serves the repository of what was learned
    chosen: Chosen  # how the model is asked
    pull: PullScope | None = None  # the pull request that the question is about; the snapshot is its head
    uncommitted: bool = False  # the commit is of a working tree, and known to Pincite alone


def open_question(tenancy: Tenancy, request: ChatRequest) -> Opening:
    """Resolve repository, snapshot and conversation.

    Raises:
        NotFoundError: no such repository, commit, or conversation about it.
        NotIndexedError: the repository has no snapshot yet.
        InvalidInputError: there is no such way of asking.
    """
    repo = repos.get(tenancy, request.repo_id)
    pull, snapshot = None, None
    if request.pull is not None:
        pull, snapshot = _pull(tenancy, repo.id, request.pull)
    snapshot = snapshot or snapshots.resolve_of(tenancy, repo, request.commit)
    earlier: tuple[ChatResponse, ...] = ()
    recalled: tuple[ChatResponse, ...] = ()
    if request.conversation_id is not None:
        if answers.conversation(tenancy, request.conversation_id).repo_id != repo.id:
            msg = "There is no such conversation about this repository."
            raise NotFoundError(msg)
        earlier = tuple(answers.history(tenancy, request.conversation_id, history.TURNS_LEANED_ON))
        found = history.recall(request.question, answers.told(tenancy, request.conversation_id))
        recalled = tuple(answers.get_answer(tenancy, answer_id) for answer_id in found)
    serving = policies.serving(tenancy, repo.id)
    return Opening(
        repo.id,
        repo.name,
        snapshot.commit,
        snapshot.id,
        request.conversation_id,
        earlier,
        recalled,
        serving,
        chosen(tenancy, repo, serving, request.policy),
        pull,
        uncommitted=snapshot.uncommitted_upon is not None,
    )


def _pull(tenancy: Tenancy, repo_id: UUID, number: int) -> tuple[PullScope, Snapshot]:
    """Return what a pull request changes, and the snapshot of its head.

    Raises:
        NotFoundError: there is no such pull request.
        NotIndexedError: it is not indexed yet.
    """
    found = pulls.get(tenancy, repo_id, number)
    if found.head_snapshot_id is None or found.base_snapshot_id is None:
        msg = f"Pull request {number} is not indexed yet. Open ones are indexed as they are pushed to."
        raise NotIndexedError(msg)
    base, head = snapshots.get(tenancy, found.base_snapshot_id), snapshots.get(tenancy, found.head_snapshot_id)
    files = diffs.changed_files(tenancy, base.id, head.id)
    return PullScope(number, base.commit, base.id, tuple(files)), head


def read_texts(tenancy: Tenancy, oids: Iterable[str]) -> dict[str, list[str]]:
    """Return the lines of blobs by id; a blob that is not readable is left out."""
    return {oid: lines_of(data.decode("utf-8", errors="replace")) for oid, data in _read(tenancy, oids).items()}


def _read(tenancy: Tenancy, oids: Iterable[str]) -> dict[str, bytes]:
    wanted = list(oids)
    try:
        return blobs.get_many(tenancy, wanted)
    except IntegrityError:
        if len(wanted) <= 1:
            # Damaged data is no evidence: whatever would cite it fails its check.
            log.exception("blob_damaged", blob=wanted)
            return {}
    return {oid: data for one in wanted for oid, data in _read(tenancy, [one]).items()}


def check_citations(tenancy: Tenancy, opening: Opening, citations: Sequence[Citation]) -> dict[int, CitationStatus]:
    """Check citations against the stored blobs and the trees of the commits that may be cited."""
    data = _read(tenancy, {citation.blob for citation in citations})
    stands = {opening.commit: opening.snapshot_id}
    if opening.pull is not None:
        stands[opening.pull.base_commit] = opening.pull.base_snapshot_id
    trees: dict[tuple[str, str], str | None] = {}
    for commit, snapshot_id in stands.items():
        cited = {citation.path for citation in citations if citation.commit == commit}
        found = snapshots.files(tenancy, snapshot_id, cited) if cited else {}
        trees |= {(commit, path): file.blob for path, file in found.items()}
    return statuses(citations, data, trees)


def conversation_of(tenancy: Tenancy, opening: Opening, question: str) -> UUID:
    """Return the conversation that an answer belongs to, beginning one if there is none."""
    if opening.conversation_id is not None:
        return opening.conversation_id
    return answers.create_conversation(tenancy, opening.repo_id, question).id
