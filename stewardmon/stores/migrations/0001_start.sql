-- The first schema: alerts, incidents, timeline, outbox, records, leader, history.
-- Times are microseconds since 1970 UTC, in the history milliseconds.

CREATE TABLE alert (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    active_at BIGINT NOT NULL,
    fired_at BIGINT,
    resolved_at BIGINT,
    body TEXT NOT NULL
);

CREATE TABLE incident (
    id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    acknowledged_at BIGINT,
    resolved_at BIGINT,
    reached INTEGER NOT NULL,
    next_step_at BIGINT,
    snoozed_until BIGINT,
    body TEXT NOT NULL
);
CREATE INDEX incident_by_opening ON incident (opened_at);
CREATE INDEX incident_by_resolve ON incident (resolved_at);

-- The firing alerts of an incident stand by themselves: an acknowledgement during a storm of
-- 10,000 alerts then writes one small row and not 4 MB.
CREATE TABLE member (
    incident TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (incident, fingerprint)
);

CREATE TABLE event (
    number $NUMBER,
    incident TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX event_by_incident ON event (incident);
CREATE INDEX event_by_time ON event (at);

-- `withdrawn` is the reason for which a row that a sender holds is not to be tried again.
-- Rows that wait are few, whatever was sent before: their indexes hold nothing else.
CREATE TABLE outbox (
    number $NUMBER,
    dedup_key TEXT NOT NULL UNIQUE,
    incident TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    pages BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    error TEXT NOT NULL,
    withdrawn TEXT,
    payload TEXT NOT NULL
);
CREATE INDEX outbox_by_incident ON outbox (incident);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'pending';
CREATE INDEX outbox_in_order ON outbox (incident, channel, address, number)
    WHERE state = 'pending';

-- What people set at run time and what jobs report, each kind readable as a view of its name.
CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE VIEW silence AS SELECT id, body FROM record WHERE kind = 'silence';
CREATE VIEW maintenance AS SELECT id, body FROM record WHERE kind = 'maintenance';
CREATE VIEW override AS SELECT id, body FROM record WHERE kind = 'override';
CREATE VIEW heartbeat AS SELECT id, body FROM record WHERE kind = 'heartbeat';

CREATE TABLE leader (
    id INTEGER NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE series (
    id $NUMBER,
    labels TEXT NOT NULL UNIQUE
);

-- `resolution` is 0 for raw samples (a row an hour), 300000 for roll-ups (a row a day).
CREATE TABLE chunk (
    series BIGINT NOT NULL,
    resolution INTEGER NOT NULL,
    start_ms BIGINT NOT NULL,
    samples INTEGER NOT NULL,
    body $BYTES NOT NULL,
    PRIMARY KEY (series, resolution, start_ms)
);
CREATE INDEX chunk_by_time ON chunk (resolution, start_ms);

-- What has been written since the hour was last closed: a row a write, all series in it.
CREATE TABLE tail (
    number $NUMBER,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    samples INTEGER NOT NULL,
    body $BYTES NOT NULL
);
