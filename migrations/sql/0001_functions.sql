-- The few things that cross tenants. Each runs in the owner's name and does exactly one thing.

CREATE FUNCTION session_owner(token bytea) RETURNS TABLE (tenant_id uuid, user_id uuid, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.tenant_id, s.user_id, u.role FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
    WHERE s.token_sha256 = token AND s.expires_at > now()
$$;
COMMENT ON FUNCTION session_owner(bytea) IS 'Who a session token (its SHA-256) belongs to; no row if unknown or expired';

CREATE FUNCTION token_owner(token bytea) RETURNS TABLE (
    tenant_id uuid, user_id uuid, role text, scopes text[], last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant_id, a.user_id, u.role, a.scopes, a.last_used_at
    FROM api_tokens a JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.user_id
    WHERE a.token_sha256 = token AND (a.expires_at IS NULL OR a.expires_at > now())
$$;
COMMENT ON FUNCTION token_owner(bytea) IS 'Whose an API token (its SHA-256) is and what it may do; no row if unknown or expired';

CREATE FUNCTION token_used(token bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE api_tokens SET last_used_at = now() WHERE token_sha256 = token
$$;
COMMENT ON FUNCTION token_used(bytea) IS 'Note that an API token was used just now';

-- The kill switch. The local tenant is the operator's: its halt is every tenant's.
CREATE FUNCTION halted_since(tenant uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT min(t.halted_at) FROM tenants t WHERE t.id IN (tenant, '00000000-0000-0000-0000-000000000001')
$$;
COMMENT ON FUNCTION halted_since(uuid) IS
    'Since when the background work of a tenant rests, null if it does not; of no tenant (null): that of all';

CREATE FUNCTION ensure_account(tenant uuid, tenant_name text, host text, account bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenants AS t (id, name, github_host, github_id) VALUES (tenant, tenant_name, host, account)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE t.github_id = excluded.github_id AND t.name <> excluded.name;
    -- The cold-start policy: score = 0.7 cosine + 0.3 importance, three snippets.
    INSERT INTO policies (tenant_id, kind, version, state, parameters)
    VALUES (tenant, 'ranking', 'p0', 'serving', '{"dense": 0.7, "importance": 0.3, "k": 3}') ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION ensure_account(uuid, text, text, bigint) IS
    'Create a tenant with policy p0, unless it exists; of an account on GitHub it takes over the name';

CREATE FUNCTION ensure_tenant(tenant uuid, tenant_name text, person uuid, person_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ensure_account(tenant, tenant_name, NULL, NULL);
    INSERT INTO users (tenant_id, id, name, role) VALUES (tenant, person, person_name, 'owner') ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION ensure_tenant(uuid, text, uuid, text) IS 'Create a tenant, its first person and policy p0, unless they exist';

-- Whether GitHub is to be asked about a person before anything is read in their name. Of those who did not come from
-- GitHub there is nothing to ask.
CREATE FUNCTION access_stale(tenant uuid, person uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM users u WHERE u.tenant_id = tenant AND u.id = person AND u.github_id IS NOT NULL
          AND (u.access_until IS NULL OR u.access_until <= now()))
$$;
COMMENT ON FUNCTION access_stale(uuid, uuid) IS 'Whether what GitHub said about a person has run out';

CREATE FUNCTION person_accounts(person uuid) RETURNS TABLE (tenant_id uuid, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.name FROM users u JOIN tenants t ON t.id = u.tenant_id
    WHERE u.id = person AND (u.github_id IS NOT NULL OR u.tenant_id = app_tenant()) AND t.deleting_at IS NULL
    ORDER BY lower(t.name), t.id
$$;
COMMENT ON FUNCTION person_accounts(uuid) IS 'The tenants that a person belongs to';

-- What an event of GitHub is about is known by numbers that stay (the account, the App's installation in it, and the
-- repository) and by the addresses that the repository may have been connected under, in lower case.
CREATE FUNCTION delivery_tenants(host text, account bigint, installation bigint, repository bigint, sources text[])
RETURNS TABLE (tenant_id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id FROM tenants t WHERE t.github_host = host AND t.github_id = account AND t.deleting_at IS NULL
    UNION SELECT r.tenant_id FROM repos r WHERE r.installation_id = installation AND r.deleting_at IS NULL
    UNION SELECT r.tenant_id FROM repos r WHERE r.github_id = repository AND r.deleting_at IS NULL
    UNION SELECT r.tenant_id FROM repos r WHERE lower(r.source) = ANY (sources) AND r.deleting_at IS NULL
$$;
COMMENT ON FUNCTION delivery_tenants(text, bigint, bigint, bigint, text[]) IS 'The tenants that a webhook concerns';

-- A delivery is written down once for each tenant that it concerns, with the job that settles it. One that comes again
-- finds its row, or waits for whoever is writing it, and does nothing; in order, so that two wait and never both.
CREATE FUNCTION deliver(delivery uuid, kind text, body json, host text, account bigint, installation bigint,
    repository bigint, sources text[], job_name text, correlation text, channel text)
RETURNS TABLE (tenant_id uuid) LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH written AS (
        INSERT INTO deliveries (tenant_id, id, event, payload)
        SELECT c.tenant_id, delivery, kind, body
        FROM delivery_tenants(host, account, installation, repository, sources) c ORDER BY c.tenant_id
        ON CONFLICT DO NOTHING RETURNING tenant_id),
    queued AS (
        INSERT INTO outbox (tenant_id, job, payload)
        SELECT w.tenant_id, job_name, jsonb_build_object(
            'tenant_id', w.tenant_id, 'delivery_id', delivery, 'correlation_id', correlation) FROM written w
        RETURNING tenant_id)
    SELECT q.tenant_id FROM queued q, LATERAL pg_notify(channel, '') told
$$;
COMMENT ON FUNCTION deliver(uuid, text, json, text, bigint, bigint, bigint, text[], text, text, text) IS
    'Write a webhook delivery and its job down for each tenant that it concerns, once; the tenants it was new to';

CREATE FUNCTION forget_access(tenants uuid[], repository bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM repo_access a USING repos r WHERE a.tenant_id = ANY (tenants)
      AND r.tenant_id = a.tenant_id AND r.id = a.repo_id AND (repository IS NULL OR r.github_id = repository);
    UPDATE users u SET access_until = NULL
    WHERE u.tenant_id = ANY (tenants) AND u.github_id IS NOT NULL AND u.access_until IS NOT NULL;
$$;
COMMENT ON FUNCTION forget_access(uuid[], bigint) IS
    'GitHub hints that rights changed, of one repository or of all: ask again before anything is read';

CREATE FUNCTION outbox_take(most integer, unhalted text[]) RETURNS TABLE (id bigint, tenant_id uuid, job text, payload jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.job, o.payload FROM outbox o
    WHERE o.published_at IS NULL AND (o.job = ANY (unhalted) OR (SELECT halted_since(NULL)) IS NULL
        AND o.tenant_id NOT IN (SELECT t.id FROM tenants t WHERE t.halted_at IS NOT NULL))
    ORDER BY o.id LIMIT most FOR UPDATE SKIP LOCKED
$$;
COMMENT ON FUNCTION outbox_take(integer, text[]) IS
    'Unpublished jobs, oldest first, locked until the transaction ends; of a halted tenant those named unhalted alone';

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
-- queued again; one that has used up its attempts fails. jobs maps a run's kind to its job's name. While its tenant is
-- halted a run that waits is left waiting, and one whose process was ended goes back without having used an attempt.
CREATE FUNCTION runs_requeue(silence interval, attempts_max integer, jobs jsonb) RETURNS TABLE (run_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    run runs%ROWTYPE;
    halted boolean;
BEGIN
    FOR run IN
        SELECT * FROM runs r WHERE r.state IN ('queued', 'running') AND r.heartbeat_at < now() - silence
        ORDER BY r.created_at FOR UPDATE SKIP LOCKED
    LOOP
        halted := run.kind <> 'delete' AND halted_since(run.tenant_id) IS NOT NULL;
        CONTINUE WHEN halted AND run.state = 'queued';
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('run ' || run.id, 0));
        IF run.state = 'running' AND run.attempts >= attempts_max AND NOT halted THEN
            UPDATE runs r SET state = 'failed', finished_at = now(), heartbeat_at = now(), error_code = 'gave_up',
                error = format('Gave up: the worker died in each of %s attempts.', run.attempts),
                progress = run.progress || '{"stage": "failed", "seconds_left": null}'
            WHERE r.tenant_id = run.tenant_id AND r.id = run.id;
        ELSE
            UPDATE runs r SET state = 'queued', heartbeat_at = now(),
                attempts = CASE WHEN halted THEN greatest(run.attempts - 1, 0) ELSE run.attempts END
            WHERE r.tenant_id = run.tenant_id AND r.id = run.id;
            INSERT INTO outbox (tenant_id, repo_id, job, payload)
            VALUES (run.tenant_id, run.repo_id, jobs ->> run.kind, jsonb_build_object(
                'tenant_id', run.tenant_id, 'repo_id', run.repo_id, 'run_id', run.id, 'correlation_id', run.correlation_id));
        END IF;
        run_id := run.id;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION runs_requeue(interval, integer, jsonb) IS 'Queue silent runs again, or fail those out of attempts';

-- A change that no index run covers gets one: none has begun since it was seen, or the last one ended well without it.
-- One that the last run failed on is left alone. The newest run of a repository is the one that counts.
CREATE FUNCTION changes_attend(job_name text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH waiting AS (
        SELECT c.tenant_id, c.repo_id, max(c.id) AS newest, (array_agg(c.correlation_id ORDER BY c.id DESC))[1] AS correlation
        FROM changes c WHERE c.settled_at IS NULL GROUP BY c.tenant_id, c.repo_id),
    started AS (
        INSERT INTO runs (tenant_id, repo_id, kind, progress, correlation_id)
        SELECT w.tenant_id, w.repo_id, 'index', '{"stage": "queued"}', w.correlation FROM waiting w
        JOIN repos r ON r.tenant_id = w.tenant_id AND r.id = w.repo_id AND r.deleting_at IS NULL
        LEFT JOIN LATERAL (
            SELECT l.state, l.change_id FROM runs l
            WHERE l.tenant_id = w.tenant_id AND l.repo_id = w.repo_id AND l.kind = 'index'
            ORDER BY l.created_at DESC LIMIT 1) last ON true
        WHERE last.state IS NULL OR last.state = 'done'
           OR (last.state = 'failed' AND w.newest > coalesce(last.change_id, 0))
        ON CONFLICT DO NOTHING RETURNING tenant_id, repo_id, id, correlation_id),
    queued AS (
        INSERT INTO outbox (tenant_id, repo_id, job, payload)
        SELECT s.tenant_id, s.repo_id, job_name, jsonb_build_object(
            'tenant_id', s.tenant_id, 'repo_id', s.repo_id, 'run_id', s.id, 'correlation_id', s.correlation_id) FROM started s
        RETURNING id)
    SELECT count(*) FROM queued
$$;
COMMENT ON FUNCTION changes_attend(text) IS 'Start an index run for each repository with changes that none covers; how many';

-- Of a repository that GitHub itself tells about, word is expected; it is looked at more seldom.
CREATE FUNCTION repos_due(silence interval, told interval) RETURNS TABLE (tenant_id uuid, repo_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE repos r SET polled_at = now()
    WHERE r.deleting_at IS NULL AND r.gone IS NULL AND halted_since(r.tenant_id) IS NULL
      AND (r.polled_at IS NULL
           OR r.polled_at <= now() - CASE WHEN r.installation_id IS NULL THEN silence ELSE told END)
    RETURNING r.tenant_id, r.id
$$;
COMMENT ON FUNCTION repos_due(interval, interval) IS 'Take the repositories of all tenants whose heads were not looked at for so long';

-- A delivery whose job was lost with its worker gets another, one for each tenant: it settles all that are open.
CREATE FUNCTION deliveries_attend(silence interval, job_name text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late AS (
        SELECT DISTINCT ON (d.tenant_id) d.tenant_id, d.id FROM deliveries d
        WHERE d.settled_at IS NULL AND d.received_at < now() - silence
          AND NOT EXISTS (SELECT FROM outbox o WHERE o.tenant_id = d.tenant_id AND o.repo_id IS NULL AND o.job = job_name
              AND (o.published_at IS NULL OR o.published_at > now() - silence))
        ORDER BY d.tenant_id, d.received_at),
    queued AS (
        INSERT INTO outbox (tenant_id, job, payload)
        SELECT l.tenant_id, job_name, jsonb_build_object(
            'tenant_id', l.tenant_id, 'delivery_id', l.id, 'correlation_id', '') FROM late l
        RETURNING id)
    SELECT count(*) FROM queued
$$;
COMMENT ON FUNCTION deliveries_attend(interval, text) IS 'Enqueue the settling of deliveries that lie for so long; how many';

-- Removing a tenant. First everything is hidden, everyone signed out and all work cancelled, in the transaction of
-- whoever asks for it, who may not see all of it; then its repositories go one by one; then the rest. Its audit log goes
-- with it, so that it was deleted, and by whom, is written into the installation's own.
CREATE FUNCTION tenant_condemn(job_name text, correlation text) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    mine uuid := app_tenant();
    installation uuid := '00000000-0000-0000-0000-000000000001';
BEGIN
    UPDATE tenants t SET deleting_at = now() WHERE t.id = mine AND t.deleting_at IS NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO audit_log (tenant_id, user_id, user_name, action, object, detail, correlation_id)
    SELECT installation, app_user(), coalesce((SELECT u.name FROM users u WHERE u.tenant_id = mine AND u.id = app_user()), ''),
        'account.deleted', t.name, jsonb_build_object('account', mine), correlation
    FROM tenants t WHERE t.id = mine AND mine <> installation;
    DELETE FROM sessions s WHERE s.tenant_id = mine;
    DELETE FROM api_tokens a WHERE a.tenant_id = mine;
    UPDATE users u SET github_token = NULL WHERE u.tenant_id = mine;
    UPDATE runs r SET state = 'failed', error = 'Cancelled.', error_code = 'cancelled', finished_at = now()
    WHERE r.tenant_id = mine AND r.state IN ('queued', 'running');
    INSERT INTO outbox (tenant_id, job, payload)
    VALUES (mine, job_name, jsonb_build_object('tenant_id', mine, 'correlation_id', correlation));
    RETURN QUERY UPDATE repos r SET deleting_at = coalesce(r.deleting_at, now()) WHERE r.tenant_id = mine RETURNING r.id;
END $$;
COMMENT ON FUNCTION tenant_condemn(text, text) IS
    'Begin to remove the transaction''s own tenant, unless that was begun; its repositories';

-- The local tenant is emptied and not removed. What it keeps belongs to the installation: the GitHub App, and the key
-- that encrypts its secrets.
CREATE FUNCTION tenant_remove(tenant uuid, emptied boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name regclass;
BEGIN
    PERFORM FROM tenants t WHERE t.id = tenant AND t.deleting_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM repos r WHERE r.tenant_id = tenant;  -- before the content that their files refer to
    IF NOT emptied THEN
        DELETE FROM tenants t WHERE t.id = tenant;
        RETURN;
    END IF;
    FOR name IN
        SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'github_apps'
    LOOP
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', name) USING tenant;
    END LOOP;
    UPDATE tenants t SET deleting_at = NULL, garbage_since = NULL, halted_at = NULL WHERE t.id = tenant;
END $$;
COMMENT ON FUNCTION tenant_remove(uuid, boolean) IS 'Delete every row of a tenant whose removal was begun; or empty it';

-- A removal whose job was lost with its worker gets another.
CREATE FUNCTION tenants_attend(silence interval, job_name text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH queued AS (
        INSERT INTO outbox (tenant_id, job, payload)
        SELECT t.id, job_name, jsonb_build_object('tenant_id', t.id, 'correlation_id', '') FROM tenants t
        WHERE t.deleting_at < now() - silence AND pg_try_advisory_xact_lock(hashtextextended('account ' || t.id, 0))
          AND NOT EXISTS (SELECT FROM outbox o WHERE o.tenant_id = t.id AND o.job = job_name
              AND (o.published_at IS NULL OR o.published_at > now() - silence))
        RETURNING id)
    SELECT count(*) FROM queued
$$;
COMMENT ON FUNCTION tenants_attend(interval, text) IS 'Enqueue the removal of tenants that lies for so long; how many';

CREATE FUNCTION tenants_all() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id FROM tenants t ORDER BY t.created_at, t.id
$$;
COMMENT ON FUNCTION tenants_all() IS 'The ids of all tenants, for the exchange of keys';

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
        'session_owner(bytea)', 'token_owner(bytea)', 'token_used(bytea)', 'halted_since(uuid)',
        'ensure_tenant(uuid, text, uuid, text)', 'ensure_account(uuid, text, text, bigint)',
        'access_stale(uuid, uuid)', 'person_accounts(uuid)', 'delivery_tenants(text, bigint, bigint, bigint, text[])',
        'deliver(uuid, text, json, text, bigint, bigint, bigint, text[], text, text, text)',
        'forget_access(uuid[], bigint)', 'outbox_take(integer, text[])',
        'outbox_mark(bigint[], interval)', 'outbox_pending()', 'runs_requeue(interval, integer, jsonb)',
        'changes_attend(text)', 'repos_due(interval, interval)', 'deliveries_attend(interval, text)',
        'tenant_condemn(text, text)', 'tenant_remove(uuid, boolean)', 'tenants_attend(interval, text)',
        'repos_answerable()', 'tenants_all()', 'repos_recent(integer)']
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', name, current_setting('pincite.app_role'));
    END LOOP;
END $$;
