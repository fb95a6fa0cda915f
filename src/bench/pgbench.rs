//! PostgreSQL: a throw-away server with its usual durability, and `pgbench` as the baseline on it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::RunQueryDsl as _;

use super::figures::Pace;
use super::filed::{Field, Filed, copy_number};
use super::world::CLIENTS;
use super::{BenchError, Bounds, cannot};
use crate::store::connection::Target;

/// A server that ends with this value, or with this process.
pub(super) struct Cluster {
    /// A shell that ends the server when its input ends.
    keeper: Child,
    port: u16,
}

impl Cluster {
    /// Starts a server from installed binaries on a free port of loopback.
    pub(super) fn start(binaries: &Path) -> Result<Self, BenchError> {
        let socket = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = socket.map_err(cannot("find a free port"))?.port();
        let started = unprivileged("sh")
            .args(["-c", include_str!("cluster.sh"), "sh"])
            .arg(binaries)
            .args([port.to_string().as_str(), "durable"])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut keeper = started.map_err(cannot("start a PostgreSQL server"))?;
        let mut line = String::new();
        if let Some(output) = keeper.stdout.as_mut() {
            BufReader::new(output).read_line(&mut line).map_err(cannot("start a PostgreSQL server"))?;
        }
        let cluster = Self { keeper, port };
        if line != "ready\n" {
            return Err(BenchError::Unusable("the PostgreSQL server did not start".to_owned()));
        }
        Ok(cluster)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://art33@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// The newest directory under Debian's place that holds a server and `pgbench`, or one on the path.
pub(super) fn binaries() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = debian.into_iter().rev().chain(std::env::split_paths(&path));
    all.find(|directory| ["initdb", "pg_ctl", "pgbench"].iter().all(|name| directory.join(name).is_file()))
}

/// The database at `url`, seen through a fresh schema of this `name`.
pub(super) fn with_schema(url: &str, name: &str) -> Result<String, BenchError> {
    let mut connection = Target::from_url(url)?.open()?;
    diesel::sql_query(format!("CREATE SCHEMA {name}")).execute(&mut connection)?;
    let sign = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{sign}options=-csearch_path%3D{name}"))
}

/// A command that never runs as root, since PostgreSQL refuses to.
fn unprivileged(program: &str) -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", program]);
    // A private TMPDIR of root is closed to that user.
    command.env_remove("TMPDIR");
    command
}

/// Writes copies of the filing with `pgbench`: one transaction of prepared statements per filing, as many clients as the load.
pub(super) fn write(url: &str, place: &Path, filed: &Filed, bounds: Bounds) -> Result<Pace, BenchError> {
    let file = place.join("filing.sql");
    std::fs::write(&file, script(filed)).map_err(cannot("write the script of pgbench"))?;
    let program = binaries().map_or_else(|| PathBuf::from("pgbench"), |directory| directory.join("pgbench"));
    let (clients, seconds) = (CLIENTS.to_string(), bounds.time.as_secs().to_string());
    let output = Command::new(program)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--define=k=0"])
        .args(["--client", &clients, "--time", &seconds, "--file"])
        .arg(&file)
        .arg(url)
        .output()
        .map_err(cannot("run pgbench"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let per_second = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    per_second
        .filter(|_| output.status.success())
        .map(|per_second| Pace { per_second })
        .ok_or_else(|| BenchError::Unusable(format!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr))))
}

/// One filing as a script; `n` is the number of the copy, ascending over all clients.
fn script(filed: &Filed) -> String {
    let first = copy_number(0);
    let mut script = format!("\\set k :k + 1\n\\set n {first} + :k * {CLIENTS} + :client_id\nBEGIN;\n");
    for row in &filed.rows {
        let names: Vec<_> = row.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let values: Vec<_> = row.columns.iter().map(|(_, field)| field.in_sql()).collect();
        let _ = writeln!(script, "INSERT INTO {} ({}) VALUES ({});", row.table, names.join(", "), values.join(", "));
    }
    script + "COMMIT;\n"
}

impl Field {
    fn in_sql(&self) -> String {
        match self {
            Self::Text(parts) => parts.iter().map(|part| literal(part)).collect::<Vec<_>>().join(" || :n || "),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Null => "NULL".to_owned(),
        }
    }
}

/// A literal without colons, in which `pgbench` would see variables.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace(':', "\\x3a"))
}
