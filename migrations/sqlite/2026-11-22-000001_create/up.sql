CREATE TABLE organisation (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    country TEXT NOT NULL,
    region TEXT,
    contacts TEXT NOT NULL,
    created_by TEXT NOT NULL,
    agreements_edition BIGINT NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX organisation_created_by ON organisation (created_by, id);

CREATE TABLE agreement (
    id TEXT NOT NULL PRIMARY KEY,
    processor_id TEXT NOT NULL REFERENCES organisation (id),
    controller_id TEXT NOT NULL REFERENCES organisation (id),
    version INTEGER NOT NULL,
    reference TEXT NOT NULL,
    products TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_until TEXT,
    terms TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (processor_id, reference)
);
CREATE INDEX agreement_processor ON agreement (processor_id, id);
CREATE INDEX agreement_controller ON agreement (controller_id, processor_id);

-- The frozen text of every version, the current one included.
CREATE TABLE agreement_version (
    agreement_id TEXT NOT NULL REFERENCES agreement (id),
    version INTEGER NOT NULL,
    reference TEXT NOT NULL,
    products TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_until TEXT,
    terms TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (agreement_id, version)
);

CREATE TABLE agreement_product (
    agreement_id TEXT NOT NULL REFERENCES agreement (id),
    product TEXT NOT NULL,
    PRIMARY KEY (product, agreement_id)
);

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
CREATE INDEX webhook_organisation ON webhook (organisation_id, id);

CREATE TABLE idempotency (
    organisation_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    answer_sealed TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, key)
);

CREATE TABLE incident (
    id TEXT NOT NULL PRIMARY KEY,
    processor_id TEXT NOT NULL REFERENCES organisation (id),
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    stage TEXT NOT NULL,
    title TEXT NOT NULL,
    detected_at BIGINT NOT NULL,
    aware_at BIGINT NOT NULL,
    awareness_reason TEXT,
    filed_at BIGINT NOT NULL,
    affected_count INTEGER NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX incident_processor ON incident (processor_id, id);

-- One controller's copy of one incident version: immutable bytes and what became of them.
CREATE TABLE notice (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL REFERENCES organisation (id),
    agreement_id TEXT NOT NULL,
    agreement_version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    type TEXT NOT NULL,
    supersedes TEXT,
    content TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    acknowledged_at BIGINT,
    UNIQUE (incident_id, controller_id, sequence)
);
CREATE INDEX notice_controller ON notice (controller_id, id);
CREATE INDEX notice_processor ON notice (processor_id, id);

CREATE TABLE duty (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    agreement_id TEXT NOT NULL,
    agreement_version INTEGER NOT NULL,
    obligation TEXT NOT NULL,
    debtor TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('not_started', 'running', 'breached', 'met')),
    span TEXT NOT NULL,
    counting_rule TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    start_event TEXT NOT NULL,
    start_at BIGINT,
    alarm_at BIGINT,
    legal_due_at BIGINT,
    internal_target_at BIGINT,
    met_at BIGINT,
    late BOOLEAN,
    urgency_at BIGINT NOT NULL,
    next_step INTEGER NOT NULL,
    next_alarm_at BIGINT
);
CREATE INDEX duty_incident ON duty (incident_id, controller_id);
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id) WHERE state <> 'met';
CREATE INDEX duty_board_controller ON duty (controller_id, urgency_at, id) WHERE state <> 'met';
CREATE INDEX duty_next_alarm ON duty (next_alarm_at) WHERE next_alarm_at IS NOT NULL;

-- The outbox. next_at is due time and end of the lease in one; finished rows leave the index.
CREATE TABLE delivery (
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
);
CREATE INDEX delivery_due ON delivery (lane, next_at) WHERE state = 'open';
CREATE INDEX delivery_notice ON delivery (notice_id);
CREATE UNIQUE INDEX delivery_duty_step ON delivery (duty_id, step, webhook_id) WHERE duty_id IS NOT NULL;

-- Opened when the work is claimed, closed with the answer: an open row says "may have been sent".
CREATE TABLE attempt (
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    url TEXT NOT NULL,
    outcome TEXT,
    kind TEXT,
    status INTEGER,
    peer TEXT,
    request_sha256 TEXT,
    response_sha256 TEXT,
    duration_us BIGINT,
    PRIMARY KEY (delivery_id, number)
);

CREATE TABLE receipt (
    id TEXT NOT NULL PRIMARY KEY,
    notice_id TEXT NOT NULL REFERENCES notice (id),
    level TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_name TEXT,
    by_role TEXT,
    content_sha256 TEXT NOT NULL,
    jws TEXT NOT NULL,
    UNIQUE (notice_id, level)
);

CREATE TABLE ledger (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    counterpart_id TEXT,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    subject TEXT NOT NULL,
    organisation_id TEXT NOT NULL,
    facts TEXT NOT NULL,
    digest TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (stream, sequence)
);
CREATE INDEX ledger_tenant ON ledger (tenant_id, position);
CREATE INDEX ledger_counterpart ON ledger (counterpart_id, position) WHERE counterpart_id IS NOT NULL;

-- The newest entry of each stream, so that a removed end is noticed and writers find their place at once.
CREATE TABLE ledger_stream (
    stream TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL
);
