//! Writes the effective settings as TOML that could stand in `art33.toml`, secrets masked.
//! Each value carries a comment that says where it came from.

use super::read::items;
use super::settings::{Kind, SETTINGS, Setting};
use super::sources::{Merged, Origin};
use super::values::MASK;
use super::{Config, Issuer, IssuerKeys, MasterKey};

pub(super) fn toml(config: &Config, merged: &Merged) -> String {
    let mut lines = Vec::new();
    let mut section = "";
    for setting in SETTINGS {
        let origin = origin(merged, setting);
        if setting.kind == Kind::Issuers {
            lines.extend(issuers(config, &origin));
            continue;
        }
        let (here, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if here != section {
            lines.push(format!("\n[{here}]"));
            section = here;
        }
        lines.push(match value(config, merged, setting) {
            Some(value) => format!("{name} = {value}  # {origin}"),
            None => format!("# {name} is not set"),
        });
    }
    lines.join("\n") + "\n"
}

fn issuers(config: &Config, origin: &str) -> Vec<String> {
    if config.identity.issuers.is_empty() {
        return vec!["\n# issuers is not set".to_owned()];
    }
    let table = |issuer: &Issuer| {
        let (name, keys) = match &issuer.keys {
            IssuerKeys::Jwks(url) => ("jwks_url", url.to_string()),
            IssuerKeys::Pem(file) => ("pem_file", file.display().to_string()),
        };
        let algorithm = quoted(&format!("{:?}", issuer.algorithm));
        let (issuer, keys) = (quoted(&issuer.issuer), quoted(&keys));
        format!("\n[[issuers]]  # {origin}\nissuer = {issuer}\nalgorithm = {algorithm}\n{name} = {keys}")
    };
    config.identity.issuers.iter().map(table).collect()
}

fn origin(merged: &Merged, setting: &Setting) -> String {
    match merged.get(setting.key).1 {
        Origin::Default => "default".to_owned(),
        Origin::File => merged.file().display().to_string(),
        Origin::Environment => setting.variable.to_owned(),
    }
}

fn value(config: &Config, merged: &Merged, setting: &Setting) -> Option<String> {
    let (text, _) = merged.get(setting.key);
    match (setting.key, setting.kind) {
        ("server.public_url", _) => Some(quoted(config.server.public_url.as_str())),
        ("mail.port", _) => config.mail.as_ref().map(|mail| mail.port.to_string()),
        ("keys.master_file", _) => match &config.master_key {
            MasterKey::Given(_) => None,
            MasterKey::File(file) | MasterKey::Generated(file) => Some(quoted(&file.display().to_string())),
        },
        (_, Kind::DatabaseUrl) => Some(quoted(&config.database.url.to_string())),
        (_, Kind::Secret) => (!text.is_empty()).then(|| quoted(MASK)),
        (_, Kind::Number | Kind::Boolean) => (!text.is_empty()).then(|| text.to_owned()),
        (_, Kind::List) => Some(list(text)),
        (_, Kind::Text) => (!text.is_empty()).then(|| quoted(text)),
        (_, Kind::Issuers) => None,
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(text: &str) -> String {
    let items: Vec<String> =
        items(text).map(|item| if item.parse::<u16>().is_ok() { item.to_owned() } else { quoted(item) }).collect();
    format!("[{}]", items.join(", "))
}
