ALTER TABLE organisation ADD COLUMN sector TEXT NOT NULL DEFAULT 'private';
ALTER TABLE organisation ADD COLUMN regimes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE organisation ADD COLUMN main_establishment TEXT;
ALTER TABLE organisation ADD COLUMN release_policy TEXT;

-- A row of the catalogue as it stood when a duty was born from it; the id is the SHA-256 of the content.
CREATE TABLE obligation_row (
    id TEXT NOT NULL PRIMARY KEY,
    code TEXT NOT NULL,
    content TEXT NOT NULL
);

-- Duties carry the id of the row that they were born from, and may be closed without fulfilment.
INSERT INTO obligation_row (id, code, content)
SELECT DISTINCT 'before:' || obligation, obligation, CASE obligation
    WHEN 'gdpr_33_1' THEN '{"code": "gdpr_33_1", "regime": "gdpr", "basis": "Art. 33(1) GDPR", "title": {"en": "Notify the supervisory authority", "de": "Meldung an die Aufsichtsbeh\u00f6rde"}, "debtor": "controller", "recipient": "supervisory_authority", "start": "controller_informed", "end": "filed", "span": "PT72H", "rule": "eu_hours", "weekends": "counted", "holidays_of": "debtor", "threshold": "risk", "late_needs_reason": true, "valid_from": "2018-05-25", "trigger": {"kinds": ["personal_data_breach", "suspected_breach", "subprocessor_breach"], "binds": "everybody"}, "announce_before_miss": false, "on_expiry": "breach", "status": "law"}'
    ELSE '{"code": "contract_notice", "regime": "contract", "basis": "Art. 33(2) GDPR", "title": {"en": "Tell the controller", "de": "Mitteilung an den Verantwortlichen"}, "debtor": "processor", "recipient": "controller", "start": "processor_aware", "end": "controller_informed", "span": "agreement:notify_within", "rule": "natural_hours", "weekends": "counted", "holidays_of": "processor", "valid_from": "2018-05-25", "trigger": {"agreement": "notify_within", "binds": "everybody"}, "threshold": "none", "late_needs_reason": false, "announce_before_miss": false, "on_expiry": "breach", "status": "law"}'
END
FROM duty;

CREATE TABLE duty_of_law (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    party_id TEXT NOT NULL,
    agreement_id TEXT,
    agreement_version INTEGER,
    obligation TEXT NOT NULL,
    obligation_id TEXT NOT NULL REFERENCES obligation_row (id),
    debtor TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('not_started', 'running', 'breached', 'met', 'not_required', 'cancelled', 'lapsed', 'drill')
    ),
    is_open BOOLEAN NOT NULL,
    span TEXT NOT NULL,
    counting_rule TEXT NOT NULL,
    region TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    about TEXT,
    owner TEXT,
    clock_version INTEGER NOT NULL,
    start_at BIGINT,
    alarm_at BIGINT,
    legal_due_at BIGINT,
    internal_target_at BIGINT,
    met_at BIGINT,
    late BOOLEAN,
    closed_at BIGINT,
    closed_by TEXT,
    closed_reason TEXT,
    urgency_at BIGINT NOT NULL,
    next_step INTEGER NOT NULL,
    next_alarm_at BIGINT
);
INSERT INTO duty_of_law (
    id, incident_id, processor_id, party_id, agreement_id, agreement_version, obligation, obligation_id, debtor,
    recipient, state, is_open, span, counting_rule, region, legal_basis, clock_version, start_at, alarm_at,
    legal_due_at, internal_target_at, met_at, late, urgency_at, next_step, next_alarm_at
)
SELECT
    id, incident_id, processor_id, controller_id, agreement_id, agreement_version, obligation, 'before:' || obligation,
    debtor, recipient, state, state <> 'met', span, counting_rule, 'DE', legal_basis, 1, start_at, alarm_at,
    legal_due_at, internal_target_at, met_at, late, urgency_at, next_step, next_alarm_at
FROM duty;
DROP TABLE duty;
ALTER TABLE duty_of_law RENAME TO duty;
CREATE INDEX duty_incident ON duty (incident_id, party_id);
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id) WHERE is_open;
CREATE INDEX duty_board_party ON duty (party_id, urgency_at, id) WHERE is_open;
CREATE INDEX duty_next_alarm ON duty (next_alarm_at) WHERE next_alarm_at IS NOT NULL;

ALTER TABLE incident ADD COLUMN drill BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE incident ADD COLUMN withdrawn_at BIGINT;
ALTER TABLE incident ADD COLUMN no_duty_reason TEXT;
ALTER TABLE incident ADD COLUMN origin TEXT;

-- Every version of an incident as it was filed; filing is the whole body, from which every share can be derived again.
CREATE TABLE incident_version (
    incident_id TEXT NOT NULL REFERENCES incident (id),
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT,
    filing TEXT NOT NULL,
    changes TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    filed_at BIGINT NOT NULL,
    filed_by TEXT NOT NULL,
    release_state TEXT NOT NULL CHECK (release_state IN ('not_needed', 'awaited', 'released', 'sent_without')),
    release_due_at BIGINT,
    on_timeout TEXT,
    released_at BIGINT,
    released_by TEXT,
    PRIMARY KEY (incident_id, version)
);

ALTER TABLE notice ADD COLUMN incident_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE notice ADD COLUMN complete BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE notice ADD COLUMN drill BOOLEAN NOT NULL DEFAULT FALSE;

-- The clocks that a duty had before its present one, each with the reason why it was replaced.
CREATE TABLE duty_clock (
    duty_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    start_at BIGINT NOT NULL,
    alarm_at BIGINT NOT NULL,
    legal_due_at BIGINT,
    replaced_at BIGINT NOT NULL,
    replaced_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (duty_id, version)
);

-- A milestone that somebody reported, such as the classification of an incident as major.
CREATE TABLE reported_milestone (
    incident_id TEXT NOT NULL REFERENCES incident (id),
    controller_id TEXT NOT NULL,
    milestone TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_name TEXT NOT NULL,
    reason TEXT,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    PRIMARY KEY (incident_id, controller_id, milestone)
);

CREATE TABLE instruction (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    form TEXT NOT NULL,
    given_by TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    replaces TEXT,
    state TEXT NOT NULL CHECK (state IN ('unconfirmed', 'in_force', 'suspended', 'replaced')),
    confirmed_by TEXT,
    confirmed_form TEXT,
    confirmed_at BIGINT,
    objected_by TEXT,
    objection_reason TEXT,
    objected_at BIGINT,
    upheld_by TEXT,
    upheld_form TEXT,
    upheld_at BIGINT,
    replaced_by TEXT,
    replaced_at BIGINT,
    recorded_by TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX instruction_incident ON instruction (incident_id, controller_id);

CREATE TABLE decision (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    notify_authority BOOLEAN NOT NULL,
    notify_persons TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_name TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX decision_incident ON decision (incident_id, controller_id);

CREATE TABLE authority_filing (
    id TEXT NOT NULL PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id),
    processor_id TEXT NOT NULL,
    controller_id TEXT NOT NULL,
    duty_id TEXT NOT NULL,
    obligation TEXT NOT NULL,
    authority TEXT,
    stage TEXT NOT NULL,
    filed_at BIGINT NOT NULL,
    by_name TEXT NOT NULL,
    reference TEXT,
    late BOOLEAN,
    delay_reason TEXT,
    supplements TEXT,
    instruction_id TEXT,
    answered_at BIGINT,
    answer_reference TEXT,
    answer TEXT,
    answered_by TEXT,
    recorded_by TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX authority_filing_incident ON authority_filing (incident_id, controller_id);

-- An authority chosen instead of the one that follows from seat and sector.
CREATE TABLE authority_choice (
    incident_id TEXT NOT NULL REFERENCES incident (id),
    controller_id TEXT NOT NULL,
    authority TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_name TEXT NOT NULL,
    recorded_by TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, controller_id)
);

-- A sub-processor whose notices are received as signed webhooks.
CREATE TABLE source (
    id TEXT NOT NULL PRIMARY KEY,
    processor_id TEXT NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    public_key TEXT,
    secret_sealed TEXT,
    product TEXT,
    agreed_within TEXT,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX source_processor ON source (processor_id, id);

CREATE TABLE received_notice (
    source_id TEXT NOT NULL REFERENCES source (id),
    message_id TEXT NOT NULL,
    remote_incident TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    PRIMARY KEY (source_id, message_id)
);
CREATE INDEX received_notice_incident ON received_notice (source_id, remote_incident);
