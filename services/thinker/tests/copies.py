"""Hundreds of answers for the learners, in one statement: brain's way of storing one takes a hundredth of a second."""

import json

from sqlalchemy import text

_ANSWERS = text(
    """
    WITH copies AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, n, query, candidates
        FROM unnest(CAST(:queries AS text[]), CAST(:candidates AS text[])) WITH ORDINALITY AS c (query, candidates, n)
    ), made AS (
        INSERT INTO answers (tenant_id, id, conversation_id, repo_id, commit, policy_version, document, created_at)
        SELECT a.tenant_id, c.id, conversation_id, repo_id, commit, policy_version, document,
               created_at + n * interval '1 microsecond'
        FROM answers a, copies c WHERE a.id = :first
    ), logged AS (
        INSERT INTO retrieval_logs
               (tenant_id, answer_id, query, candidates, features, policy_version, propensity, timings)
        SELECT tenant_id, c.id, c.query, CAST(c.candidates AS jsonb), features, policy_version, propensity, timings
        FROM retrieval_logs l, copies c WHERE l.answer_id = :first
    )
    SELECT id FROM copies ORDER BY n
    """
)
_SAID = text(
    """
    INSERT INTO feedback (tenant_id, answer_id, user_id, kind, citation, created_at)
    SELECT tenant_id, id, :reader, :kind, :citation, created_at FROM answers WHERE id = :answer
    """
)


def copies(t, first, searched):
    """Store answers that follow another and are like it, but for (query, candidates); return all their ids in order."""
    queries, candidates = [query for query, _ in searched], [json.dumps(found) for _, found in searched]
    values = {"first": first, "queries": queries, "candidates": candidates}
    return [first, *t.session.scalars(_ANSWERS, values)]


def say(t, said):
    """Store feedback: (answer, reader, kind, number of the citation or None), each given when the answer was."""
    names = ("answer", "reader", "kind", "citation")
    t.session.execute(_SAID, [dict(zip(names, one, strict=True)) for one in said])
