//! How sources lie on top of each other, what is refused, and that no secret is ever shown.

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn sources(file: Option<&str>, environment: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
    let directory = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(directory.path().join("art33.toml"), text).unwrap();
    }
    let sources = Sources {
        directory: directory.path().to_owned(),
        file: None,
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    (directory, sources)
}

fn loaded(file: Option<&str>, environment: &[(&str, &str)]) -> Config {
    let (_directory, sources) = sources(file, environment);
    load(&sources).unwrap()
}

fn faults(file: Option<&str>, environment: &[(&str, &str)]) -> Vec<String> {
    let (_directory, sources) = sources(file, environment);
    load(&sources).unwrap_err().faults.iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_alone_are_a_configuration() {
    let config = loaded(None, &[("HOME", "/root"), ("ART33_TEST_DATABASE_URL", "x"), ("ART33_BENCH_X", "y")]);
    assert_eq!(config.server.listen, "127.0.0.1:8033".parse().unwrap());
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8033/");
    assert_eq!(config.server.workers, None);
    assert_eq!(config.database.url.expose(), "sqlite://data/art33.db");
    assert!(matches!(&config.master_key, MasterKey::Generated(f) if f.ends_with("data/master.key")));
    assert_eq!(config.outbound.ports, Ports::Only(vec![443, 8443]));
    assert!(config.outbound.allow.is_empty() && !config.outbound.allow_http);
    assert_eq!((config.outbound.total_timeout, &config.outbound.extra_ca), (Duration::from_secs(10), &None));
    assert!(config.identity.builtin_issuer && config.identity.issuers.is_empty());
}

#[test]
fn the_sign_of_life_needs_tls_and_its_address_is_never_shown() {
    let none = loaded(None, &[]).heartbeat;
    assert!(none.url.is_none() && none.every == Duration::from_mins(1));
    let config = loaded(
        None,
        &[("ART33_HEARTBEAT_URL", "https://monitor.example/secret-of-ours"), ("ART33_HEARTBEAT_EVERY", "PT5M")],
    );
    assert_eq!(config.heartbeat.url.as_ref().unwrap().expose().as_str(), "https://monitor.example/secret-of-ours");
    assert_eq!(config.heartbeat.every, Duration::from_mins(5));
    assert!(!format!("{config:?}{}", config.effective_toml()).contains("secret-of-ours"));
    let plain = ("ART33_HEARTBEAT_URL", "http://127.0.0.1:9/ping");
    assert!(loaded(None, &[plain, ("ART33_OUTBOUND_ALLOW_HTTP", "true")]).heartbeat.url.is_some());
    for bad in [
        plain,
        ("ART33_HEARTBEAT_URL", "monitor"),
        ("ART33_HEARTBEAT_EVERY", "PT0S"),
        ("ART33_HEARTBEAT_EVERY", "often"),
    ] {
        let faults = faults(None, &[bad]);
        assert!(faults.len() == 1 && faults[0].contains(bad.0) && !faults[0].contains("127.0.0.1"), "{faults:?}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file = "data_dir = '/srv'\n[outbound]\nallow = ['10.0.0.0/8', '::1']\nports = [443, 9000]\n\
                [report]\nzone = 'Europe/Vienna'\n[rate_limit]\nper_second = 0\n";
    let config = loaded(Some(file), &[("ART33_OUTBOUND_PORTS", "any"), ("ART33_LISTEN", "[::]:80")]);
    assert_eq!(config.outbound.ports, Ports::Any);
    assert_eq!(config.outbound.allow.len(), 2);
    assert_eq!(config.report.zone, "Europe/Vienna");
    assert_eq!(config.rate_limit.per_second, None);
    assert_eq!(config.server.public_url.as_str(), "http://localhost/");
    assert_eq!(config.database.url.expose(), "sqlite:///srv/art33.db");
    assert_eq!(config.telemetry.log_format, LogFormat::Auto);
}

#[test]
fn every_fault_is_reported_at_once_and_names_its_place() {
    let file = "listen = '127.0.0.1:1'\n[server]\nlisten = 5\npublic_url = 'ftp://x'\n[nonsense]\na = 1\n";
    let environment = [
        ("ART33_DATABASE_ULR", "sqlite://x.db"),
        ("ART33_BODY_LIMIT", "0"),
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8,home"),
        ("ART33_DATABASE_URL", "mysql://db/x"),
        ("ART33_SHUTDOWN_GRACE", "30s"),
        ("ART33_REPORT_ZONE", "Europe/Nirgends"),
        ("ART33_LOG", "art33=loud"),
    ];
    let faults = faults(Some(file), &environment);
    for part in [
        "art33.toml: listen: is not a setting",
        "art33.toml: server.listen: has the wrong type; write a quoted string",
        "art33.toml: server.public_url: expects an http or https URL",
        "art33.toml: nonsense: is not a setting",
        "ART33_DATABASE_ULR: is not a setting; did you mean ART33_DATABASE_URL?",
        "ART33_BODY_LIMIT: expects a whole number above 0",
        "ART33_OUTBOUND_ALLOW: expects addresses or networks",
        "ART33_DATABASE_URL: expects a sqlite://",
        "ART33_SHUTDOWN_GRACE: expects an ISO 8601 duration",
        "ART33_REPORT_ZONE: expects an IANA time zone",
        "ART33_LOG: expects a level",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(part)), "{part} not in {faults:#?}");
    }
    assert_eq!(faults.len(), 11, "{faults:#?}");
}

#[test]
fn a_named_file_must_exist_and_a_broken_one_is_not_quoted() {
    let missing = faults(None, &[("ART33_CONFIG", "/nowhere/art33.toml")]);
    assert!(missing[0].contains("/nowhere/art33.toml: cannot be read"), "{missing:?}");
    let broken = faults(Some("data_dir = 'x'\n[keys]\nmaster = hunter2\n"), &[]);
    assert!(broken[0].contains("line 3"), "{broken:?}");
    assert!(!broken[0].contains("hunter2"), "{broken:?}");
}

#[test]
fn issuers_come_from_the_file_or_as_json() {
    let file = "[[issuers]]\nissuer = 'https://id'\nalgorithm = 'ES256'\njwks_url = 'https://id/jwks'\n";
    assert_eq!(loaded(Some(file), &[]).identity.issuers[0].issuer, "https://id");
    let json = r#"[{"issuer":"b","algorithm":"EdDSA","pem_file":"b.pem"}]"#;
    let config = loaded(Some(file), &[("ART33_ISSUERS", json)]);
    assert_eq!(config.identity.issuers.len(), 1);
    assert_eq!(config.identity.issuers[0].keys, IssuerKeys::Pem("b.pem".into()));
    assert!(faults(None, &[("ART33_ISSUERS", "none")])[0].starts_with("ART33_ISSUERS: expects issuer"));
}

#[test]
fn the_master_key_is_given_or_in_a_file_and_never_shown() {
    let config = loaded(None, &[("ART33_MASTER_KEY", KEY)]);
    assert!(matches!(&config.master_key, MasterKey::Given(key) if key.expose()[31] == 31));
    assert!(!config.effective_toml().contains(KEY));
    assert!(!format!("{config:?}").contains(KEY));
    let both = faults(None, &[("ART33_MASTER_KEY", KEY), ("ART33_MASTER_KEY_FILE", "key")]);
    assert!(both[0].contains("excludes"), "{both:?}");
    let short = faults(None, &[("ART33_MASTER_KEY", "c2hvcnQ=")]);
    assert_eq!(short, ["ART33_MASTER_KEY: expects 32 bytes in base64"]);
}

#[test]
fn the_effective_settings_are_a_file_that_means_the_same() {
    let json = r#"[{"issuer":"b","algorithm":"EdDSA","pem_file":"b.pem"}]"#;
    let environment = [
        ("ART33_DATABASE_URL", "postgres://art33:hunter2@db/art33"),
        ("ART33_ISSUERS", json),
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8, ::1"),
        ("ART33_OUTBOUND_EXTRA_CA", "own.pem"),
    ];
    let first = loaded(Some("[report]\nzone = 'UTC'\n"), &environment);
    let text = first.effective_toml();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("zone = \"UTC\"  # ") && text.contains("allow_http = false  # default"), "{text}");
    assert!(text.contains("allow = [\"127.0.0.0/8\", \"::1\"]  # ART33_OUTBOUND_ALLOW"), "{text}");
    let again = loaded(Some(&text.replace("********", "hunter2")), &[]);
    assert_eq!(again.database.url.expose(), first.database.url.expose());
    assert_eq!(again.outbound.allow, first.outbound.allow);
    assert_eq!(
        (&again.outbound.extra_ca, &first.outbound.extra_ca),
        (&Some("own.pem".into()), &Some("own.pem".into()))
    );
    assert_eq!(again.identity.issuers, first.identity.issuers);
    assert_eq!(again.server.public_url, first.server.public_url);
}

#[test]
fn a_relay_is_complete_or_refused_with_all_that_is_missing() {
    assert!(loaded(None, &[]).mail.is_none());
    let mail = loaded(
        Some(
            "[mail]\nhost = 'mail.example.org'\nfrom = 'notices@example.org'\nareas = ['DE', 'EEA']\ntls = 'starttls'\n",
        ),
        &[("ART33_MAIL_USERNAME", "art33"), ("ART33_MAIL_PASSWORD", "hunter2")],
    );
    assert!(!mail.effective_toml().contains("hunter2") && !format!("{mail:?}").contains("hunter2"));
    let mail = mail.mail.unwrap();
    assert_eq!((mail.port, mail.tls, mail.areas.len()), (587, MailTls::StartTls, 2));
    assert_eq!((mail.return_domain.as_str(), mail.hello.as_str()), ("example.org", "example.org"));
    let found = faults(
        None,
        &[
            ("ART33_MAIL_HOST", "mail.example.org"),
            ("ART33_MAIL_TLS", "maybe"),
            ("ART33_MAIL_PORT", "0"),
            ("ART33_MAIL_REPLY_TO", "nobody"),
            ("ART33_MAIL_USERNAME", "art33"),
            ("ART33_MAIL_DKIM_SELECTOR", "s1"),
        ],
    );
    for place in
        ["MAIL_TLS", "MAIL_PORT", "MAIL_REPLY_TO", "mail.from", "mail.password", "mail.dkim_key_file", "mail.areas"]
    {
        assert!(found.iter().any(|fault| fault.contains(place)), "{place} is not named: {found:?}");
    }
}
