//! Every setting there is, in one table: file key, environment variable, default, what it expects, what it does.
//! The loader, `art33 config` and the README's table all read it; no setting exists outside it.

/// How a value is written in the file, and whether it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A TOML string.
    Text,
    /// A TOML string that is never shown.
    Secret,
    /// A TOML string whose password is never shown.
    DatabaseUrl,
    /// A TOML integer.
    Number,
    /// A TOML boolean.
    Boolean,
    /// A TOML array of strings or integers; comma-separated in the environment.
    List,
    /// `[[issuers]]` tables; a JSON array in the environment.
    Issuers,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Dotted key in `art33.toml`.
    pub key: &'static str,
    /// Name of the environment variable, which wins over the file.
    pub variable: &'static str,
    /// Text form of the default; empty where there is none or where it follows from other settings.
    pub default: &'static str,
    /// The default as people read it.
    pub default_shown: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What a value must look like, as said in a fault.
    pub expects: &'static str,
    /// What it does.
    pub about: &'static str,
}

const fn row(
    kind: Kind,
    key: &'static str,
    variable: &'static str,
    default: &'static str,
    expects: &'static str,
    about: &'static str,
) -> Setting {
    Setting { key, variable, default, default_shown: default, kind, expects, about }
}

const fn derived(setting: Setting, default_shown: &'static str) -> Setting {
    Setting { default_shown, ..setting }
}

use Kind::{Boolean, DatabaseUrl, Issuers, List, Number, Secret, Text};

const DURATION: &str = "an ISO 8601 duration such as PT10S";
const POSITIVE: &str = "a whole number above 0";
const YES_NO: &str = "true or false";

/// All settings, in the order in which they are shown.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row(Text, "data_dir", "ART33_DATA_DIR", "data", "a directory", "Where the embedded database and generated keys live."),
    row(Text, "server.listen", "ART33_LISTEN", "127.0.0.1:8033", "an address and port such as 127.0.0.1:8033", "Address and port the HTTP server binds; port 0 picks a free one."),
    derived(row(Text, "server.public_url", "ART33_PUBLIC_URL", "", "an http or https URL", "How clients reach the service; stands in notices and tokens."), "http:// and server.listen"),
    row(Number, "server.workers", "ART33_WORKERS", "0", "a whole number, 0 for one per core", "HTTP worker threads; 0 is one per core."),
    row(Number, "server.body_limit", "ART33_BODY_LIMIT", "8388608", POSITIVE, "Largest request body in bytes."),
    row(Number, "server.import_limit", "ART33_IMPORT_LIMIT", "67108864", POSITIVE, "Largest body of an import in bytes."),
    row(Text, "server.shutdown_grace", "ART33_SHUTDOWN_GRACE", "PT30S", DURATION, "How long running work may finish after the first stop signal."),
    row(Number, "rate_limit.per_second", "ART33_RATE_LIMIT_PER_SECOND", "200", "a whole number, 0 for no limit", "Sustained requests per second and token subject; 0 switches the limit off."),
    row(Number, "rate_limit.burst", "ART33_RATE_LIMIT_BURST", "400", POSITIVE, "Requests a quiet subject may send at once."),
    derived(row(DatabaseUrl, "database.url", "ART33_DATABASE_URL", "", "a sqlite://, postgres:// or postgresql:// URL", "Which database; the scheme picks the kind."), "sqlite://<data_dir>/art33.db"),
    row(Number, "database.connections", "ART33_DATABASE_CONNECTIONS", "8", POSITIVE, "Connections in the pool; on SQLite these read, one more writes."),
    row(Secret, "keys.master", "ART33_MASTER_KEY", "", "32 bytes in base64", "Master key that seals stored secrets; excludes keys.master_file."),
    derived(row(Text, "keys.master_file", "ART33_MASTER_KEY_FILE", "", "a file holding 32 bytes in base64", "File with the master key; the default file is made on first start."), "<data_dir>/master.key"),
    row(Text, "identity.audience", "ART33_AUDIENCE", "art33", "a name", "The `aud` every token must carry."),
    row(Boolean, "identity.builtin_issuer", "ART33_BUILTIN_ISSUER", "true", YES_NO, "Accept tokens made by `art33 token`."),
    derived(row(Issuers, "issuers", "ART33_ISSUERS", "", "issuer, algorithm (EdDSA, ES256 or RS256) and one of jwks_url and pem_file", "Token issuers: `[[issuers]]` tables in the file, a JSON array in the environment."), "none"),
    derived(row(List, "outbound.allow", "ART33_OUTBOUND_ALLOW", "", "addresses or networks such as 127.0.0.0/8,::1", "Private networks that webhooks may reach all the same."), "none"),
    row(Boolean, "outbound.allow_http", "ART33_OUTBOUND_ALLOW_HTTP", "false", YES_NO, "Allow webhooks without TLS."),
    row(List, "outbound.ports", "ART33_OUTBOUND_PORTS", "443,8443", "port numbers such as 443,8443, or any", "Ports that webhooks may use; `any` for all."),
    row(Text, "outbound.connect_timeout", "ART33_OUTBOUND_CONNECT_TIMEOUT", "PT3S", DURATION, "Longest wait for a connection with TLS."),
    row(Text, "outbound.total_timeout", "ART33_OUTBOUND_TOTAL_TIMEOUT", "PT10S", DURATION, "Longest wait for a whole attempt."),
    derived(row(Text, "outbound.extra_ca", "ART33_OUTBOUND_EXTRA_CA", "", "a PEM file", "Certificate authorities that webhooks may rest on beside the machine's, as those of a private network."), "none"),
    row(Number, "delivery.concurrency", "ART33_DELIVERY_CONCURRENCY", "2048", POSITIVE, "Attempts under way at the same time, as long as they are prompt."),
    row(Number, "delivery.waiting", "ART33_DELIVERY_WAITING", "8192", POSITIVE, "Attempts that may wait for slow receivers beside those; each holds a connection."),
    row(Number, "delivery.per_host", "ART33_DELIVERY_PER_HOST", "8", POSITIVE, "Attempts at one host at the same time."),
    row(Number, "delivery.per_endpoint", "ART33_DELIVERY_PER_ENDPOINT", "2", POSITIVE, "Attempts at one endpoint at the same time."),
    derived(row(Secret, "heartbeat.url", "ART33_HEARTBEAT_URL", "", "an https URL, or an http one where outbound.allow_http is set", "Called with GET while all notices are on their way; whoever is called raises the alarm when it stays away."), "none"),
    row(Text, "heartbeat.every", "ART33_HEARTBEAT_EVERY", "PT1M", DURATION, "How often at most; it goes with an audit, and those come every minute."),
    derived(row(Text, "mail.host", "ART33_MAIL_HOST", "", "a host", "Mail relay that notices are handed to; without one no e-mail is sent."), "no e-mail"),
    derived(row(Number, "mail.port", "ART33_MAIL_PORT", "", "a port", "Its port."), "465, 587 or 25, by mail.tls"),
    row(Text, "mail.tls", "ART33_MAIL_TLS", "implicit", "implicit, starttls or none", "Encryption towards the relay; `none` only for one on this machine."),
    derived(row(Text, "mail.username", "ART33_MAIL_USERNAME", "", "a user name", "User name at the relay."), "none"),
    derived(row(Secret, "mail.password", "ART33_MAIL_PASSWORD", "", "a password", "Password at the relay."), "none"),
    derived(row(Text, "mail.from", "ART33_MAIL_FROM", "", "an e-mail address", "Address of the sender; required with mail.host."), "none"),
    derived(row(Text, "mail.from_name", "ART33_MAIL_FROM_NAME", "", "a name", "Name shown beside it."), "none"),
    derived(row(Text, "mail.reply_to", "ART33_MAIL_REPLY_TO", "", "an e-mail address", "Where answers of people go."), "mail.from"),
    derived(row(Text, "mail.return_domain", "ART33_MAIL_RETURN_DOMAIN", "", "a domain", "Domain of the return paths; its mail server hands what comes there to `art33 bounce`."), "the domain of mail.from"),
    derived(row(Text, "mail.hello", "ART33_MAIL_HELLO", "", "a host name", "Name that the relay is greeted with."), "the domain of mail.from"),
    derived(row(List, "mail.areas", "ART33_MAIL_AREAS", "", "countries such as DE,FR, or EU or EEA", "Where the relay stands; required with mail.host. A notice whose agreement does not allow one of them is not mailed."), "none"),
    derived(row(Text, "mail.extra_ca", "ART33_MAIL_EXTRA_CA", "", "a PEM file", "Certificate authorities that the relay may be signed by beside those of the machine."), "none"),
    derived(row(Text, "mail.dkim_domain", "ART33_MAIL_DKIM_DOMAIN", "", "a domain", "Domain that mail is signed for."), "the domain of mail.from"),
    derived(row(Text, "mail.dkim_selector", "ART33_MAIL_DKIM_SELECTOR", "", "a name", "Selector of the DKIM key; without one mail is not signed here."), "none"),
    derived(row(Text, "mail.dkim_key_file", "ART33_MAIL_DKIM_KEY_FILE", "", "a PEM file", "File with the private RSA key for DKIM."), "none"),
    row(Text, "mail.connect_timeout", "ART33_MAIL_CONNECT_TIMEOUT", "PT10S", DURATION, "Longest wait for a connection to the relay."),
    row(Text, "mail.total_timeout", "ART33_MAIL_TOTAL_TIMEOUT", "PT30S", DURATION, "Longest wait for a whole hand-over."),
    derived(row(Text, "report.template", "ART33_REPORT_TEMPLATE", "", "a Typst file", "Template that replaces the built-in report."), "built in"),
    row(Text, "report.zone", "ART33_REPORT_ZONE", "Europe/Berlin", "an IANA time zone such as Europe/Berlin", "Time zone in which reports show times."),
    derived(row(Text, "law.obligations", "ART33_LAW_OBLIGATIONS", "", "a TOML file", "Catalogue of obligations that replaces the built-in one."), "built in"),
    derived(row(Text, "law.regions", "ART33_LAW_REGIONS", "", "a TOML file", "Zones and holidays per region that replace the built-in ones."), "built in"),
    derived(row(Text, "law.authorities", "ART33_LAW_AUTHORITIES", "", "a TOML file", "Supervisory authorities that replace the built-in ones."), "built in"),
    row(Text, "telemetry.log", "ART33_LOG", "info", "a level or target list such as info,art33=debug", "What is logged."),
    row(Text, "telemetry.log_format", "ART33_LOG_FORMAT", "auto", "auto, human or json", "How it is logged; `auto` is human on a terminal, JSON otherwise."),
];

/// Finds a setting by its key in the file.
pub(super) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The table of all settings as Markdown, as it stands in the README.
pub fn markdown_table() -> String {
    let head = "| `art33.toml` | environment | default | what it does |\n|---|---|---|---|\n";
    let rows = SETTINGS.iter().map(|setting| {
        let default = match setting.default_shown {
            "" => "none".to_owned(),
            shown if shown == setting.default => format!("`{shown}`"),
            shown => shown.replace('<', "&lt;").replace('>', "&gt;"),
        };
        format!("| `{}` | `{}` | {default} | {} |\n", setting.key, setting.variable, setting.about)
    });
    std::iter::once(head.to_owned()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_variables_are_unique_and_described() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            for other in &SETTINGS[index + 1..] {
                assert_ne!(setting.key, other.key);
                assert_ne!(setting.variable, other.variable);
            }
            assert!(setting.variable.starts_with("ART33_"), "{}", setting.variable);
            assert!(setting.about.ends_with('.'), "{}", setting.key);
        }
    }

    #[test]
    fn the_markdown_table_has_one_row_per_setting() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), SETTINGS.len() + 2);
        assert!(table.contains("| `server.listen` | `ART33_LISTEN` | `127.0.0.1:8033` |"));
        assert!(table.contains("| `ART33_DATABASE_URL` | sqlite://&lt;data_dir&gt;/art33.db |"));
    }
}
