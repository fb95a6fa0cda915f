//! A database from before the catalogue: what was filed there comes through the migration, is read and goes on running.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use serde_json::{Value, json};
use time::Duration;
use time::macros::datetime;

use crate::harness::acts::below;
use crate::harness::app::{Backend, TestApp};
use crate::harness::world::{CONTROLLER, PROCESSOR};

const PROCESSOR_ID: &str = "org_01m809fdaneaprxv89y2gxm1cx";
const CONTROLLER_ID: &str = "org_01m809ffhneymvgnhytpke0jv4";
const INCIDENT: &str = "inc_01m809fw25eys943x3qnrzrb1s";

/// One of the two databases, below the service.
enum Bare {
    Sqlite(SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
}

impl Bare {
    fn open(url: &str) -> Self {
        match url.strip_prefix("sqlite://") {
            Some(path) => Self::Sqlite(SqliteConnection::establish(path).unwrap()),
            #[cfg(feature = "postgres")]
            None => Self::Postgres(PgConnection::establish(url).unwrap()),
            #[cfg(not(feature = "postgres"))]
            None => panic!("no such database: {url}"),
        }
    }

    fn run(&mut self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sql).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(sql).unwrap(),
        }
    }

    /// The number of rows that `FROM …` selects.
    fn count(&mut self, from: &str) -> i64 {
        let query = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("(SELECT count(*) FROM {from})"));
        match self {
            Self::Sqlite(connection) => diesel::select(query).get_result(connection).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => diesel::select(query).get_result(connection).unwrap(),
        }
    }

    /// How many foreign keys stand in the tables that a filing for thousands fills; on a server only.
    fn keys_of_the_fan_out(&mut self) -> Option<i64> {
        let tables = "ARRAY['notice', 'duty', 'delivery', 'escalation', 'receipt']::regclass[]";
        let keys = format!("pg_constraint WHERE contype = 'f' AND conrelid = ANY ({tables})");
        (!matches!(self, Self::Sqlite(_))).then(|| self.count(&keys))
    }

    /// Takes the fifth migration back; on a server there are no such keys before, and all of them after.
    fn give_the_keys_back(&mut self) {
        let before = self.keys_of_the_fan_out();
        self.run(&self.file("2026-11-29-000005_fan_out", "down"));
        let keys = before.zip(self.keys_of_the_fan_out());
        assert!(keys.is_none_or(|keys| keys == (0, 7)), "{keys:?}");
    }

    /// A file of one migration.
    fn file(&self, migration: &str, name: &str) -> String {
        let folder = match self {
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
        };
        let path = format!("{}/migrations/{folder}/{migration}/{name}.sql", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }
}

/// Microseconds since 1970, as they are stored.
fn micros(at: time::OffsetDateTime) -> i128 {
    at.unix_timestamp_nanos() / 1000
}

/// One filed incident with its notice and its two duties, as the first version of the service stored them.
fn filed() -> String {
    let (aware, filed) = (micros(datetime!(2026-11-22 00:10 UTC)), micros(datetime!(2026-11-22 00:40 UTC)));
    let (due, delivered) = (micros(datetime!(2026-11-23 00:10 UTC)), micros(datetime!(2026-11-22 00:57 UTC)));
    let (alarm, legal) = (micros(datetime!(2026-11-25 00:57 UTC)), micros(datetime!(2026-11-25 01:00 UTC)));
    let half = micros(datetime!(2026-11-23 12:57 UTC));
    let content = json!({"kind": "personal_data_breach", "stage": "initial", "title": "Open share link", "professional_secrecy": false,
                         "detected_at": "2026-11-22T00:10:00Z", "aware_at": "2026-11-22T00:10:00Z"});
    let last = 253_402_300_799_000_000_i64;
    format!(
        "INSERT INTO organisation VALUES
           ('{PROCESSOR_ID}', 'Muster Lernsysteme GmbH', '[\"processor\"]', 'DE', 'DE-BW', '[]', 'x', 0, 1, 0, 0),
           ('{CONTROLLER_ID}', 'Beispielwerk AG', '[\"controller\"]', 'DE', NULL, '[]', '{PROCESSOR_ID}', 0, 1, 0, 0);
         INSERT INTO incident VALUES ('{INCIDENT}', '{PROCESSOR_ID}', 1, 'personal_data_breach', 'initial', 'Open share link',
           {aware}, {aware}, NULL, {filed}, 1, '{content}');
         INSERT INTO notice VALUES ('ntc_01m809zzzzzzzzzzzzzzzzzzza', '{INCIDENT}', '{PROCESSOR_ID}', '{CONTROLLER_ID}',
           'agr_01m809zzzzzzzzzzzzzzzzzzza', 1, 1, 'notice.initial', NULL, '{content}', '{digest}', {filed}, {delivered}, NULL);
         INSERT INTO duty VALUES
           ('dut_01m809zzzzzzzzzzzzzzzzzzza', '{INCIDENT}', '{PROCESSOR_ID}', '{CONTROLLER_ID}', 'agr_01m809zzzzzzzzzzzzzzzzzzza', 1,
            'contract_notice', '{PROCESSOR_ID}', '{CONTROLLER_ID}', 'met', 'PT24H', 'natural_hours', 'Art. 33(2) GDPR; AVV-1, 5(3)',
            'processor_aware', {aware}, {due}, {due}, {aware}, {delivered}, FALSE, {due}, -1, NULL),
           ('dut_01m809zzzzzzzzzzzzzzzzzzzb', '{INCIDENT}', '{PROCESSOR_ID}', '{CONTROLLER_ID}', 'agr_01m809zzzzzzzzzzzzzzzzzzza', 1,
            'gdpr_33_1', '{CONTROLLER_ID}', 'supervisory_authority', 'running', 'PT72H', 'eu_hours', 'Art. 33(1) GDPR',
            'controller_informed', {delivered}, {alarm}, {legal}, NULL, NULL, NULL, {alarm}, 0, {half}),
           ('dut_01m809zzzzzzzzzzzzzzzzzzzc', '{INCIDENT}', '{PROCESSOR_ID}', '{CONTROLLER_ID}', 'agr_01m809zzzzzzzzzzzzzzzzzzza', 1,
            'gdpr_33_1', '{CONTROLLER_ID}', 'supervisory_authority', 'not_started', 'PT72H', 'eu_hours', 'Art. 33(1) GDPR',
            'controller_informed', NULL, NULL, NULL, NULL, NULL, NULL, {last}, -1, NULL);",
        digest = "0".repeat(64),
    )
}

async fn duties(app: &TestApp, organisation: &str, scopes: &str) -> Vec<Value> {
    let path = format!("/v1/duties?incident={INCIDENT}");
    app.as_org(organisation, scopes).get(&path).await.expect(200).json["items"].as_array().unwrap().clone()
}

async fn start(url: &str, app: &TestApp) -> TestApp {
    let settings = [("ART33_DATABASE_URL", url), ("ART33_DATA_DIR", app.directory().to_str().unwrap())];
    TestApp::start(Backend::Sqlite, &settings).await.unwrap()
}

/// Takes a database made by the first migration through the second one, down and up again.
async fn through(app: &TestApp, url: &str) {
    let [first, second] = ["2026-11-22-000001_create", "2026-11-22-000002_law"];
    let [third, fourth] = ["2026-11-22-000003_delivery", "2026-11-28-000004_counted"];
    let mut bare = Bare::open(url);
    bare.run(&bare.file(first, "up"));
    bare.run("CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
    bare.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('20261122000001')");
    bare.run(&filed());
    assert_eq!(art33::store::migrate(url).unwrap().len(), 4, "all but the first");

    let served = start(url, app).await;
    let seen = duties(&served, PROCESSOR_ID, PROCESSOR).await;
    assert_eq!(duties(&served, CONTROLLER_ID, CONTROLLER).await, seen);
    let [notice, authority, waiting] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(
        (&notice["obligation"], &notice["state"], &notice["late"]),
        (&json!("contract_notice"), &json!("met"), &json!(false))
    );
    assert_eq!(
        (&notice["met_at"], &notice["legal_basis"]),
        (&json!("2026-11-22T00:57:00Z"), &json!("Art. 33(2) GDPR; AVV-1, 5(3)"))
    );
    assert_eq!(
        (&authority["obligation"], &authority["state"], &authority["span"]),
        (&json!("gdpr_33_1"), &json!("running"), &json!("PT72H"))
    );
    assert_eq!((&authority["legal_due_at"], &authority["region"]), (&json!("2026-11-25T01:00:00Z"), &json!("DE")));
    assert_eq!((&authority["recipient"], &authority["clock_version"]), (&json!("supervisory_authority"), &json!(1)));
    assert_eq!(
        (&authority["late_needs_reason"], &authority["next_alarm_at"]),
        (&json!(true), &json!("2026-11-23T12:57:00Z"))
    );
    assert_eq!((&waiting["state"], &waiting["start_at"]), (&json!("not_started"), &Value::Null));
    let incident = format!("/v1/incidents/{INCIDENT}");
    let whole = served.as_org(PROCESSOR_ID, PROCESSOR).get(&incident).await.expect(200).json;
    assert_eq!((&whole["state"], &whole["drill"], &whole["chain"]), (&json!("told"), &json!(false), &json!([])));
    let own = served.as_org(CONTROLLER_ID, CONTROLLER).get(&incident).await.expect(200).json;
    assert_eq!((&own["title"], &own["state"]), (&json!("Open share link"), &json!("told")));

    served.advance(Duration::days(4));
    served.step_workers().await;
    assert_eq!(duties(&served, PROCESSOR_ID, PROCESSOR).await[1]["state"], "breached", "its clock went on");
    let filing = json!({"filed_at": "2026-11-25T08:00:00Z", "by": "A. Muster", "delay_reason": "The holidays."});
    let path = below(&json!({"id": INCIDENT}), "filings");
    served.as_org(CONTROLLER_ID, CONTROLLER).post(&path, &filing).await.expect(201);
    assert_eq!(duties(&served, PROCESSOR_ID, PROCESSOR).await[1]["state"], "met");
    served.stop().await;

    bare.give_the_keys_back();
    bare.run(&bare.file(fourth, "down"));
    bare.run(&bare.file(third, "down"));
    bare.run(&bare.file(second, "down"));
    bare.run("DELETE FROM __diesel_schema_migrations WHERE version > '20261122000001'");
    assert_eq!(bare.count("duty WHERE state = 'met'"), 2);
    assert_eq!(bare.count("duty WHERE start_event = 'controller_informed' AND controller_id = debtor"), 2);
    assert_eq!(bare.count("duty WHERE start_event = 'processor_aware' AND processor_id = debtor"), 1);
    assert_eq!((bare.count("incident"), bare.count("notice")), (1, 1));
    assert_eq!(art33::store::migrate(url).unwrap().len(), 4, "and up again");
    let served = start(url, app).await;
    assert_eq!(duties(&served, PROCESSOR_ID, PROCESSOR).await.len(), 3);
    served.stop().await;
}

both! {
    async fn what_was_filed_before_the_catalogue_comes_through(app: TestApp) {
        if app.database_url().starts_with("sqlite://") {
            let path = app.directory().join("earlier.db");
            return through(&app, &format!("sqlite://{}", path.display())).await;
        }
        #[cfg(feature = "postgres")]
        {
            let Some(cluster) = crate::harness::postgres::cluster() else { return };
            let database = cluster.create_database(None);
            through(&app, &database.url).await;
        }
    }
}
