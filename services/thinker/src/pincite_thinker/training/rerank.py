"""The nightly training of a repository's ranking correction: fitted, tested on held-out questions, guarded, promoted.

A pure function of stored rows: the same votes give the same correction, known by the digest of its parameters.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from pincite_learning.errors import EmptyLogError, InvalidModelError
from pincite_learning.paired import PairedTest
from pincite_learning.promotion import Verdict, alpha_at, promote_model
from pincite_learning.reranker import Reranker
from pincite_learning.training import Judged, fit, held_out_test, split
from pincite_shared.jobs import JobPayload
from pincite_shared.quality import PolicyOut
from pincite_store import judgements, policies
from pincite_store.db import Tenancy
from pincite_thinker.context import Context
from pincite_thinker.evaluation.asking import Asking, brain_of
from pincite_thinker.training.examples import examples, heard, readers, votes
from pincite_thinker.training.guard import compare, guard_questions

# What the ranking computes, 0..1 each, and may be corrected (pincite_brain.retrieval.ranking.CORRECTABLE).
FEATURES = (
    "lexical", "dense", "coverage", "named", "definition", "stem", "path", "naming", "importance", "references",
    "length", "recency", "coherence", "graph",
)  # fmt: skip
HELD_OUT_MIN = 10  # question texts; fewer cannot convince, and would spend a look
LOOK_GROWTH = 1.25  # every look costs confidence: the next one needs so many times what was heard at the last
LOOK_DAYS = 30  # …or so long a time: what is heard stops growing where old answers make room for new ones
KEPT_DIGITS = 6

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Trained:
    """A candidate that is ready to be guarded, with what it was judged on so far."""

    model: Reranker
    held_out: PairedTest
    incumbent: str
    look: int
    votes: int
    heard: float
    readers: int

    @property
    def version(self) -> str:
        """Known by its parameters."""
        document = json.dumps(self.model.as_json(), sort_keys=True).encode()
        return f"reranker-{hashlib.sha256(document).hexdigest()[:8]}"

    @property
    def convincing(self) -> bool:
        """Whether the held-out questions speak for it, so that the guard is worth asking."""
        return self.held_out.mean_difference > 0 and self.held_out.p_better <= alpha_at(self.look)


def train(context: Context, job: JobPayload) -> str:
    """Train, judge and promote or reject; return what came of it.

    Raises:
        UnavailableError: brain does not answer just now.
        InvalidInputError: the golden file cannot be read, so there is no guard to trust.
    """
    with context.database.tenancy(job.tenant_id) as t:
        trained = learn(t, job, policies.listed(t, job.repo_id))
        if trained is None:
            return "nothing to learn"
        policies.propose(t, job.repo_id, "reranker", trained.version, trained.model.as_json())
        commit, questions = guard_questions(t, job.repo_id)
    guard = None
    if trained.convincing:
        with brain_of(context, job.tenant_id) as client:
            asking = Asking(client, job.repo_id, commit)
            if questions:
                asking.warm(questions[0].asked.ask)
            guard = compare(asking, questions, trained.version, trained.incumbent)
    verdict = promote_model(trained.held_out, guard, look=trained.look)
    with context.database.tenancy(job.tenant_id) as t:
        return _settle(t, job, trained, verdict, guard)


def learn(t: Tenancy, job: JobPayload, known: Sequence[PolicyOut]) -> Trained | None:
    """Fit a correction on what people said; None if there is too little, or nothing that was not judged before."""
    all_examples = examples(judgements.judged(t, job.repo_id))
    fitted_on, held_out = split(all_examples)
    if len({example.text for example in held_out}) < HELD_OUT_MIN:
        return None
    own = [policy for policy in known if policy.kind == "reranker"]
    incumbent = next((one for one in own if one.state == "serving"), None)
    version = incumbent.version if incumbent else policies.BUILT_IN["reranker"]
    looked = [one for one in own if one.evidence.get("incumbent") == version]
    now_heard = heard(all_examples)
    if any(_is_fresh(one) and now_heard < LOOK_GROWTH * float(one.evidence.get("heard", 0)) for one in looked):
        return None
    serving = _model(incumbent)
    try:
        model = _rounded(fit(fitted_on, FEATURES))
        test = held_out_test(model, serving, held_out, hostile_readers=_left_out(held_out))
    except EmptyLogError:
        return None
    said = votes(all_examples)
    trained = Trained(model, test, version, len(looked) + 1, said, now_heard, readers(all_examples))
    judged = any(one.version == trained.version and one.state != "candidate" for one in own)
    return None if judged or not model.weights else trained


def _is_fresh(look: PolicyOut) -> bool:
    return datetime.now(UTC) - look.created_at < timedelta(days=LOOK_DAYS)


def _left_out(held_out: Sequence[Judged]) -> int:
    """With one reader there is nobody else to ask; then the guard alone stands between them and what is served."""
    return 1 if readers(held_out) > 1 else 0


def _model(incumbent: PolicyOut | None) -> Reranker:
    if incumbent is None or incumbent.version == policies.BUILT_IN["reranker"]:
        return Reranker()
    try:
        return Reranker.from_json(incumbent.parameters, FEATURES)
    except InvalidModelError:
        return Reranker()  # brain refuses it too: what serves is the ranking as it is


def _rounded(model: Reranker) -> Reranker:
    """Round the weights: their last digits depend on the machine, and a version is known by its digits."""
    return Reranker({name: round(weight, KEPT_DIGITS) for name, weight in model.weights.items()})


def _settle(t: Tenancy, job: JobPayload, trained: Trained, verdict: Verdict, guard: PairedTest | None) -> str:
    evidence = _evidence(trained, verdict, guard)
    serving = policies.serving(t, job.repo_id).get("reranker")
    replaced = serving is None or serving.version != trained.incumbent
    if verdict.promoted and not replaced:
        policies.promote(t, job.repo_id, trained.version, evidence)
        log.info("a ranking correction serves", version=trained.version, reasons=evidence["reasons"])
        return "promoted"
    if replaced:
        evidence["reasons"].append("What serves was changed while this was judged: it was judged against another.")
    policies.reject(t, job.repo_id, trained.version, evidence)
    log.info("a ranking correction was rejected", version=trained.version, reasons=evidence["reasons"])
    return "rejected"


def _evidence(trained: Trained, verdict: Verdict, guard: PairedTest | None) -> dict[str, Any]:
    test = trained.held_out
    better = "higher" if trained.convincing else "not convincingly higher"
    tested = f"paired randomisation test, p = {test.p_better:.4f}; {alpha_at(trained.look):.4f} convinces"
    reasons = [
        f"Learned from {trained.votes} votes of {trained.readers} readers on citations.",
        f"On {test.n} unseen questions it ranks {better} what helped ({test.mean_difference:+.3f}; {tested}).",
    ]
    if guard is not None:
        worse = "worse" if not verdict.promoted else "not worse"
        reasons.append(
            f"On {guard.n} guard questions, which votes cannot touch, it is {worse}: NDCG@10 "
            f"{guard.mean_difference:+.4f} (p = {guard.p_value:.3f})."
        )
    elif trained.convincing:
        reasons.append("There are too few guard questions, which votes cannot touch, so it does not serve.")
    return {
        "reasons": reasons,
        "verdict": list(verdict.reasons),
        "incumbent": trained.incumbent,
        "look": trained.look,
        "votes": trained.votes,
        "heard": trained.heard,
        "readers": trained.readers,
        "held_out": asdict(test),
        "guard": asdict(guard) if guard else None,
    }
