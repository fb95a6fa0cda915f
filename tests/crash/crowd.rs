//! More controllers than anybody makes one by one: copies of one that was, written by the database itself.

use art33::clock::Clock;
use art33::crypto::{MasterKey, WebhookSecret};
use art33::domain::actor::Actor;
use art33::domain::endpoint::EndpointId;
use art33::domain::id::OrganisationId;
use art33::domain::ledger::{NewEntry, Stream};
use art33::entropy::Entropy;
use art33::store::endpoints::secret_context;
use art33::store::{AnyConnection, ledger};
use diesel::sql_types::{Array, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};

use serde_json::json;

use super::process::Setup;
use super::world::World;

/// As many digits of an id stand for the number of the copy.
const DIGITS: usize = 8;
/// The first number, less one, so that all have as many digits.
const FIRST: usize = 10_000_000;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(connection: &mut PgConnection, query: &str) -> Vec<String> {
    let lines: Vec<Line> = diesel::sql_query(query).load(connection).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

/// The id of a copy.
fn copied(id: &str, number: usize) -> String {
    format!("{}{}", &id[..id.len() - DIGITS], FIRST + number)
}

/// The same in SQL, for the id in a column.
fn copied_in(column: &str) -> String {
    format!("left({column}, -{DIGITS}) || ({FIRST} + number)")
}

/// Copies the only controller of `world` until there are `wanted`: each with an endpoint that has proved itself, a secret and
/// an agreement of its own.
pub(crate) fn fill(setup: &Setup, world: &mut World, wanted: usize) {
    let mut connection = PgConnection::establish(setup.setting("ART33_DATABASE_URL").unwrap()).unwrap();
    let controller = world.controllers[0].clone();
    let webhook = lines(&mut connection, "SELECT id AS line FROM endpoint").concat();
    let agreement = lines(&mut connection, "SELECT id AS line FROM agreement").concat();
    let secrets = secrets(setup, &webhook, wanted - 1);
    let id = |column: &'static str| (column, copied_in(column));
    let terms = ("terms", format!("replace(terms, '{webhook}', {})", copied_in(&format!("'{webhook}'"))));
    let reference = ("reference", "reference || '-' || number".to_owned());
    let address = ("address", "regexp_replace(address, '[0-9]+$', number::text)".to_owned());
    let secret = ("secret_sealed", "secret".to_owned());
    for (table, key, pattern, own) in [
        ("organisation", "id", &controller, vec![id("id")]),
        ("endpoint", "id", &webhook, vec![id("id"), id("organisation_id"), address, secret]),
        ("agreement", "id", &agreement, vec![id("id"), id("controller_id"), reference.clone(), terms.clone()]),
        ("agreement_version", "agreement_id", &agreement, vec![id("agreement_id"), reference, terms]),
        ("agreement_product", "agreement_id", &agreement, vec![id("agreement_id")]),
    ] {
        let columns =
            format!("SELECT column_name::text AS line FROM information_schema.columns WHERE table_name = '{table}'");
        let columns = lines(&mut connection, &columns);
        let value =
            |name: &String| own.iter().find(|(known, _)| known == name).map_or(name.clone(), |(_, own)| own.clone());
        let copy = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} WHERE {key} = '{pattern}') AS pattern \
             CROSS JOIN unnest($1) WITH ORDINALITY AS made (secret, number)",
            columns.join(", "),
            columns.iter().map(value).collect::<Vec<_>>().join(", "),
        );
        let made = diesel::sql_query(copy).bind::<Array<Text>, _>(&secrets).execute(&mut connection).unwrap();
        assert_eq!(made, secrets.len(), "{table}");
    }
    diesel::sql_query("ANALYZE").execute(&mut connection).unwrap();
    world.controllers.extend((1..wanted).map(|number| copied(&controller, number)));
    let entries: Vec<_> = world.controllers[1..].iter().map(|id| created(id.parse().unwrap())).collect();
    ledger::append(&mut AnyConnection::Postgres(connection), &entries).unwrap();
}

/// What begins the story of a copy.
fn created(id: OrganisationId) -> NewEntry {
    NewEntry {
        stream: Stream::Organisation(id.clone()),
        tenant: id.clone(),
        counterpart: None,
        kind: "organisation.created",
        object: id.to_string(),
        facts: json!({}),
        actor: Actor::service(id),
        at: Clock::system().now(),
    }
}

/// A sealed secret for each copy of an endpoint.
fn secrets(setup: &Setup, webhook: &str, wanted: usize) -> Vec<String> {
    let entropy = Entropy::system();
    let key = MasterKey::load_or_create(&setup.data().join("master.key"), &entropy).unwrap();
    let sealed = |number: usize| {
        let id: EndpointId = copied(webhook, number).parse().unwrap();
        key.seal(&entropy, &secret_context(&id), WebhookSecret::generate(&entropy).as_bytes())
    };
    (1..=wanted).map(sealed).collect()
}
