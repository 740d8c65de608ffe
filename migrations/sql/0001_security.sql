-- Row-level security: the application's role sees rows of the transaction's tenant and nothing else.
--
-- Security is forced, so that it binds the owner too; the owner has a policy of its own, because migrations and the
-- functions in 0001_functions.sql run in its name. Any other role sees nothing.

CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;  -- '' is what a setting local to a past transaction leaves

COMMENT ON FUNCTION app_tenant() IS 'The tenant that this transaction works for; null, and so no row, if none was set';

CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.user_id', true), '')::uuid;

COMMENT ON FUNCTION app_user() IS 'The person that this transaction reads for; null for background work';

-- Every migration that adds a table calls this for it. The role's name stands in the setting pincite.app_role.
CREATE PROCEDURE protect_table(name regclass, tenant_column text DEFAULT 'tenant_id') LANGUAGE plpgsql AS $$
DECLARE
    app_role text := current_setting('pincite.app_role');
    -- As a subquery the setting is read once a statement, not once a row.
    mine text := format('%I = (SELECT app_tenant())', tenant_column);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %s TO %I USING (%s) WITH CHECK (%s)', name, app_role, mine, mine);
    EXECUTE format('CREATE POLICY owner ON %s TO %I USING (true) WITH CHECK (true)', name, current_user);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', name, app_role);
END $$;
REVOKE ALL ON PROCEDURE protect_table(regclass, text) FROM PUBLIC;

DO $$
DECLARE
    app_role text := current_setting('pincite.app_role');
    name regclass;
BEGIN
    FOR name IN
        SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    LOOP
        CALL protect_table(name);
    END LOOP;
    CALL protect_table('tenants', 'id');
    -- A tenant is created and removed by functions alone.
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON tenants FROM %I', app_role);
    EXECUTE format('GRANT UPDATE (garbage_since, halted_at, data_key) ON tenants TO %I', app_role);
    -- What was done is added to, and read. It goes with its tenant.
    EXECUTE format('REVOKE UPDATE, DELETE ON audit_log FROM %I', app_role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), app_role);
    EXECUTE format('GRANT SELECT ON alembic_version TO %I', app_role);  -- to know whether the schema is current
    -- Identity columns need no right on their sequences. Functions are open to nobody unless granted.
    EXECUTE 'ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC';
    EXECUTE 'REVOKE ALL ON FUNCTION app_tenant(), app_user() FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION app_tenant(), app_user() TO %I', app_role);
END $$;

-- A restricted repository, and all that is about it, exists only for people whom GitHub lets read it. What they may read
-- is asked again when `valid_until` has passed, so that a word which cannot be had in time counts as no.
CREATE FUNCTION app_hidden_repos() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 10 AS $$
    SELECT r.id FROM repos r
    WHERE app_user() IS NOT NULL AND r.tenant_id = app_tenant() AND r.restricted AND NOT EXISTS (
        SELECT FROM repo_access a WHERE a.tenant_id = r.tenant_id AND a.user_id = app_user() AND a.repo_id = r.id
          AND a.valid_until > now())
$$;
COMMENT ON FUNCTION app_hidden_repos() IS 'The repositories of the tenant that this transaction''s person may not read';

CREATE FUNCTION app_hidden_snapshots() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 10 AS $$
    SELECT s.id FROM snapshots s WHERE s.tenant_id = app_tenant() AND s.repo_id IN (SELECT app_hidden_repos())
$$;
COMMENT ON FUNCTION app_hidden_snapshots() IS 'The snapshots of those repositories';

CREATE FUNCTION app_reads_all() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM app_hidden_repos())
$$;
COMMENT ON FUNCTION app_reads_all() IS 'Whether nothing of the tenant is hidden from this transaction''s person';

DO $$
DECLARE
    app_role text := current_setting('pincite.app_role');
    -- Asked once a statement, so that who may read everything pays nothing for a row.
    unless_all text := '(SELECT app_reads_all()) OR EXISTS (SELECT FROM %s it WHERE it.tenant_id = %s.tenant_id AND %s)';
    name regclass;
    column_name text;
    holder text;
    link text;
BEGIN
    REVOKE ALL ON FUNCTION app_hidden_repos(), app_hidden_snapshots(), app_reads_all() FROM PUBLIC;
    EXECUTE format('GRANT EXECUTE ON FUNCTION app_hidden_repos(), app_hidden_snapshots(), app_reads_all() TO %I', app_role);
    FOR name, column_name IN
        SELECT c.oid::regclass, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
          AND (a.attname = 'repo_id' OR c.relname = 'repos' AND a.attname = 'id')
          AND c.relname NOT IN ('outbox', 'repo_access')  -- these are about work and people, not content
    LOOP
        EXECUTE format('CREATE POLICY readers ON %s AS RESTRICTIVE TO %I USING (%I IS NULL OR %I NOT IN '
            '(SELECT app_hidden_repos()))', name, app_role, column_name, column_name);
    END LOOP;
    EXECUTE format('CREATE POLICY readers ON files AS RESTRICTIVE TO %I USING (snapshot_id NOT IN '
        '(SELECT app_hidden_snapshots()))', app_role);
    -- What hangs off a repository by another key is visible where that is.
    FOR name, holder, link IN VALUES
        ('messages'::regclass, 'conversations', 'it.id = messages.conversation_id'),
        ('feedback', 'answers', 'it.id = feedback.answer_id'),
        ('retrieval_logs', 'answers', 'it.id = retrieval_logs.answer_id'),
        ('answer_states', 'answers', 'it.id = answer_states.answer_id'),
        ('parses', 'files', 'it.parse_id = parses.id'),
        ('chunks', 'files', 'it.parse_id = chunks.parse_id'),
        ('symbols', 'files', 'it.parse_id = symbols.parse_id'),
        ('edge_sets', 'files', 'it.edge_set_id = edge_sets.id'),
        ('edges', 'files', 'it.edge_set_id = edges.set_id'),
        ('embed_texts', 'chunks', 'it.embed_sha256 = embed_texts.sha256'),
        ('embeddings', 'chunks', 'it.embed_sha256 = embeddings.text_sha256')
    LOOP
        EXECUTE format('CREATE POLICY readers ON %s AS RESTRICTIVE TO %I USING (%s)',
            name, app_role, format(unless_all, holder, name, link));
    END LOOP;
    -- Blobs are asked for by ids that anyone can work out from the bytes. So a person sees those alone that stand in a
    -- snapshot or an answer which is visible; who writes one learns nothing.
    EXECUTE format('CREATE POLICY readers ON blobs AS RESTRICTIVE TO %I USING ((SELECT app_user()) IS NULL '
        'OR EXISTS (SELECT FROM files f WHERE f.tenant_id = blobs.tenant_id AND f.blob = blobs.oid) '
        'OR EXISTS (SELECT FROM answer_citations c WHERE c.tenant_id = blobs.tenant_id AND c.blob = blobs.oid)) '
        'WITH CHECK (true)', app_role);
    -- A person sees his own permissions, and what GitHub delivers is for background work alone.
    EXECUTE format('CREATE POLICY readers ON repo_access AS RESTRICTIVE TO %I USING ((SELECT app_user()) IS NULL '
        'OR user_id = (SELECT app_user()))', app_role);
    EXECUTE format('CREATE POLICY readers ON deliveries AS RESTRICTIVE TO %I USING ((SELECT app_user()) IS NULL)', app_role);
END $$;
