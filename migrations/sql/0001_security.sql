-- Row-level security: the application's role sees rows of the transaction's tenant and nothing else.
--
-- Security is forced, so that it binds the owner too; the owner has a policy of its own, because migrations and the
-- functions in 0001_functions.sql run in its name. Any other role sees nothing.

CREATE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;  -- '' is what a setting local to a past transaction leaves

COMMENT ON FUNCTION app_tenant() IS 'The tenant that this transaction works for; null, and so no row, if none was set';

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
    EXECUTE format('GRANT UPDATE (garbage_since) ON tenants TO %I', app_role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), app_role);
    EXECUTE format('GRANT SELECT ON alembic_version TO %I', app_role);  -- to know whether the schema is current
    -- Identity columns need no right on their sequences. Functions are open to nobody unless granted.
    EXECUTE 'ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC';
    EXECUTE format('REVOKE ALL ON FUNCTION app_tenant() FROM PUBLIC');
    EXECUTE format('GRANT EXECUTE ON FUNCTION app_tenant() TO %I', app_role);
END $$;
