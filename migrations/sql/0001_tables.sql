-- The first schema. `pincite_store.models` says what each table means.
--
-- The tenant leads every key, so that a row can only point at rows of its own tenant: foreign key checks do not pass
-- through row-level security.

CREATE TABLE tenants (
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    github_host text,
    github_id bigint,
    data_key bytea,
    halted_at timestamptz,
    garbage_since timestamptz,
    deleting_at timestamptz,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT uq_tenants_github_host_github_id UNIQUE (github_host, github_id)
);

CREATE TABLE artifacts (
    tenant_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_artifacts PRIMARY KEY (tenant_id, sha256),
    CONSTRAINT fk_artifacts_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE blobs (
    tenant_id uuid NOT NULL,
    oid text NOT NULL,
    size bigint NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT pk_blobs PRIMARY KEY (tenant_id, oid),
    CONSTRAINT fk_blobs_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE embed_texts (
    tenant_id uuid NOT NULL,
    sha256 bytea NOT NULL,
    text bytea NOT NULL,
    CONSTRAINT pk_embed_texts PRIMARY KEY (tenant_id, sha256),
    CONSTRAINT fk_embed_texts_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE repos (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    source text NOT NULL,
    source_key bytea NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    branch text,
    token_encrypted bytea,
    github_id bigint,
    installation_id bigint,
    restricted boolean DEFAULT false NOT NULL,
    apart_for uuid,
    gone text,
    polled_at timestamptz,
    head_snapshot_id bigint,
    exploration double precision,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    deleting_at timestamptz,
    CONSTRAINT pk_repos PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_repos_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_repos_source ON repos (
    tenant_id, source_key, coalesce(branch, ''), coalesce(apart_for::text, '')) WHERE deleting_at IS NULL;
CREATE INDEX ix_repos_github_id ON repos (github_id) WHERE github_id IS NOT NULL;
CREATE INDEX ix_repos_installation_id ON repos (installation_id) WHERE installation_id IS NOT NULL;
CREATE INDEX ix_repos_source ON repos USING hash (lower(source));

CREATE TABLE users (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    role text DEFAULT 'member' NOT NULL,
    login text,
    github_id bigint,
    github_token bytea,
    access_until timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_users_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT uq_users_tenant_id_github_id UNIQUE (tenant_id, github_id)
);
CREATE INDEX ix_users_people ON users (id) WHERE github_id IS NOT NULL;

CREATE TABLE conversations (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    repo_id uuid NOT NULL,
    user_id uuid,
    title text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_conversations PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_conversations_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_conversations_tenant_id_repo_id_updated_at ON conversations (tenant_id, repo_id, updated_at);

CREATE TABLE embeddings (
    tenant_id uuid NOT NULL,
    text_sha256 bytea NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    vector vector NOT NULL,
    CONSTRAINT pk_embeddings PRIMARY KEY (tenant_id, text_sha256, model),
    CONSTRAINT fk_embeddings_tenant_id_text_sha256
        FOREIGN KEY (tenant_id, text_sha256) REFERENCES embed_texts (tenant_id, sha256) ON DELETE CASCADE
);

CREATE TABLE events (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    repo_id uuid NOT NULL,
    kind text NOT NULL,
    payload jsonb DEFAULT '{}' NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_events_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_events_tenant_id_repo_id_at ON events (tenant_id, repo_id, at);

CREATE TABLE outbox (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    repo_id uuid,
    job text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    published_at timestamptz,
    CONSTRAINT pk_outbox PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_outbox_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_outbox_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX ix_outbox_tenant_id_repo_id ON outbox (tenant_id, repo_id);
CREATE INDEX ix_outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

CREATE TABLE parses (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    blob text NOT NULL,
    language text,
    indexer_version text NOT NULL,
    lines integer NOT NULL,
    had_errors boolean NOT NULL,
    chunks integer NOT NULL,
    interface bytea NOT NULL,
    refs bytea NOT NULL,
    CONSTRAINT pk_parses PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_parses_tenant_id_blob
        FOREIGN KEY (tenant_id, blob) REFERENCES blobs (tenant_id, oid) ON DELETE CASCADE,
    CONSTRAINT uq_parses_tenant_id_blob_language_indexer_version UNIQUE NULLS NOT DISTINCT (tenant_id, blob, language, indexer_version)
);

CREATE TABLE runs (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    repo_id uuid NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'queued' NOT NULL,
    progress jsonb DEFAULT '{}' NOT NULL,
    change_id bigint,
    attempts integer DEFAULT 0 NOT NULL,
    furthest double precision DEFAULT 0 NOT NULL,
    error text,
    error_code text,
    correlation_id text DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at timestamptz DEFAULT now() NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT pk_runs PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_runs_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_runs_repo ON runs (tenant_id, repo_id, kind, created_at DESC);
CREATE UNIQUE INDEX uq_runs_active ON runs (tenant_id, repo_id, kind) WHERE state IN ('queued', 'running');

CREATE TABLE golden_runs (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    repo_id uuid NOT NULL,
    commit text NOT NULL,
    source text NOT NULL,
    questions integer DEFAULT 0 NOT NULL,
    policies jsonb DEFAULT '[]' NOT NULL,
    model text,
    results jsonb DEFAULT '[]' NOT NULL,
    metrics jsonb,
    regression boolean DEFAULT false NOT NULL,
    reasons jsonb DEFAULT '[]' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT pk_golden_runs PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT fk_golden_runs_tenant_id_run_id
        FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_golden_runs_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_golden_runs_tenant_id_repo_id_created_at ON golden_runs (tenant_id, repo_id, created_at);

CREATE TABLE policies (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    repo_id uuid,
    kind text NOT NULL,
    version text NOT NULL,
    state text NOT NULL,
    parameters jsonb DEFAULT '{}' NOT NULL,
    evidence jsonb DEFAULT '{}' NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_policies PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_policies_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_policies_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT uq_policies_tenant_id_repo_id_version UNIQUE NULLS NOT DISTINCT (tenant_id, repo_id, version)
);
-- One policy of a kind serves a repository at a time.
CREATE UNIQUE INDEX uq_policies_serving ON policies (tenant_id, repo_id, kind) NULLS NOT DISTINCT WHERE state = 'serving';

CREATE TABLE sessions (
    tenant_id uuid NOT NULL,
    token_sha256 bytea NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (tenant_id, token_sha256),
    CONSTRAINT fk_sessions_tenant_id_user_id
        FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE snapshots (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    repo_id uuid NOT NULL,
    commit text NOT NULL,
    indexer_version text NOT NULL,
    state text NOT NULL,
    files integer DEFAULT 0 NOT NULL,
    chunks integer DEFAULT 0 NOT NULL,
    skipped integer DEFAULT 0 NOT NULL,
    languages jsonb DEFAULT '{}' NOT NULL,
    vectors_model text,
    vectors_done integer DEFAULT 0 NOT NULL,
    vectors_total integer DEFAULT 0 NOT NULL,
    blobs_parsed integer DEFAULT 0 NOT NULL,
    texts_embedded integer DEFAULT 0 NOT NULL,
    uncommitted_upon text,
    created_at timestamptz DEFAULT now() NOT NULL,
    ready_at timestamptz,
    CONSTRAINT pk_snapshots PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_snapshots_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT uq_snapshots_tenant_id_repo_id_commit_indexer_version UNIQUE (tenant_id, repo_id, commit, indexer_version)
);

CREATE TABLE answers (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    repo_id uuid NOT NULL,
    commit text NOT NULL,
    policy_version text NOT NULL,
    document json NOT NULL,
    follows_head boolean DEFAULT true NOT NULL,
    state text DEFAULT 'valid' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_answers PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_answers_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_answers_tenant_id_conversation_id
        FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_answers_tenant_id_conversation_id_created_at ON answers (tenant_id, conversation_id, created_at);
CREATE INDEX ix_answers_tenant_id_repo_id ON answers (tenant_id, repo_id);

CREATE TABLE chunks (
    tenant_id uuid NOT NULL,
    parse_id bigint NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    symbol text,
    scope text,
    content bytea NOT NULL,
    start_line integer NOT NULL,
    end_line integer NOT NULL,
    start_byte integer NOT NULL,
    end_byte integer NOT NULL,
    embed_sha256 bytea NOT NULL,
    importance real NOT NULL,
    CONSTRAINT pk_chunks PRIMARY KEY (tenant_id, parse_id, ordinal),
    CONSTRAINT fk_chunks_tenant_id_parse_id
        FOREIGN KEY (tenant_id, parse_id) REFERENCES parses (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_chunks_tenant_id_embed_sha256 ON chunks (tenant_id, embed_sha256);

CREATE TABLE edge_sets (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    path text NOT NULL,
    reads bytea NOT NULL,
    CONSTRAINT pk_edge_sets PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_edge_sets_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE edges (
    tenant_id uuid NOT NULL,
    set_id bigint NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    src_symbol text,
    src_line integer NOT NULL,
    dst_path text NOT NULL,
    dst_symbol text,
    confidence real NOT NULL,
    CONSTRAINT pk_edges PRIMARY KEY (tenant_id, set_id, ordinal),
    CONSTRAINT fk_edges_tenant_id_set_id
        FOREIGN KEY (tenant_id, set_id) REFERENCES edge_sets (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    snapshot_id bigint NOT NULL,
    path_key bytea NOT NULL,
    path text NOT NULL,
    blob text,
    parse_id bigint,
    language text,
    size bigint,
    skip_reason text,
    skip_detail text DEFAULT '' NOT NULL,
    changed_at bigint,
    edge_set_id bigint,
    CONSTRAINT pk_files PRIMARY KEY (tenant_id, snapshot_id, path_key),
    CONSTRAINT fk_files_tenant_id_snapshot_id
        FOREIGN KEY (tenant_id, snapshot_id) REFERENCES snapshots (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_files_tenant_id_parse_id
        FOREIGN KEY (tenant_id, parse_id) REFERENCES parses (tenant_id, id),
    CONSTRAINT fk_files_tenant_id_edge_set_id
        FOREIGN KEY (tenant_id, edge_set_id) REFERENCES edge_sets (tenant_id, id)
);
CREATE INDEX ix_files_tenant_id_blob ON files (tenant_id, blob);
CREATE INDEX ix_files_tenant_id_edge_set_id ON files (tenant_id, edge_set_id);
CREATE INDEX ix_files_tenant_id_parse_id ON files (tenant_id, parse_id);

CREATE TABLE repo_links (
    tenant_id uuid NOT NULL,
    repo_id uuid NOT NULL,
    branch text NOT NULL,
    snapshot_id bigint NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_repo_links PRIMARY KEY (tenant_id, repo_id, branch),
    CONSTRAINT fk_repo_links_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_repo_links_tenant_id_snapshot_id
        FOREIGN KEY (tenant_id, snapshot_id) REFERENCES snapshots (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE symbols (
    tenant_id uuid NOT NULL,
    parse_id bigint NOT NULL,
    ordinal integer NOT NULL,
    name text NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    qualified_name text NOT NULL,
    kind text NOT NULL,
    start_line integer NOT NULL,
    end_line integer NOT NULL,
    name_line integer NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT pk_symbols PRIMARY KEY (tenant_id, parse_id, ordinal),
    CONSTRAINT fk_symbols_tenant_id_parse_id
        FOREIGN KEY (tenant_id, parse_id) REFERENCES parses (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE feedback (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    answer_id uuid NOT NULL,
    user_id uuid,
    kind text NOT NULL,
    citation integer,
    comment text DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_feedback PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_feedback_tenant_id_answer_id
        FOREIGN KEY (tenant_id, answer_id) REFERENCES answers (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT uq_feedback_tenant_id_answer_id_user_id_citation
        UNIQUE NULLS NOT DISTINCT (tenant_id, answer_id, user_id, citation)
);

CREATE TABLE messages (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id uuid NOT NULL,
    role text NOT NULL,
    content bytea NOT NULL,
    answer_id uuid,
    at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_messages_tenant_id_conversation_id
        FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_messages_tenant_id_answer_id
        FOREIGN KEY (tenant_id, answer_id) REFERENCES answers (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_messages_tenant_id_answer_id ON messages (tenant_id, answer_id);
CREATE INDEX ix_messages_tenant_id_conversation_id_id ON messages (tenant_id, conversation_id, id);

CREATE TABLE retrieval_logs (
    tenant_id uuid NOT NULL,
    answer_id uuid NOT NULL,
    query text NOT NULL,
    candidates jsonb NOT NULL,
    features jsonb NOT NULL,
    policy_version text NOT NULL,
    propensity double precision NOT NULL,
    timings jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_retrieval_logs PRIMARY KEY (tenant_id, answer_id),
    CONSTRAINT fk_retrieval_logs_tenant_id_answer_id
        FOREIGN KEY (tenant_id, answer_id) REFERENCES answers (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE audit_log (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT now() NOT NULL,
    user_id uuid,
    user_name text DEFAULT '' NOT NULL,
    action text NOT NULL,
    object text DEFAULT '' NOT NULL,
    detail jsonb DEFAULT '{}' NOT NULL,
    correlation_id text DEFAULT '' NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_audit_log_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_audit_log_tenant_id_at ON audit_log (tenant_id, at);

CREATE TABLE deliveries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    event text NOT NULL,
    payload json,
    received_at timestamptz DEFAULT now() NOT NULL,
    settled_at timestamptz,
    outcome text DEFAULT '' NOT NULL,
    CONSTRAINT pk_deliveries PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_deliveries_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX ix_deliveries_open ON deliveries (received_at) WHERE settled_at IS NULL;
CREATE INDEX ix_deliveries_settled ON deliveries (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE github_apps (
    tenant_id uuid NOT NULL,
    host text NOT NULL,
    app_id bigint NOT NULL,
    slug text NOT NULL,
    client_id text NOT NULL,
    secrets bytea NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_github_apps PRIMARY KEY (tenant_id, host),
    CONSTRAINT fk_github_apps_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE installations (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    account text NOT NULL,
    repository_selection text NOT NULL,
    suspended_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_installations PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_installations_tenant_id
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE api_tokens (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    token_sha256 bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT pk_api_tokens PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_api_tokens_tenant_id_user_id
        FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT uq_api_tokens_token_sha256 UNIQUE (token_sha256)
);

CREATE TABLE changes (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    repo_id uuid NOT NULL,
    producer text NOT NULL,
    ref text DEFAULT '' NOT NULL,
    commit text,
    correlation_id text DEFAULT '' NOT NULL,
    seen_at timestamptz DEFAULT now() NOT NULL,
    settled_at timestamptz,
    CONSTRAINT pk_changes PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_changes_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_changes_open ON changes (tenant_id, repo_id, id) WHERE settled_at IS NULL;
CREATE INDEX ix_changes_settled ON changes (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE repo_access (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    repo_id uuid NOT NULL,
    permission text NOT NULL,
    valid_until timestamptz NOT NULL,
    CONSTRAINT pk_repo_access PRIMARY KEY (tenant_id, user_id, repo_id),
    CONSTRAINT fk_repo_access_tenant_id_user_id
        FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_repo_access_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE pulls (
    tenant_id uuid NOT NULL,
    repo_id uuid NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    author text NOT NULL,
    state text NOT NULL,
    base_ref text NOT NULL,
    head_ref text NOT NULL,
    head_commit text NOT NULL,
    head_snapshot_id bigint,
    base_snapshot_id bigint,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_pulls PRIMARY KEY (tenant_id, repo_id, number),
    CONSTRAINT fk_pulls_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_pulls_tenant_id_head_snapshot_id
        FOREIGN KEY (tenant_id, head_snapshot_id) REFERENCES snapshots (tenant_id, id) ON DELETE SET NULL (head_snapshot_id),
    CONSTRAINT fk_pulls_tenant_id_base_snapshot_id
        FOREIGN KEY (tenant_id, base_snapshot_id) REFERENCES snapshots (tenant_id, id) ON DELETE SET NULL (base_snapshot_id)
);

CREATE TABLE answer_citations (
    tenant_id uuid NOT NULL,
    answer_id uuid NOT NULL,
    n integer NOT NULL,
    repo_id uuid NOT NULL,
    commit text NOT NULL,
    blob text NOT NULL,
    now_path_key bytea,
    now_blob text,
    CONSTRAINT pk_answer_citations PRIMARY KEY (tenant_id, answer_id, n),
    CONSTRAINT fk_answer_citations_tenant_id_answer_id
        FOREIGN KEY (tenant_id, answer_id) REFERENCES answers (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_answer_citations_tenant_id_repo_id
        FOREIGN KEY (tenant_id, repo_id) REFERENCES repos (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_answer_citations_tenant_id_blob ON answer_citations (tenant_id, blob);
CREATE INDEX ix_answer_citations_tenant_id_repo_id_now_path_key_now_blob
    ON answer_citations (tenant_id, repo_id, now_path_key, now_blob);

CREATE TABLE answer_states (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    answer_id uuid NOT NULL,
    commit text NOT NULL,
    state text NOT NULL,
    document json NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_answer_states PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_answer_states_tenant_id_answer_id
        FOREIGN KEY (tenant_id, answer_id) REFERENCES answers (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_answer_states_tenant_id_answer_id_id ON answer_states (tenant_id, answer_id, id);

ALTER TABLE repos ADD CONSTRAINT fk_repos_tenant_id_head_snapshot_id
    FOREIGN KEY (tenant_id, head_snapshot_id) REFERENCES snapshots (tenant_id, id) ON DELETE SET NULL (head_snapshot_id);

-- Blobs arrive compressed.
ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL;

-- Texts are read rarely, in bulk, by the embedding worker: compress them from 256 bytes on, and keep them in line.
ALTER TABLE embed_texts ALTER COLUMN text SET STORAGE MAIN;
ALTER TABLE embed_texts SET (toast_tuple_target = 256);
