//! A PostgreSQL server for tests: the one named by `ART33_TEST_DATABASE_URL`, or a throw-away one from installed binaries.
//! One server per test process, one database per test. The throw-away server ends with the process, however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use diesel::{Connection as _, PgConnection, RunQueryDsl as _};
use url::Url;

/// A server on which databases can be made.
pub(crate) struct Cluster {
    /// URL of its maintenance database, with the right to make databases.
    base: Url,
    /// What keeps the throw-away server; nothing for a server given by URL.
    keeper: Option<Mutex<Keeper>>,
}

/// The shell that owns the throw-away server, and ends it when its input ends.
struct Keeper {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

/// One database, dropped with this value.
pub(crate) struct TestDatabase {
    /// Where to connect.
    pub(crate) url: String,
    /// Its name, for use as a template once nobody is connected to it.
    pub(crate) name: String,
    cluster: &'static Cluster,
}

/// The server of this test process. Nothing where there is none, unless `ART33_TEST_REQUIRE_POSTGRES` forbids that.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| match std::env::var("ART33_TEST_DATABASE_URL") {
        Ok(url) => Some(Cluster { base: url.parse().expect("ART33_TEST_DATABASE_URL is a URL"), keeper: None }),
        Err(_) => server_binaries().map(|binaries| Cluster::start(&binaries)),
    });
    let required = std::env::var_os("ART33_TEST_REQUIRE_POSTGRES").is_some();
    assert!(
        cluster.is_some() || !required,
        "ART33_TEST_REQUIRE_POSTGRES is set, but there are no PostgreSQL server binaries and no ART33_TEST_DATABASE_URL"
    );
    cluster.as_ref()
}

impl Cluster {
    /// Where a database of this server is.
    pub(crate) fn url(&self, database: &str) -> String {
        let mut url = self.base.clone();
        url.set_path(database);
        url.to_string()
    }

    /// Makes an empty database, or a copy of `template`, to which nobody may be connected meanwhile.
    pub(crate) fn create_database(&'static self, template: Option<&str>) -> TestDatabase {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("art33_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let template = template.unwrap_or("template0");
        // A server given by URL may still hold what a killed run with the same process id left behind.
        self.execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
        self.execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""));
        TestDatabase { url: self.url(&name), name, cluster: self }
    }

    /// Restarts the server and waits until it is back. One given by URL only loses its connections to our databases.
    pub(crate) fn restart(&self) {
        let Some(keeper) = &self.keeper else {
            return self.execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'art33\\_test\\_{}\\_%'",
                std::process::id()
            ));
        };
        let mut keeper = keeper.lock().expect("no test failed while it restarted the server");
        let commands = keeper.shell.stdin.as_mut().expect("it was piped");
        commands.write_all(b"restart\n").expect("the keeper is there");
        assert!(keeper.says_ready(), "the server did not come back");
    }

    fn execute(&self, statement: &str) {
        let mut connection = PgConnection::establish(self.base.as_str()).expect("the server answers");
        diesel::sql_query(statement).execute(&mut connection).expect("the server obeys");
    }

    fn start(binaries: &Path) -> Self {
        // Between the choice of a free port and its use another process may take it.
        (0..5).find_map(|_| Self::try_start(binaries)).expect("a PostgreSQL server starts")
    }

    fn try_start(binaries: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut shell = unprivileged("sh")
            .args(["-c", include_str!("../../src/bench/cluster.sh"), "sh"])
            .arg(binaries)
            .args([port.to_string().as_str(), "fast"])
            .current_dir("/")
            // Ctrl-C reaches the tests only; the keeper then sees its input end and cleans up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut keeper = Keeper { answers: BufReader::new(shell.stdout.take().expect("it was piped")), shell };
        if !keeper.says_ready() {
            keeper.shell.wait().ok()?;
            return None;
        }
        let base = Url::parse(&format!("postgres://art33@127.0.0.1:{port}/postgres")).ok()?;
        Some(Self { base, keeper: Some(Mutex::new(keeper)) })
    }
}

impl Keeper {
    fn says_ready(&mut self) -> bool {
        let mut line = String::new();
        self.answers.read_line(&mut line).is_ok() && line == "ready\n"
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.cluster.execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name));
    }
}

/// The directory that holds `initdb` and `pg_ctl`: on the path, Debian's place (newest first), or where `pg_config` says.
fn server_binaries() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    debian.sort_by(|a, b| b.cmp(a));
    let configured = output("pg_config", &["--bindir"]).map(PathBuf::from);
    on_path
        .into_iter()
        .flatten()
        .chain(debian.into_iter().map(|(_, directory)| directory))
        .chain(configured)
        .find(|directory| directory.join("initdb").is_file() && directory.join("pg_ctl").is_file())
}

/// A command that never runs as root, since PostgreSQL refuses to.
fn unprivileged(program: &str) -> Command {
    if output("id", &["-u"]).is_none_or(|id| id != "0") {
        return Command::new(program);
    }
    let user = if output("id", &["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
    let group = output("id", &["-g", user]).expect("the user has a group");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", &group, "--clear-groups", program]);
    // A private TMPDIR of root is closed to that user.
    command.env_remove("TMPDIR");
    command
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
