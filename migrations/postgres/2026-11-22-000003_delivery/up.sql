-- Where an organisation is reached: a webhook or a mailbox, and what is known of its health. A mailbox is retired while nothing names it.
CREATE TABLE endpoint (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisation (id),
    created_by TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('webhook', 'email')),
    address TEXT NOT NULL,
    location TEXT,
    events TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    health TEXT NOT NULL CHECK (health IN ('unverified', 'healthy', 'degraded', 'gone')),
    failures INTEGER NOT NULL,
    failing_since BIGINT,
    last_failure TEXT,
    verified_at BIGINT,
    proven_at BIGINT,
    next_probe_at BIGINT,
    retired_at BIGINT,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
-- Endpoints from before verification have to prove themselves like new ones; their first probe is due at once.
INSERT INTO endpoint (
    id, organisation_id, created_by, channel, address, events, secret_sealed, health, failures, next_probe_at, version,
    created_at, changed_at
)
SELECT
    id, organisation_id, created_by, 'webhook', url, events, secret_sealed, 'unverified', failures, 0, version,
    created_at, changed_at
FROM webhook;
-- The secrets that an endpoint had before, as long as messages are signed with them too.
CREATE TABLE endpoint_secret (
    endpoint_id TEXT NOT NULL REFERENCES endpoint (id),
    secret_sealed TEXT NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, secret_sealed)
);
INSERT INTO endpoint_secret (endpoint_id, secret_sealed, valid_until)
SELECT id, previous_secret_sealed, previous_valid_until FROM webhook WHERE previous_secret_sealed IS NOT NULL;
CREATE INDEX endpoint_organisation ON endpoint (organisation_id, id);
CREATE INDEX endpoint_created_by ON endpoint (created_by, id);
CREATE INDEX endpoint_probe ON endpoint (next_probe_at) WHERE next_probe_at IS NOT NULL;
CREATE UNIQUE INDEX endpoint_mailbox ON endpoint (created_by, organisation_id, address) WHERE channel = 'email';

-- The outbox. next_at is due time and end of the lease in one; finished rows leave the index. tenant_id is whose turn it takes.
CREATE TABLE delivery_by_lane (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    notice_id TEXT,
    duty_id TEXT,
    step INTEGER,
    endpoint_id TEXT NOT NULL REFERENCES endpoint (id),
    organisation_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    lane INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'delivered', 'gone', 'closed')),
    next_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    uncharged INTEGER NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL DEFAULT 0,
    lease BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
INSERT INTO delivery_by_lane (
    id, type, notice_id, duty_id, step, endpoint_id, organisation_id, tenant_id, lane, state, next_at, deadline_at,
    attempts, lease, created_at
)
SELECT
    delivery.id, type, notice_id, duty_id, step, webhook_id, delivery.organisation_id, webhook.created_by, lane, state,
    next_at, deadline_at, attempts, lease, delivery.created_at
FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id;
DROP TABLE delivery;
DROP TABLE webhook;
ALTER TABLE delivery_by_lane RENAME TO delivery;
-- Of what is due at the same instant the shortest window goes first.
CREATE INDEX delivery_due ON delivery (lane, tenant_id, next_at, deadline_at) WHERE state = 'open';
CREATE INDEX delivery_notice ON delivery (notice_id);
CREATE INDEX delivery_endpoint ON delivery (endpoint_id, id);
CREATE UNIQUE INDEX delivery_duty_step ON delivery (duty_id, step, endpoint_id) WHERE duty_id IS NOT NULL;

-- Until when a notice is tried densely, and what starts the controller's clock: both as they stood when it was made.
ALTER TABLE notice ADD COLUMN deadline_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notice ADD COLUMN informed_by TEXT NOT NULL DEFAULT 'earlier';
ALTER TABLE notice ADD COLUMN disputed_at BIGINT;
ALTER TABLE notice ADD COLUMN dispute_reason TEXT;
UPDATE notice SET deadline_at = created_at + 86400000000;
-- What was made before had a deadline of its own for each message.
UPDATE notice SET deadline_at = (SELECT max(deadline_at) FROM delivery WHERE delivery.notice_id = notice.id)
WHERE EXISTS (SELECT 1 FROM delivery WHERE delivery.notice_id = notice.id);
CREATE INDEX notice_open ON notice (id) WHERE acknowledged_at IS NULL AND NOT drill;

-- How a receipt came about, and the receipt of the same notice before it.
ALTER TABLE receipt ADD COLUMN means TEXT;
ALTER TABLE receipt ADD COLUMN evidence_sha256 TEXT;
ALTER TABLE receipt ADD COLUMN previous_sha256 TEXT;
-- What proves it, where that came from the other side: its own signed statement, or its words.
ALTER TABLE receipt ADD COLUMN evidence TEXT;

-- The dialogue with a mail server about one attempt.
CREATE TABLE mail_dialogue (
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    dialogue TEXT NOT NULL,
    reply_code INTEGER,
    enhanced_code TEXT,
    queue_reply TEXT,
    tls TEXT,
    dsn_requested BOOLEAN NOT NULL,
    may_have_been_sent BOOLEAN NOT NULL,
    PRIMARY KEY (delivery_id, number)
);

-- What mail servers reported later about a message.
CREATE TABLE mail_report (
    id TEXT NOT NULL PRIMARY KEY,
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    received_at BIGINT NOT NULL,
    action TEXT NOT NULL,
    status TEXT,
    diagnostic TEXT,
    raw TEXT NOT NULL,
    raw_sha256 TEXT NOT NULL,
    UNIQUE (delivery_id, raw_sha256)
);

-- A step of one of the two ladders of a notice. The next step of a ladder is made when the one before has fired. begun_at and
-- deadline_at are the window of the ladder, by which its steps are timed.
CREATE TABLE escalation (
    notice_id TEXT NOT NULL REFERENCES notice (id),
    ladder TEXT NOT NULL CHECK (ladder IN ('delivered', 'acknowledged')),
    step INTEGER NOT NULL,
    action TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'fired', 'coalesced', 'not_needed')),
    fired_at BIGINT,
    late_ms BIGINT,
    outcome TEXT,
    begun_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    PRIMARY KEY (notice_id, ladder, step)
);
CREATE INDEX escalation_due ON escalation (due_at) WHERE state = 'open';

-- What a person has to do where no machine got through.
CREATE TABLE task (
    id TEXT NOT NULL PRIMARY KEY,
    notice_id TEXT NOT NULL REFERENCES notice (id),
    ladder TEXT NOT NULL,
    step INTEGER,
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    means TEXT NOT NULL CHECK (means IN ('phone', 'courier', 'registered_letter', 'clarify')),
    role TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'closed')),
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT,
    UNIQUE (notice_id, ladder, step)
);
CREATE INDEX task_processor ON task (processor_id, state, due_at, id);

CREATE TABLE task_result (
    task_id TEXT NOT NULL REFERENCES task (id),
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('informed', 'not_reached', 'wrong_contact')),
    at BIGINT NOT NULL,
    by_name TEXT NOT NULL,
    spoke_to TEXT,
    note TEXT,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    PRIMARY KEY (task_id, number)
);

-- The public keys with which a controller signs its own acknowledgements.
CREATE TABLE receiver_key (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    UNIQUE (organisation_id, public_key)
);
