DROP TABLE received_notice;
DROP TABLE source;
DROP TABLE authority_choice;
DROP TABLE authority_filing;
DROP TABLE decision;
DROP TABLE instruction;
DROP TABLE reported_milestone;
DROP TABLE duty_clock;
ALTER TABLE notice DROP COLUMN drill;
ALTER TABLE notice DROP COLUMN complete;
ALTER TABLE notice DROP COLUMN incident_version;
DROP TABLE incident_version;
ALTER TABLE incident DROP COLUMN origin;
ALTER TABLE incident DROP COLUMN no_duty_reason;
ALTER TABLE incident DROP COLUMN withdrawn_at;
ALTER TABLE incident DROP COLUMN drill;

-- The states that were not known before, and duties without a controller, have no place in the earlier table.
DELETE FROM duty WHERE state NOT IN ('not_started', 'running', 'breached', 'met') OR agreement_id IS NULL;
CREATE TABLE duty_before (
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
INSERT INTO duty_before
SELECT
    id, incident_id, processor_id, party_id, agreement_id, agreement_version, obligation, debtor, recipient, state,
    span, counting_rule, legal_basis,
    CASE WHEN debtor = processor_id THEN 'processor_aware' ELSE 'controller_informed' END,
    start_at, alarm_at, legal_due_at, internal_target_at, met_at, late, urgency_at, next_step, next_alarm_at
FROM duty;
DROP TABLE duty;
ALTER TABLE duty_before RENAME TO duty;
CREATE INDEX duty_incident ON duty (incident_id, controller_id);
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id) WHERE state <> 'met';
CREATE INDEX duty_board_controller ON duty (controller_id, urgency_at, id) WHERE state <> 'met';
CREATE INDEX duty_next_alarm ON duty (next_alarm_at) WHERE next_alarm_at IS NOT NULL;
DROP TABLE obligation_row;
ALTER TABLE organisation DROP COLUMN release_policy;
ALTER TABLE organisation DROP COLUMN main_establishment;
ALTER TABLE organisation DROP COLUMN regimes;
ALTER TABLE organisation DROP COLUMN sector;
