//! The tables of delivery as Diesel sees them: endpoints, the outbox, its evidence, escalation, and the keys of receivers.

diesel::table! {
    endpoint (id) {
        id -> Text,
        organisation_id -> Text,
        created_by -> Text,
        channel -> Text,
        address -> Text,
        location -> Nullable<Text>,
        events -> Text,
        secret_sealed -> Text,
        health -> Text,
        failures -> Integer,
        failing_since -> Nullable<BigInt>,
        last_failure -> Nullable<Text>,
        verified_at -> Nullable<BigInt>,
        proven_at -> Nullable<BigInt>,
        next_probe_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
        version -> Integer,
        created_at -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    endpoint_secret (endpoint_id, secret_sealed) {
        endpoint_id -> Text,
        secret_sealed -> Text,
        valid_until -> BigInt,
    }
}

diesel::table! {
    delivery (id) {
        id -> Text,
        #[sql_name = "type"]
        type_ -> Text,
        notice_id -> Nullable<Text>,
        duty_id -> Nullable<Text>,
        step -> Nullable<Integer>,
        endpoint_id -> Text,
        organisation_id -> Text,
        tenant_id -> Text,
        lane -> Integer,
        state -> Text,
        next_at -> BigInt,
        deadline_at -> BigInt,
        attempts -> Integer,
        uncharged -> Integer,
        due_at -> BigInt,
        lease -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    attempt (delivery_id, number) {
        delivery_id -> Text,
        number -> Integer,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        url -> Text,
        outcome -> Nullable<Text>,
        kind -> Nullable<Text>,
        status -> Nullable<Integer>,
        peer -> Nullable<Text>,
        request_sha256 -> Nullable<Text>,
        response_sha256 -> Nullable<Text>,
        duration_us -> Nullable<BigInt>,
    }
}

diesel::table! {
    mail_dialogue (delivery_id, number) {
        delivery_id -> Text,
        number -> Integer,
        message_id -> Text,
        dialogue -> Text,
        reply_code -> Nullable<Integer>,
        enhanced_code -> Nullable<Text>,
        queue_reply -> Nullable<Text>,
        tls -> Nullable<Text>,
        dsn_requested -> Bool,
        may_have_been_sent -> Bool,
    }
}

diesel::table! {
    mail_report (id) {
        id -> Text,
        delivery_id -> Text,
        number -> Integer,
        received_at -> BigInt,
        action -> Text,
        status -> Nullable<Text>,
        diagnostic -> Nullable<Text>,
        raw -> Text,
        raw_sha256 -> Text,
    }
}

diesel::table! {
    escalation (notice_id, ladder, step) {
        notice_id -> Text,
        ladder -> Text,
        step -> Integer,
        action -> Text,
        due_at -> BigInt,
        state -> Text,
        fired_at -> Nullable<BigInt>,
        late_ms -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        begun_at -> BigInt,
        deadline_at -> BigInt,
    }
}

diesel::table! {
    task (id) {
        id -> Text,
        notice_id -> Text,
        ladder -> Text,
        step -> Nullable<Integer>,
        processor_id -> Text,
        controller_id -> Text,
        means -> Text,
        role -> Text,
        address -> Text,
        state -> Text,
        due_at -> BigInt,
        created_at -> BigInt,
        closed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    task_result (task_id, number) {
        task_id -> Text,
        number -> Integer,
        outcome -> Text,
        at -> BigInt,
        by_name -> Text,
        spoke_to -> Nullable<Text>,
        note -> Nullable<Text>,
        recorded_at -> BigInt,
        recorded_by -> Text,
    }
}

diesel::table! {
    receiver_key (id) {
        id -> Text,
        organisation_id -> Text,
        name -> Text,
        public_key -> Text,
        created_at -> BigInt,
        retired_at -> Nullable<BigInt>,
    }
}
