-- Times are milliseconds since the Unix epoch, JSON is text, scores are kept by their bits.
-- Only what SQLite and Postgres read alike stands here.

CREATE TABLE logs (
    log TEXT NOT NULL PRIMARY KEY,
    -- The last number given out: one row to lock per log.
    head BIGINT NOT NULL
);

CREATE TABLE events (
    log TEXT NOT NULL,
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    dedup_key TEXT,
    PRIMARY KEY (log, number)
);
CREATE UNIQUE INDEX events_by_key ON events (log, dedup_key) WHERE dedup_key IS NOT NULL;

CREATE TABLE queues (
    queue TEXT NOT NULL PRIMARY KEY,
    head BIGINT NOT NULL
);

CREATE TABLE jobs (
    queue TEXT NOT NULL,
    number BIGINT NOT NULL,
    job_key TEXT NOT NULL,
    lane BIGINT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'dead')),
    enqueued_at_ms BIGINT NOT NULL,
    ready_at_ms BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    owner TEXT,
    deadline_ms BIGINT,
    result TEXT,
    finished_at_ms BIGINT,
    failures TEXT NOT NULL,
    PRIMARY KEY (queue, number)
);
CREATE UNIQUE INDEX jobs_by_key ON jobs (queue, job_key);
CREATE INDEX jobs_ready ON jobs (queue, lane, number) WHERE state = 'ready';
CREATE INDEX jobs_leased ON jobs (queue, deadline_ms) WHERE state = 'leased';
CREATE INDEX jobs_by_state ON jobs (queue, state, number);

CREATE TABLE scores (
    netuid BIGINT NOT NULL,
    mechid BIGINT NOT NULL,
    hotkey BYTEA NOT NULL,
    round BIGINT NOT NULL,
    value_bits BIGINT NOT NULL,
    parts TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (netuid, mechid, hotkey, round)
);

-- The highest round of each hotkey, so that a leaderboard does not read all history.
CREATE TABLE latest_rounds (
    netuid BIGINT NOT NULL,
    mechid BIGINT NOT NULL,
    hotkey BYTEA NOT NULL,
    round BIGINT NOT NULL,
    PRIMARY KEY (netuid, mechid, hotkey)
);
