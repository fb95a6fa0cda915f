//! Who may import whom: reads every file under `src/` and fails on a path that the table below does not allow.
//! Also holds every file to its length and its opening `//!` lines. Paths are found in tokens, not in text.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One room: what of the other rooms and which dependencies it may name.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    crates: Crates,
}

/// Which dependencies a room may name.
#[derive(Clone, Copy, PartialEq)]
enum Crates {
    /// Only these.
    Only(&'static [&'static str]),
    /// All but those that `OWNED` gives to others.
    NotOwned,
    /// All: only where everything is put together.
    Any,
}

use Crates::{Any, NotOwned, Only};

const ALL_ROOMS: &[&str] = &[""];
const PURE: &[&str] =
    &["mail_parser", "serde", "serde_json", "thiserror", "time", "type_safe_id", "tzdb", "url", "uuid"];
const TYPESET: &[&str] = &[
    "askama",
    "serde",
    "serde_json",
    "thiserror",
    "time",
    "type_safe_id",
    "typst",
    "typst_assets",
    "typst_layout",
    "typst_pdf",
    "tzdb",
    "url",
];

/// The rule. `store::Store` means: that name only.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    Room { name: "domain", rooms: &[], crates: Only(PURE) },
    Room { name: "report", rooms: &["domain"], crates: Only(TYPESET) },
    Room { name: "clock", rooms: &[], crates: Only(&["time"]) },
    Room { name: "entropy", rooms: &[], crates: Only(&["aws_lc_rs", "thiserror", "time", "tracing", "uuid"]) },
    Room { name: "crypto", rooms: &["domain", "entropy"], crates: NotOwned },
    Room { name: "identity", rooms: &["domain", "clock", "crypto"], crates: NotOwned },
    Room { name: "store", rooms: &["domain", "crypto", "telemetry"], crates: NotOwned },
    Room { name: "outbound", rooms: &["domain", "crypto"], crates: NotOwned },
    Room { name: "service", rooms: &["domain", "store", "clock", "entropy", "crypto", "report", "telemetry"], crates: NotOwned },
    Room { name: "worker", rooms: &["service", "outbound", "clock", "domain", "store::Store", "telemetry"], crates: NotOwned },
    Room { name: "http", rooms: &["service", "domain", "clock", "report", "identity", "telemetry"], crates: NotOwned },
    Room { name: "config", rooms: &[], crates: NotOwned },
    Room { name: "telemetry", rooms: &["config"], crates: NotOwned },
    Room { name: "cli", rooms: ALL_ROOMS, crates: Any },
    Room { name: "app", rooms: ALL_ROOMS, crates: Any },
    Room { name: "demo", rooms: ALL_ROOMS, crates: Any },
    Room { name: "bench", rooms: ALL_ROOMS, crates: Any },
];

/// Dependencies that belong to one room, or few.
const OWNED: &[(&str, &[&str])] = &[
    ("actix_web", &["http"]),
    ("askama", &["report"]),
    ("aws_lc_rs", &["crypto", "entropy"]),
    ("clap", &["cli"]),
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("hickory_resolver", &["outbound"]),
    ("ipnet", &["outbound", "config"]),
    ("jsonwebtoken", &["identity"]),
    ("libsqlite3_sys", &["store"]),
    ("mail_builder", &["outbound"]),
    ("mail_parser", &["domain"]),
    ("mail_send", &["outbound"]),
    ("metrics", &["telemetry"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    ("rcgen", &["bench"]),
    ("reqwest", &["outbound"]),
    ("rlimit", &["cli"]),
    ("rustls", &["outbound"]),
    ("rustls_platform_verifier", &["outbound"]),
    ("smtp_proto", &["outbound"]),
    ("strsim", &["config"]),
    ("tokio_rustls", &["outbound", "bench"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["telemetry", "config"]),
    ("typst", &["report"]),
    ("typst_assets", &["report"]),
    ("typst_layout", &["report"]),
    ("typst_pdf", &["report"]),
    ("uuid", &["domain", "entropy"]),
];

/// Parts of a room that no other room may name, whatever the table says.
const PRIVATE: &[&str] = &["store::schema"];

/// Every path that the tokens name, as segments; what stands only in tests is left out.
struct Paths {
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    /// `module` is the file's own module path, by which `super` is resolved.
    fn of(source: &str, module: &[String]) -> BTreeSet<Vec<String>> {
        let mut paths = Self { found: BTreeSet::new() };
        paths.walk(source.parse().expect("the file is Rust"), module);
        paths.found
    }

    fn walk(&mut self, stream: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if is_test_attribute(&tokens[at..]) {
                at = end_of_item(&tokens, at);
                continue;
            }
            match &tokens[at] {
                TokenTree::Group(group) => match inline_module(&tokens, at) {
                    Some(name) => self.walk(group.stream(), &[module, &[name]].concat()),
                    None => self.walk(group.stream(), module),
                },
                TokenTree::Ident(_) if begins_path(&tokens, at) => self.path(&tokens, at, Vec::new(), module),
                _ => {}
            }
            at += 1;
        }
    }

    /// Follows one path from its first segment, through groups of a `use` tree too.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, mut segments: Vec<String>, module: &[String]) {
        while let Some(TokenTree::Ident(name)) = tokens.get(at) {
            segments.push(name.to_string());
            at += 1;
            if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
                break;
            }
            at += 2;
        }
        match tokens.get(at) {
            Some(TokenTree::Group(group)) if at > 0 && is_punct(tokens.get(at - 1), ':') => {
                let items: Vec<TokenTree> = group.stream().into_iter().collect();
                for item in items.split(|token| is_punct(Some(token), ',')) {
                    self.path(item, 0, segments.clone(), module);
                }
            }
            _ => drop(self.found.insert(resolve(segments, module))),
        }
    }
}

/// Turns leading `super`s into a path from the crate root.
fn resolve(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let steps = segments.iter().take_while(|segment| *segment == "super").count();
    if steps == 0 {
        return segments;
    }
    let base = &module[..module.len().saturating_sub(steps)];
    [&["crate".to_owned()], base, &segments[steps..]].concat()
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// A first segment is followed by `::`, or stands alone behind `use`.
fn begins_path(tokens: &[TokenTree], at: usize) -> bool {
    let colons = |from: usize| is_punct(tokens.get(from), ':') && is_punct(tokens.get(from + 1), ':');
    let continues = at > 1 && colons(at - 2);
    let imported = at > 0 && tokens[at - 1].to_string() == "use";
    !continues && (imported || colons(at + 1))
}

fn inline_module(tokens: &[TokenTree], at: usize) -> Option<String> {
    let keyword = tokens.get(at.checked_sub(2)?)?;
    (keyword.to_string() == "mod").then(|| tokens[at - 1].to_string())
}

fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let is_cfg = |token: &TokenTree| token.to_string().replace(' ', "") == "[cfg(test)]";
    is_punct(tokens.first(), '#') && tokens.get(1).is_some_and(is_cfg)
}

fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(Some(other), ';'),
    };
    tokens[start..].iter().position(is_end).map_or(tokens.len(), |length| start + length + 1)
}

/// The paths of one file that its room must not name.
fn violations(room: &Room, source: &str, module: &[String], dependencies: &BTreeSet<String>) -> Vec<String> {
    let forbidden = |segments: &Vec<String>| {
        let head = segments.first().map(String::as_str).unwrap_or_default();
        if head == "crate" {
            is_foreign(room, &segments[1..])
        } else {
            is_dependency_of_others(room, head, dependencies)
        }
    };
    Paths::of(source, module).into_iter().filter(forbidden).map(|segments| segments.join("::")).collect()
}

fn is_foreign(room: &Room, segments: &[String]) -> bool {
    let Some(target) = segments.first() else { return false };
    let is_room = ROOMS.iter().any(|known| known.name == target);
    let path = segments.join("::");
    let within = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}::"));
    let allowed = room.rooms == ALL_ROOMS || room.rooms.iter().any(|prefix| within(prefix));
    is_room && target != room.name && (!allowed || PRIVATE.iter().any(|prefix| within(prefix)))
}

fn is_dependency_of_others(room: &Room, head: &str, dependencies: &BTreeSet<String>) -> bool {
    dependencies.contains(head)
        && match room.crates {
            Any => false,
            Only(names) => !names.contains(&head),
            NotOwned => OWNED.iter().any(|(name, owners)| *name == head && !owners.contains(&room.name)),
        }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.extension() {
            _ if path.is_dir() => files.extend(rust_files(&path)),
            Some(extension) if extension == "rs" => files.push(path),
            _ => {}
        }
    }
    files.sort();
    files
}

/// `src/store/write.rs` is `store::write`; `mod.rs` is its directory; the two roots are nothing.
fn module_of(file: &Path) -> Vec<String> {
    let below = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut module: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn dependencies() -> BTreeSet<String> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn no_room_imports_what_it_must_not() {
    let dependencies = dependencies();
    let mut faults = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        let Some(name) = module.first() else { continue };
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            faults.push(format!("{} lies in no room of the table", file.display()));
            continue;
        };
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        for path in violations(room, &source, &module, &dependencies) {
            faults.push(format!("{}: `{name}` must not name `{path}`", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_owned_crate_is_a_dependency() {
    let dependencies = dependencies();
    for (name, _) in OWNED {
        assert!(dependencies.contains(*name), "{name} is owned but no dependency");
    }
}

#[test]
fn files_are_short_and_say_what_they_hold() {
    let mut faults = Vec::new();
    for file in ["src", "tests", "benches"].iter().flat_map(|directory| rust_files(&root().join(directory))) {
        let source = std::fs::read_to_string(&file).unwrap();
        let length = source.lines().count();
        let opening = source.lines().take_while(|line| line.starts_with("//!")).count();
        if length > 400 {
            faults.push(format!("{} has {length} lines, more than 400", file.display()));
        }
        if !(1..=4).contains(&opening) {
            faults.push(format!("{} opens with {opening} lines of //!, not with 1 to 4", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn found_in(room: &str, source: &str) -> Vec<String> {
    let room = ROOMS.iter().find(|known| known.name == room).unwrap();
    violations(room, source, &[room.name.to_owned(), "file".to_owned()], &dependencies())
}

#[test]
fn the_check_sees_every_way_to_import() {
    assert_eq!(found_in("domain", "use crate::store::Store;"), ["crate::store::Store"]);
    assert_eq!(found_in("domain", "use crate::{domain::id, service};"), ["crate::service"]);
    assert_eq!(found_in("domain", "use super::super::http::Route;"), ["crate::http::Route"]);
    assert_eq!(found_in("domain", "mod a { use super::super::super::http; }"), ["crate::http"]);
    assert_eq!(found_in("domain", "fn f() { let now = crate::clock::now(); }"), ["crate::clock::now"]);
    assert_eq!(found_in("domain", "fn f() { println!(\"{}\", crate::clock::now()); }"), ["crate::clock::now"]);
    assert_eq!(found_in("service", "#[derive(diesel::Queryable)] struct Row;"), ["diesel::Queryable"]);
    assert_eq!(found_in("service", "use reqwest as web;"), ["reqwest"]);
    assert_eq!(found_in("service", "use crate::store::{Store, schema::incident};"), ["crate::store::schema::incident"]);
    assert_eq!(found_in("worker", "use crate::store::{Store, rows};"), ["crate::store::rows"]);
    assert_eq!(found_in("cli", "use crate::store::schema;"), ["crate::store::schema"]);
}

#[test]
fn the_check_leaves_alone_what_is_allowed() {
    for (room, source) in [
        ("domain", "use super::id::Id; use time::OffsetDateTime; use crate::domain::id;"),
        ("domain", "//! See [`crate::store::Store`].\n/* use diesel::*; */ const A: &str = \"crate::store::x\";"),
        ("domain", "#[cfg(test)] #[expect(dead_code)] mod tests { use crate::clock::ManualClock; } fn f() {}"),
        ("service", "use crate::store::Store; fn f(diesel: u8) -> u8 { diesel }"),
        ("worker", "use crate::{outbound, store::Store};"),
        ("store", "use diesel::prelude::*; mod tests { use super::*; }"),
        ("app", "use actix_web::App; use crate::{http, store::Store};"),
    ] {
        assert_eq!(found_in(room, source), [""; 0], "{source}");
    }
}
