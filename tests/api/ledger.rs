//! The ledger: who may read which entries, and that no change behind the service's back stays unnoticed.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::world::{World, rfc3339, text};

/// Changes the database behind the service's back.
fn tamper(app: &TestApp, statement: &str) {
    let url = app.database_url();
    match url.strip_prefix("sqlite://") {
        Some(path) => SqliteConnection::establish(path).unwrap().batch_execute(statement).unwrap(),
        #[cfg(feature = "postgres")]
        None => diesel::PgConnection::establish(url).unwrap().batch_execute(statement).unwrap(),
        #[cfg(not(feature = "postgres"))]
        None => panic!("no database behind {url}"),
    }
}

/// The first misfit after a change: its stream and sequence; the change is undone by the caller's next statement.
async fn misfit(app: &TestApp, statement: &str) -> (String, i64, &'static str) {
    assert!(app.service().verify_ledger().await.unwrap().verified, "whole before: {statement}");
    tamper(app, statement);
    let found = app.service().verify_ledger().await.unwrap();
    assert!(!found.verified, "not noticed: {statement}");
    let misfit = found.misfit.unwrap();
    (misfit.stream, misfit.sequence, misfit.reason)
}

/// A world with a delivered and acknowledged notice; answers the streams of its incident and its notice.
async fn told(app: &TestApp) -> (World, String, String) {
    let world = app.world(1).await;
    let incident = text(&world.file().await["id"]);
    app.step_workers().await;
    let notice = world.notice(0).await;
    let id = text(&notice["id"]);
    let client = world.controller_client(0);
    client.get(&format!("/v1/notices/{id}")).await.expect(200);
    let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "Privacy desk", "role": "dpo"}});
    client.post(&format!("/v1/notices/{id}/acknowledgement"), &body).await.expect(200);
    (world, incident, id)
}

async fn entries(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/audit?limit=500{query}")).await.expect(200).json;
    page["items"].as_array().unwrap().clone()
}

fn kinds(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| text(&entry["kind"])).collect()
}

both! {
    async fn the_story_of_a_notice_is_complete(app: TestApp) {
        let (world, incident, notice) = told(&app).await;
        let staff = world.processor();
        assert_eq!(kinds(&entries(&staff, &format!("&stream={incident}")).await), ["incident.filed"]);
        let story = entries(&staff, &format!("&stream={notice}")).await;
        assert_eq!(
            kinds(&story),
            ["delivery.attempted", "notice.delivered", "notice.accessed", "notice.acknowledged"]
        );
        for (index, entry) in story.iter().enumerate() {
            assert_eq!(entry["sequence"], index + 1);
            let before = if index == 0 { "0".repeat(64) } else { text(&story[index - 1]["hash"]) };
            assert_eq!(entry["previous_hash"], before);
        }
        assert_eq!((&story[0]["subject"], &story[3]["subject"]), (&json!("art33"), &json!("tester")));
        assert_eq!(story[3]["organisation"], world.controllers[0].id.as_str());
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn everybody_reads_what_concerns_them(app: TestApp) {
        let (world, incident, notice) = told(&app).await;
        let own = entries(&world.controller_client(0), "").await;
        let streams: BTreeSet<_> = own.iter().map(|entry| text(&entry["stream"])).collect();
        assert!(streams.contains(&notice) && !streams.contains(&incident), "the filing names every controller: {streams:?}");
        assert_eq!(entries(&world.controller_client(0), &format!("&stream={incident}")).await, Vec::<Value>::new());
        let all = entries(&world.processor(), "").await;
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.processor().get(&format!("/v1/audit?limit=2{cursor}")).await.expect(200).json;
            paged.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, all);
        app.advance(Duration::HOUR);
        let later = rfc3339(app.now());
        assert_eq!(entries(&world.processor(), &format!("&since={later}")).await, Vec::<Value>::new());
        world.file().await;
        assert_eq!(kinds(&entries(&world.processor(), &format!("&since={later}")).await), ["incident.filed"]);
    }

    async fn a_changed_entry_is_named(app: TestApp) {
        let (_, incident, notice) = told(&app).await;
        let of = |stream: &str, sequence: i64| format!("WHERE stream = '{stream}' AND sequence = {sequence}");
        for (change, back, stream, sequence) in [
            ("facts = replace(facts, '\"affected\":1', '\"affected\":2')", "facts = replace(facts, '\"affected\":2', '\"affected\":1')", &incident, 1),
            ("kind = 'notice.accessed'", "kind = 'delivery.attempted'", &notice, 1),
            ("at = at + 1", "at = at - 1", &notice, 2),
            ("subject = 'nobody'", "subject = 'tester'", &notice, 4),
            ("tenant_id = tenant_id || 'x'", "tenant_id = replace(tenant_id, 'x', '')", &notice, 2),
            ("counterpart_id = NULL", "", &notice, 3),
        ] {
            let place = of(stream, sequence);
            let found = misfit(&app, &format!("UPDATE ledger SET {change} {place}")).await;
            assert_eq!((found.0.as_str(), found.1), (stream.as_str(), sequence), "{change}: {}", found.2);
            if !back.is_empty() {
                tamper(&app, &format!("UPDATE ledger SET {back} {place}"));
            }
        }
    }

    async fn a_changed_hash_is_named(app: TestApp) {
        let (_, _, notice) = told(&app).await;
        for column in ["digest", "previous_hash", "hash"] {
            let place = format!("WHERE stream = '{notice}' AND sequence = 2");
            tamper(&app, &format!("CREATE TABLE kept AS SELECT {column} AS was FROM ledger {place}"));
            let found = misfit(&app, &format!("UPDATE ledger SET {column} = '{}' {place}", "f".repeat(64))).await;
            assert_eq!((found.0, found.1), (notice.clone(), 2), "{column}");
            tamper(&app, &format!("UPDATE ledger SET {column} = (SELECT was FROM kept) {place}; DROP TABLE kept"));
        }
        let found = misfit(&app, &format!("UPDATE ledger_stream SET hash = '{}' WHERE stream = '{notice}'", "f".repeat(64))).await;
        assert_eq!((found.0, found.1), (notice, 4), "the recorded end");
    }

    async fn a_removed_entry_in_the_middle_is_named(app: TestApp) {
        let (_, _, notice) = told(&app).await;
        let found = misfit(&app, &format!("DELETE FROM ledger WHERE stream = '{notice}' AND sequence = 2")).await;
        assert_eq!((found.0, found.1), (notice, 3), "the one after the gap");
    }

    async fn a_removed_end_is_named(app: TestApp) {
        let (_, incident, notice) = told(&app).await;
        for (stream, left) in [(&notice, 3), (&incident, 0)] {
            let (all, place) = ("SELECT * FROM ledger", format!("WHERE stream = '{stream}' AND sequence = {}", left + 1));
            tamper(&app, &format!("CREATE TABLE kept AS {all} {place}"));
            let found = misfit(&app, &format!("DELETE FROM ledger {place}")).await;
            assert_eq!((&found.0, found.2.contains("missing")), (stream, true), "{found:?}");
            assert_eq!(found.1, left.max(1), "the last one that is there, or the first of a stream without any");
            tamper(&app, "INSERT INTO ledger SELECT * FROM kept; DROP TABLE kept");
        }
    }

    async fn a_removed_stream_is_named(app: TestApp) {
        let (_, incident, notice) = told(&app).await;
        let found = misfit(&app, &format!("DELETE FROM ledger WHERE stream = '{notice}'")).await;
        assert_eq!(found.0, notice);
        tamper(&app, &format!("DELETE FROM ledger_stream WHERE stream = '{notice}'"));
        let found = app.service().verify_ledger().await.unwrap().misfit.expect("a delivered notice has a story");
        assert_eq!(found.stream, notice);
        tamper(&app, &format!("DELETE FROM ledger WHERE stream = '{incident}'; DELETE FROM ledger_stream WHERE stream = '{incident}'"));
        let found = app.service().verify_ledger().await.unwrap().misfit.expect("an incident has a story");
        assert_eq!(found.stream, incident);
    }

    async fn an_inserted_entry_is_named(app: TestApp) {
        let (_, _, notice) = told(&app).await;
        let columns = "stream, tenant_id, counterpart_id, at, kind, object, subject, organisation_id, facts, digest";
        let insert = |sequence: i64, previous: &str| {
            format!(
                "INSERT INTO ledger ({columns}, sequence, previous_hash, hash) SELECT {columns}, {sequence}, {previous}, hash \
                 FROM ledger WHERE stream = '{notice}' AND sequence = 4"
            )
        };
        let found = misfit(&app, &insert(5, "hash")).await;
        assert_eq!((found.0, found.1), (notice.clone(), 5), "at the end");
        tamper(&app, &format!("DELETE FROM ledger WHERE stream = '{notice}' AND sequence = 5"));
        let shift = format!(
            "UPDATE ledger SET sequence = sequence + 100 WHERE stream = '{notice}' AND sequence > 2; {}; \
             UPDATE ledger SET sequence = sequence - 99 WHERE stream = '{notice}' AND sequence > 100",
            insert(3, "previous_hash").replace("sequence = 4", "sequence = 104")
        );
        let found = misfit(&app, &shift).await;
        assert_eq!((found.0, found.1), (notice, 3), "in the middle");
    }

    async fn reordered_entries_are_named(app: TestApp) {
        let (_, _, notice) = told(&app).await;
        let place = |sequence: i64| format!("WHERE stream = '{notice}' AND sequence = {sequence}");
        let swap = format!(
            "UPDATE ledger SET sequence = 102 {}; UPDATE ledger SET sequence = 2 {}; UPDATE ledger SET sequence = 3 {}",
            place(2), place(3), place(102)
        );
        let found = misfit(&app, &swap).await;
        assert_eq!((found.0, found.1), (notice, 2));
    }

    async fn changed_content_of_a_notice_is_named(app: TestApp) {
        let (_, incident, notice) = told(&app).await;
        let change = "UPDATE notice SET content = replace(content, 'public', 'secret')";
        let found = misfit(&app, &format!("{change} WHERE id = '{notice}'")).await;
        assert_eq!((found.0, found.1), (incident.clone(), 1), "the filing vouches for it");
        assert!(found.2.contains("notice"), "{}", found.2);
        tamper(&app, "UPDATE notice SET content = replace(content, 'secret', 'public')");
        let found = misfit(&app, "UPDATE incident SET content = replace(content, 'public', 'secret')").await;
        assert_eq!((found.0, found.1), (incident, 1), "and for the whole");
    }
}
