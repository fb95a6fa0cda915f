//! The tables about law, phases and what controllers do, as Diesel sees them; the same for both databases.

diesel::table! {
    obligation_row (id) {
        id -> Text,
        code -> Text,
        content -> Text,
    }
}

diesel::table! {
    incident_version (incident_id, version) {
        incident_id -> Text,
        version -> Integer,
        kind -> Text,
        stage -> Text,
        reason -> Nullable<Text>,
        filing -> Text,
        changes -> Text,
        content_sha256 -> Text,
        filed_at -> BigInt,
        filed_by -> Text,
        release_state -> Text,
        release_due_at -> Nullable<BigInt>,
        on_timeout -> Nullable<Text>,
        released_at -> Nullable<BigInt>,
        released_by -> Nullable<Text>,
    }
}

diesel::table! {
    duty_clock (duty_id, version) {
        duty_id -> Text,
        version -> Integer,
        start_at -> BigInt,
        alarm_at -> BigInt,
        legal_due_at -> Nullable<BigInt>,
        replaced_at -> BigInt,
        replaced_by -> Text,
        reason -> Text,
    }
}

diesel::table! {
    reported_milestone (incident_id, controller_id, milestone) {
        incident_id -> Text,
        controller_id -> Text,
        milestone -> Text,
        at -> BigInt,
        by_name -> Text,
        reason -> Nullable<Text>,
        recorded_at -> BigInt,
        recorded_by -> Text,
    }
}

diesel::table! {
    instruction (id) {
        id -> Text,
        incident_id -> Text,
        processor_id -> Text,
        controller_id -> Text,
        kind -> Text,
        scope -> Text,
        form -> Text,
        given_by -> Text,
        given_at -> BigInt,
        replaces -> Nullable<Text>,
        state -> Text,
        confirmed_by -> Nullable<Text>,
        confirmed_form -> Nullable<Text>,
        confirmed_at -> Nullable<BigInt>,
        objected_by -> Nullable<Text>,
        objection_reason -> Nullable<Text>,
        objected_at -> Nullable<BigInt>,
        upheld_by -> Nullable<Text>,
        upheld_form -> Nullable<Text>,
        upheld_at -> Nullable<BigInt>,
        replaced_by -> Nullable<Text>,
        replaced_at -> Nullable<BigInt>,
        recorded_by -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    decision (id) {
        id -> Text,
        incident_id -> Text,
        processor_id -> Text,
        controller_id -> Text,
        notify_authority -> Bool,
        notify_persons -> Text,
        reason -> Text,
        by_name -> Text,
        decided_at -> BigInt,
        recorded_by -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    authority_filing (id) {
        id -> Text,
        incident_id -> Text,
        processor_id -> Text,
        controller_id -> Text,
        duty_id -> Text,
        obligation -> Text,
        authority -> Nullable<Text>,
        stage -> Text,
        filed_at -> BigInt,
        by_name -> Text,
        reference -> Nullable<Text>,
        late -> Nullable<Bool>,
        delay_reason -> Nullable<Text>,
        supplements -> Nullable<Text>,
        instruction_id -> Nullable<Text>,
        answered_at -> Nullable<BigInt>,
        answer_reference -> Nullable<Text>,
        answer -> Nullable<Text>,
        answered_by -> Nullable<Text>,
        recorded_by -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    authority_choice (incident_id, controller_id) {
        incident_id -> Text,
        controller_id -> Text,
        authority -> Text,
        reason -> Text,
        by_name -> Text,
        recorded_by -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    source (id) {
        id -> Text,
        processor_id -> Text,
        name -> Text,
        public_key -> Nullable<Text>,
        secret_sealed -> Nullable<Text>,
        product -> Nullable<Text>,
        agreed_within -> Nullable<Text>,
        version -> Integer,
        created_at -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    received_notice (source_id, message_id) {
        source_id -> Text,
        message_id -> Text,
        remote_incident -> Text,
        received_at -> BigInt,
        body -> Text,
        incident_id -> Text,
    }
}
