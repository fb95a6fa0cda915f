//! The tables as Diesel sees them; the same for both databases. Written to match `migrations/`.

pub(crate) use super::schema_of_delivery::{
    attempt, delivery, endpoint, endpoint_secret, escalation, mail_dialogue, mail_report, receiver_key, task,
    task_result,
};
pub(crate) use super::schema_of_law::{
    authority_choice, authority_filing, decision, duty_clock, incident_version, instruction, obligation_row,
    received_notice, reported_milestone, source,
};

diesel::table! {
    organisation (id) {
        id -> Text,
        name -> Text,
        roles -> Text,
        country -> Text,
        region -> Nullable<Text>,
        contacts -> Text,
        created_by -> Text,
        agreements_edition -> BigInt,
        version -> Integer,
        created_at -> BigInt,
        changed_at -> BigInt,
        sector -> Text,
        regimes -> Text,
        main_establishment -> Nullable<Text>,
        release_policy -> Nullable<Text>,
    }
}

diesel::table! {
    agreement (id) {
        id -> Text,
        processor_id -> Text,
        controller_id -> Text,
        version -> Integer,
        reference -> Text,
        products -> Text,
        valid_from -> Text,
        valid_until -> Nullable<Text>,
        terms -> Text,
        created_at -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    agreement_version (agreement_id, version) {
        agreement_id -> Text,
        version -> Integer,
        reference -> Text,
        products -> Text,
        valid_from -> Text,
        valid_until -> Nullable<Text>,
        terms -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    agreement_product (product, agreement_id) {
        agreement_id -> Text,
        product -> Text,
    }
}

diesel::table! {
    idempotency (organisation_id, key) {
        organisation_id -> Text,
        key -> Text,
        request_sha256 -> Text,
        answer_sealed -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    incident (id) {
        id -> Text,
        processor_id -> Text,
        version -> Integer,
        kind -> Text,
        stage -> Text,
        title -> Text,
        detected_at -> BigInt,
        aware_at -> BigInt,
        awareness_reason -> Nullable<Text>,
        filed_at -> BigInt,
        affected_count -> Integer,
        content -> Text,
        drill -> Bool,
        withdrawn_at -> Nullable<BigInt>,
        no_duty_reason -> Nullable<Text>,
        origin -> Nullable<Text>,
    }
}

diesel::table! {
    notice (id) {
        id -> Text,
        incident_id -> Text,
        processor_id -> Text,
        controller_id -> Text,
        agreement_id -> Text,
        agreement_version -> Integer,
        sequence -> Integer,
        #[sql_name = "type"]
        type_ -> Text,
        supersedes -> Nullable<Text>,
        content -> Text,
        content_sha256 -> Text,
        created_at -> BigInt,
        delivered_at -> Nullable<BigInt>,
        acknowledged_at -> Nullable<BigInt>,
        incident_version -> Integer,
        complete -> Bool,
        drill -> Bool,
        deadline_at -> BigInt,
        informed_by -> Text,
        disputed_at -> Nullable<BigInt>,
        dispute_reason -> Nullable<Text>,
    }
}

diesel::table! {
    duty (id) {
        id -> Text,
        incident_id -> Text,
        processor_id -> Text,
        party_id -> Text,
        agreement_id -> Nullable<Text>,
        agreement_version -> Nullable<Integer>,
        obligation -> Text,
        obligation_id -> Text,
        debtor -> Text,
        recipient -> Text,
        state -> Text,
        is_open -> Bool,
        span -> Text,
        counting_rule -> Text,
        region -> Text,
        legal_basis -> Text,
        about -> Nullable<Text>,
        owner -> Nullable<Text>,
        clock_version -> Integer,
        start_at -> Nullable<BigInt>,
        alarm_at -> Nullable<BigInt>,
        legal_due_at -> Nullable<BigInt>,
        internal_target_at -> Nullable<BigInt>,
        met_at -> Nullable<BigInt>,
        late -> Nullable<Bool>,
        closed_at -> Nullable<BigInt>,
        closed_by -> Nullable<Text>,
        closed_reason -> Nullable<Text>,
        urgency_at -> BigInt,
        next_step -> Integer,
        next_alarm_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    receipt (id) {
        id -> Text,
        notice_id -> Text,
        level -> Text,
        at -> BigInt,
        by_name -> Nullable<Text>,
        by_role -> Nullable<Text>,
        content_sha256 -> Text,
        jws -> Text,
        means -> Nullable<Text>,
        evidence_sha256 -> Nullable<Text>,
        previous_sha256 -> Nullable<Text>,
        evidence -> Nullable<Text>,
    }
}

diesel::table! {
    ledger (position) {
        position -> BigInt,
        stream -> Text,
        sequence -> BigInt,
        tenant_id -> Text,
        counterpart_id -> Nullable<Text>,
        at -> BigInt,
        kind -> Text,
        object -> Text,
        subject -> Text,
        organisation_id -> Text,
        facts -> Text,
        digest -> Text,
        previous_hash -> Text,
        hash -> Text,
    }
}

diesel::table! {
    ledger_stream (stream) {
        stream -> Text,
        sequence -> BigInt,
        hash -> Text,
    }
}

diesel::joinable!(agreement_product -> agreement (agreement_id));
diesel::allow_tables_to_appear_in_same_query!(
    organisation,
    agreement,
    agreement_version,
    agreement_product,
    idempotency,
    incident,
    notice,
    duty,
    delivery,
    attempt,
    receipt,
    ledger,
    ledger_stream,
    obligation_row,
    incident_version,
    duty_clock,
    reported_milestone,
    instruction,
    decision,
    authority_filing,
    authority_choice,
    source,
    received_notice,
    endpoint,
    endpoint_secret,
    escalation,
    mail_dialogue,
    mail_report,
    task,
    task_result,
    receiver_key
);
