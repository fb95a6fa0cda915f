//! Proves the PostgreSQL server that the other tests stand on: databases apart, templates, restarts, no trace left.
//! Of the product only this is tested here: its store survives a restart of the server.
#![cfg(feature = "postgres")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "support/postgres.rs"]
mod postgres;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use art33::store::Store;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::establish(url).unwrap();
    diesel::sql_query(statement).execute(&mut connection).unwrap();
}

fn count(connection: &mut PgConnection, from: &str) -> diesel::QueryResult<i64> {
    let rows: Vec<Count> = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}")).load(connection)?;
    Ok(rows[0].count)
}

fn count_at(url: &str, from: &str) -> i64 {
    count(&mut PgConnection::establish(url).unwrap(), from).unwrap()
}

#[test]
fn each_test_has_its_own_copy_of_the_template() {
    let Some(cluster) = postgres::cluster() else { return };
    let template = cluster.create_database(None);
    execute(&template.url, "CREATE TABLE thing AS SELECT generate_series(1, 3) AS id");
    let (first, second) = std::thread::scope(|scope| {
        let copy = || cluster.create_database(Some(&template.name));
        let (first, second) = (scope.spawn(copy), scope.spawn(copy));
        (first.join().unwrap(), second.join().unwrap())
    });
    execute(&first.url, "DELETE FROM thing WHERE id = 2");
    assert_eq!(count_at(&first.url, "thing"), 2);
    assert_eq!(count_at(&second.url, "thing"), 3);
    assert_eq!(count_at(&template.url, "thing"), 3);
}

#[test]
fn a_database_goes_with_its_value_even_when_somebody_is_connected() {
    let Some(cluster) = postgres::cluster() else { return };
    let database = cluster.create_database(None);
    let row = format!("pg_database WHERE datname = '{}'", database.name);
    let _connected = PgConnection::establish(&database.url).unwrap();
    assert_eq!(count_at(&cluster.url("postgres"), &row), 1);
    drop(database);
    assert_eq!(count_at(&cluster.url("postgres"), &row), 0);
}

#[test]
#[ignore = "restarts the server under the other tests; run by the test below in a process of its own"]
fn inner_restart() {
    let Some(cluster) = postgres::cluster() else { return };
    let database = cluster.create_database(None);
    execute(&database.url, "CREATE TABLE thing AS SELECT 1 AS id");
    let mut before = PgConnection::establish(&database.url).unwrap();
    assert_eq!(count(&mut before, "thing"), Ok(1));
    art33::store::migrate(&database.url).unwrap();
    let store = Store::open(&database.url, 4).unwrap();
    cluster.restart();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let alive = runtime.block_on(store.read(Store::ping));
    assert!(alive.is_ok(), "the store did not find a new connection: {alive:?}");
    assert!(count(&mut before, "thing").is_err(), "the old connection outlived the restart");
    assert_eq!(count_at(&database.url, "thing"), 1);
}

#[test]
fn a_restart_cuts_connections_and_keeps_data() {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inner_restart", "--ignored"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[test]
#[ignore = "waits to be killed; run by the test below in a process of its own"]
fn inner_wait_to_be_killed() {
    let Some(cluster) = postgres::cluster() else { return };
    eprintln!("server {}", cluster.url("postgres"));
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn the_server_ends_with_a_killed_test_process() {
    if std::env::var_os("ART33_TEST_DATABASE_URL").is_some() || postgres::cluster().is_none() {
        return;
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inner_wait_to_be_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let url = lines.find_map(|line| line.unwrap().strip_prefix("server ").map(str::to_owned)).expect("it starts");
    assert!(PgConnection::establish(&url).is_ok());
    process.kill().unwrap();
    process.wait().unwrap();
    // The server's keeper holds the other end of this pipe until it has stopped the server and cleaned up.
    assert_eq!(lines.count(), 0);
    assert!(PgConnection::establish(&url).is_err(), "the server outlived its test process");
}
