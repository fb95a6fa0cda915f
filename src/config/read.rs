//! Turns merged texts into the typed configuration, section by section.
//! Each section reads all of its values before it gives up, so that every fault is found.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use url::Url;

use super::settings::by_key;
use super::sources::{Merged, Origin};
use super::{
    Config, ConfigError, Database, DatabaseUrl, Delivery, Heartbeat, Identity, Law, LogFormat, MasterKey, Outbound,
    Ports, RateLimit, Report, Secret, Server, Sources, Telemetry, effective, issuers, mail, url_of, values,
};

pub(super) fn config(sources: &Sources) -> Result<Config, ConfigError> {
    let mut reader = Reader { merged: Merged::read(sources) };
    let config = sections(&mut reader);
    match config {
        Some(config) if reader.merged.faults.is_empty() => Ok(config),
        _ => Err(ConfigError { faults: reader.merged.faults }),
    }
}

fn delivery(reader: &mut Reader) -> Option<Delivery> {
    let (concurrency, waiting) = (reader.parse("delivery.concurrency"), reader.parse("delivery.waiting"));
    let (per_host, per_endpoint) = (reader.parse("delivery.per_host"), reader.parse("delivery.per_endpoint"));
    Some(Delivery { concurrency: concurrency?, waiting: waiting?, per_host: per_host?, per_endpoint: per_endpoint? })
}

fn sections(reader: &mut Reader) -> Option<Config> {
    let data_dir = reader.text("data_dir").map(PathBuf::from);
    let beside = data_dir.clone().unwrap_or_default();
    let server = server(reader);
    let rate_limit = rate_limit(reader);
    let database = database(reader, &beside);
    let master_key = master_key(reader, &beside);
    let identity = identity(reader);
    let outbound = outbound(reader);
    let delivery = delivery(reader);
    let heartbeat = heartbeat(reader);
    let mail = mail::read(reader);
    let report = report(reader);
    let law = law(reader);
    let telemetry = telemetry(reader);
    let mut config = Config {
        data_dir: data_dir?,
        server: server?,
        rate_limit: rate_limit?,
        database: database?,
        master_key: master_key?,
        identity: identity?,
        outbound: outbound?,
        delivery: delivery?,
        mail,
        heartbeat: heartbeat?,
        report: report?,
        law,
        telemetry: telemetry?,
        effective: String::new(),
    };
    config.effective = effective::toml(&config, &reader.merged);
    Some(config)
}

/// Hands out typed values and notes a fault for each text that does not fit.
pub(super) struct Reader {
    merged: Merged,
}

impl Reader {
    pub(super) fn read<T>(&mut self, key: &str, understand: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let setting = by_key(key)?;
        let value = understand(self.merged.get(key).0);
        if value.is_none() {
            self.merged.fault(self.merged.place(setting), format!("expects {}", setting.expects));
        }
        value
    }

    fn parse<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.read(key, |text| text.parse().ok())
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// A text that may be left out.
    pub(super) fn given(&self, key: &str) -> Option<String> {
        let (text, _) = self.merged.get(key);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Notes what is wrong with a setting.
    pub(super) fn fault(&mut self, key: &str, problem: &str) {
        self.merged.fault(key.to_owned(), problem.to_owned());
    }

    /// A file that may be left out.
    pub(super) fn file(&self, key: &str) -> Option<PathBuf> {
        let (text, _) = self.merged.get(key);
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    pub(super) fn time_limit(&mut self, key: &str) -> Option<Duration> {
        self.read(key, |text| values::duration(text).filter(|limit| !limit.is_zero()))
    }
}

fn server(reader: &mut Reader) -> Option<Server> {
    let listen = reader.parse("server.listen");
    let public_url = reader.read("server.public_url", |text| match (text, listen) {
        ("", Some(listen)) => url_of(listen),
        // The address is at fault, and said so above.
        ("", None) => Url::parse("http://localhost").ok(),
        (text, _) => Url::parse(text).ok().filter(is_web),
    });
    let workers = reader.parse::<usize>("server.workers");
    let body_limit = reader.parse("server.body_limit");
    let import_limit = reader.parse("server.import_limit");
    let shutdown_grace = reader.read("server.shutdown_grace", values::duration);
    Some(Server {
        listen: listen?,
        public_url: public_url?,
        workers: workers?.try_into().ok(),
        body_limit: body_limit?,
        import_limit: import_limit?,
        shutdown_grace: shutdown_grace?,
    })
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
}

fn rate_limit(reader: &mut Reader) -> Option<RateLimit> {
    let per_second = reader.parse::<u32>("rate_limit.per_second");
    let burst = reader.parse("rate_limit.burst");
    Some(RateLimit { per_second: NonZeroU32::new(per_second?), burst: burst? })
}

fn database(reader: &mut Reader, data_dir: &std::path::Path) -> Option<Database> {
    let url = reader.read("database.url", |text| match text {
        "" => DatabaseUrl::parse(&format!("sqlite://{}", data_dir.join("art33.db").display())),
        text => DatabaseUrl::parse(text),
    });
    let connections = reader.parse("database.connections");
    Some(Database { url: url?, connections: connections? })
}

fn master_key(reader: &mut Reader, data_dir: &std::path::Path) -> Option<MasterKey> {
    let file = reader.file("keys.master_file");
    let given = reader.merged.get("keys.master").1 != Origin::Default;
    if given && file.is_some() {
        let problem = "excludes keys.master_file; give one of the two".to_owned();
        reader.merged.fault("keys.master".to_owned(), problem);
        return None;
    }
    if given {
        return reader.read("keys.master", |text| {
            let bytes = STANDARD.decode(text).ok()?;
            Some(MasterKey::Given(Secret::new(bytes.try_into().ok()?)))
        });
    }
    Some(file.map_or_else(|| MasterKey::Generated(data_dir.join("master.key")), MasterKey::File))
}

fn identity(reader: &mut Reader) -> Option<Identity> {
    let audience = reader.text("identity.audience");
    let builtin_issuer = reader.parse("identity.builtin_issuer");
    let entries = reader.read("issuers", |text| match text {
        "" => Some(Vec::new()),
        text => serde_json::from_str(text).ok(),
    });
    let issuers = issuers::read(entries.unwrap_or_default())
        .map_err(|faults| {
            let place = by_key("issuers").map_or_else(String::new, |s| reader.merged.place(s));
            for fault in faults {
                reader.merged.fault(place.clone(), fault);
            }
        })
        .ok();
    Some(Identity { audience: audience?, builtin_issuer: builtin_issuer?, issuers: issuers? })
}

fn outbound(reader: &mut Reader) -> Option<Outbound> {
    let allow = reader.read("outbound.allow", |text| items(text).map(network).collect());
    let allow_http = reader.parse("outbound.allow_http");
    let ports = reader.read("outbound.ports", |text| match text {
        "any" => Some(Ports::Any),
        text => {
            let ports: Option<Vec<u16>> = items(text).map(|item| item.parse().ok()).collect();
            ports.filter(|ports| !ports.is_empty() && !ports.contains(&0)).map(Ports::Only)
        }
    });
    let connect_timeout = reader.time_limit("outbound.connect_timeout");
    let total_timeout = reader.time_limit("outbound.total_timeout");
    let extra_ca = reader.file("outbound.extra_ca");
    Some(Outbound {
        allow: allow?,
        allow_http: allow_http?,
        ports: ports?,
        connect_timeout: connect_timeout?,
        total_timeout: total_timeout?,
        extra_ca,
    })
}

/// The items of a comma-separated list.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse().map(|address: std::net::IpAddr| address.into()).ok())
}

fn heartbeat(reader: &mut Reader) -> Option<Heartbeat> {
    let allow_http = reader.merged.get("outbound.allow_http").0 == "true";
    let is_fit = |url: &Url| url.scheme() == "https" || (allow_http && url.scheme() == "http");
    let url = reader.read("heartbeat.url", |text| match text {
        "" => Some(None),
        text => Url::parse(text).ok().filter(is_fit).map(Some),
    });
    let every = reader.time_limit("heartbeat.every");
    Some(Heartbeat { url: url?.map(Secret::new), every: every? })
}

fn report(reader: &mut Reader) -> Option<Report> {
    let template = reader.file("report.template");
    let zone = reader.read("report.zone", |text| tzdb::tz_by_name(text).map(|_| text.to_owned()));
    Some(Report { template, zone: zone? })
}

fn law(reader: &mut Reader) -> Law {
    Law {
        obligations: reader.file("law.obligations"),
        regions: reader.file("law.regions"),
        authorities: reader.file("law.authorities"),
    }
}

fn telemetry(reader: &mut Reader) -> Option<Telemetry> {
    let log = reader.parse("telemetry.log");
    let log_format = reader.read("telemetry.log_format", |text| match text {
        "auto" => Some(LogFormat::Auto),
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    Some(Telemetry { log: log?, log_format: log_format? })
}
