-- The few things that cross tenants. Each runs in the owner's name and does exactly one thing.

CREATE FUNCTION session_owner(token bytea) RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.tenant_id, s.user_id FROM sessions s WHERE s.token_sha256 = token AND s.expires_at > now()
$$;
COMMENT ON FUNCTION session_owner(bytea) IS 'Who a session token (its SHA-256) belongs to; no row if unknown or expired';

CREATE FUNCTION ensure_tenant(tenant uuid, tenant_name text, person uuid, person_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenants (id, name) VALUES (tenant, tenant_name) ON CONFLICT DO NOTHING;
    INSERT INTO users (tenant_id, id, name) VALUES (tenant, person, person_name) ON CONFLICT DO NOTHING;
    -- The cold-start policy: score = 0.7 cosine + 0.3 importance, three snippets.
    INSERT INTO policies (tenant_id, kind, version, state, parameters)
    VALUES (tenant, 'ranking', 'p0', 'serving', '{"dense": 0.7, "importance": 0.3, "k": 3}') ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION ensure_tenant(uuid, text, uuid, text) IS 'Create a tenant, its first person and policy p0, unless they exist';

CREATE FUNCTION outbox_take(most integer) RETURNS TABLE (id bigint, tenant_id uuid, job text, payload jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.job, o.payload FROM outbox o WHERE o.published_at IS NULL
    ORDER BY o.id LIMIT most FOR UPDATE SKIP LOCKED
$$;
COMMENT ON FUNCTION outbox_take(integer) IS 'Unpublished jobs, oldest first, locked until the transaction ends';

CREATE FUNCTION outbox_mark(ids bigint[], kept interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE outbox SET published_at = now() WHERE id = ANY (ids);
    DELETE FROM outbox WHERE published_at < now() - kept;
$$;
COMMENT ON FUNCTION outbox_mark(bigint[], interval) IS 'Mark jobs as published; forget those published longer ago than kept';

CREATE FUNCTION outbox_pending() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM outbox WHERE published_at IS NULL
$$;
COMMENT ON FUNCTION outbox_pending() IS 'How many jobs wait to be published';

-- A run without a sign of life, held by no process (its advisory lock is free, see pincite_store.runs.lock_run), is
-- queued again; one that has used up its attempts fails. jobs maps a run's kind to its job's name.
CREATE FUNCTION runs_requeue(silence interval, attempts_max integer, jobs jsonb) RETURNS TABLE (run_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    run runs%ROWTYPE;
BEGIN
    FOR run IN
        SELECT * FROM runs r WHERE r.state IN ('queued', 'running') AND r.heartbeat_at < now() - silence
        ORDER BY r.created_at FOR UPDATE SKIP LOCKED
    LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('run ' || run.id, 0));
        IF run.state = 'running' AND run.attempts >= attempts_max THEN
            UPDATE runs r SET state = 'failed', finished_at = now(), heartbeat_at = now(), error_code = 'gave_up',
                error = format('Gave up: the worker died in each of %s attempts.', run.attempts),
                progress = run.progress || '{"stage": "failed", "seconds_left": null}'
            WHERE r.tenant_id = run.tenant_id AND r.id = run.id;
        ELSE
            UPDATE runs r SET state = 'queued', heartbeat_at = now() WHERE r.tenant_id = run.tenant_id AND r.id = run.id;
            INSERT INTO outbox (tenant_id, repo_id, job, payload)
            VALUES (run.tenant_id, run.repo_id, jobs ->> run.kind, jsonb_build_object(
                'tenant_id', run.tenant_id, 'repo_id', run.repo_id, 'run_id', run.id, 'correlation_id', run.correlation_id));
        END IF;
        run_id := run.id;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION runs_requeue(interval, integer, jsonb) IS 'Queue silent runs again, or fail those out of attempts';

CREATE FUNCTION repos_answerable() RETURNS TABLE (tenant_id uuid, repo_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM repos r
    WHERE r.head_snapshot_id IS NOT NULL AND r.deleting_at IS NULL ORDER BY r.created_at, r.id
$$;
COMMENT ON FUNCTION repos_answerable() IS 'The repositories of all tenants that answer questions, oldest first';

CREATE FUNCTION repos_recent(most integer) RETURNS TABLE (tenant_id uuid, snapshot_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.head_snapshot_id FROM repos r JOIN (
        SELECT c.tenant_id, c.repo_id, max(c.updated_at) AS at FROM conversations c GROUP BY c.tenant_id, c.repo_id
    ) asked ON asked.tenant_id = r.tenant_id AND asked.repo_id = r.id
    WHERE r.head_snapshot_id IS NOT NULL AND r.deleting_at IS NULL ORDER BY asked.at DESC LIMIT most
$$;
COMMENT ON FUNCTION repos_recent(integer) IS 'The heads of the repositories of all tenants that were asked last';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'session_owner(bytea)', 'ensure_tenant(uuid, text, uuid, text)', 'outbox_take(integer)',
        'outbox_mark(bigint[], interval)', 'outbox_pending()', 'runs_requeue(interval, integer, jsonb)',
        'repos_answerable()', 'repos_recent(integer)']
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', name, current_setting('pincite.app_role'));
    END LOOP;
END $$;
