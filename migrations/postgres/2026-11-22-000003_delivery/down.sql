DROP TABLE receiver_key;
DROP TABLE task_result;
DROP TABLE task;
DROP TABLE escalation;
DROP TABLE mail_report;
DROP TABLE mail_dialogue;
ALTER TABLE receipt DROP COLUMN evidence;
ALTER TABLE receipt DROP COLUMN previous_sha256;
ALTER TABLE receipt DROP COLUMN evidence_sha256;
ALTER TABLE receipt DROP COLUMN means;
DROP INDEX notice_open;
ALTER TABLE notice DROP COLUMN dispute_reason;
ALTER TABLE notice DROP COLUMN disputed_at;
ALTER TABLE notice DROP COLUMN informed_by;
ALTER TABLE notice DROP COLUMN deadline_at;

CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisation (id),
    created_by TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    previous_secret_sealed TEXT,
    previous_valid_until BIGINT,
    failures INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
INSERT INTO webhook
SELECT
    id, organisation_id, created_by, address, events, secret_sealed,
    (
        SELECT secret_sealed FROM endpoint_secret AS old WHERE old.endpoint_id = endpoint.id
        ORDER BY valid_until DESC LIMIT 1
    ),
    (SELECT max(valid_until) FROM endpoint_secret AS old WHERE old.endpoint_id = endpoint.id),
    failures, version, created_at, changed_at
FROM endpoint WHERE channel = 'webhook';
CREATE INDEX webhook_organisation ON webhook (organisation_id, id);

-- Messages to mailboxes, and event types that were not known before, have no place in the earlier table.
CREATE TABLE delivery_before (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    notice_id TEXT,
    duty_id TEXT,
    step INTEGER,
    webhook_id TEXT NOT NULL REFERENCES webhook (id),
    organisation_id TEXT NOT NULL,
    lane INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'delivered', 'gone', 'closed')),
    next_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    lease BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
INSERT INTO delivery_before
SELECT
    id, type, notice_id, duty_id, step, endpoint_id, organisation_id, CASE WHEN lane = 0 THEN 0 ELSE 1 END, state,
    next_at, deadline_at, attempts, lease, created_at
FROM delivery
WHERE endpoint_id IN (SELECT id FROM webhook)
    AND type NOT IN ('endpoint.verify', 'notice.reminder', 'notice.escalated', 'notice.disputed');
DROP TABLE delivery;
DROP TABLE endpoint_secret;
DROP TABLE endpoint;
ALTER TABLE delivery_before RENAME TO delivery;
CREATE INDEX delivery_due ON delivery (lane, next_at) WHERE state = 'open';
CREATE INDEX delivery_notice ON delivery (notice_id);
CREATE UNIQUE INDEX delivery_duty_step ON delivery (duty_id, step, webhook_id) WHERE duty_id IS NOT NULL;
