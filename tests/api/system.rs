//! What needs no token, and what every request meets: problems, limits, request ids.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::spec::SPEC;
use crate::harness::world::PROCESSOR;

both! {
    async fn health_and_readiness(app: TestApp) {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(app.anonymous().get(path).await.expect(200).json, json!({"status": "ok"}));
        }
    }

    async fn the_description_is_served_as_it_stands(app: TestApp) {
        let served = app.anonymous().get("/openapi.yaml").await.expect(200);
        let document: serde_json::Value = serde_saphyr::from_slice(&served.body).unwrap();
        assert_eq!(&document, SPEC.document());
    }

    async fn the_key_set_holds_the_signing_key_and_no_secret(app: TestApp) {
        let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(200).json;
        let mut own = app.issuer().key.to_jwk();
        (own["valid_from"], own["valid_until"]) = (json!(null), json!(null));
        assert_eq!(keys, json!({"keys": [own]}));
        assert!(keys["keys"][0]["d"].is_null());
    }

    async fn metrics_count_by_route_and_tell_of_no_content(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        world.processor().get(&format!("/v1/incidents/{}", filed["id"].as_str().unwrap())).await.expect(200);
        let text = String::from_utf8(app.anonymous().get("/metrics").await.expect(200).body).unwrap();
        let counted = r#"art33_http_requests_total{method="GET",route="/v1/incidents/{id}",status="2xx"}"#;
        assert!(text.contains(counted), "{text}");
        let unfit = ["Open share link", "Muster", "Beispielwerk", "127.0.0.1", "org_", "inc_", "ntc_", "tester"];
        for (line, word) in text.lines().flat_map(|line| unfit.map(|word| (line, word))) {
            assert!(!line.contains(word), "{word} stands in: {line}");
        }
    }

    async fn every_answer_has_a_request_id_of_its_own(app: TestApp) {
        let mut seen = BTreeSet::new();
        for path in ["/healthz", "/v1/notices", "/nowhere", "/healthz"] {
            let answer = app.anonymous().request("GET", path).header("x-request-id", "mine").send().await;
            let id = answer.header("x-request-id").to_owned();
            if answer.status >= 400 {
                assert_eq!(answer.json["instance"], format!("urn:uuid:{id}"));
            }
            assert!(seen.insert(id));
        }
    }

    async fn an_unknown_path_and_an_unknown_method(app: TestApp) {
        for path in ["/", "/v1", "/v1/nothing", "/v1/notices/", "/v2/notices"] {
            assert_eq!(app.anonymous().get(path).await.expect(404).problem(), "not-found");
        }
        for (method, path) in [("DELETE", "/v1/notices"), ("PATCH", "/v1/agreements/x"), ("POST", "/healthz")] {
            let answer = app.anonymous().request(method, path).send().await.expect(405);
            assert_eq!(answer.problem(), "method-not-allowed");
        }
    }

    async fn a_body_that_is_no_json(app: TestApp) {
        let client = app.operator();
        let request = |media_type: &str, body: &'static str| {
            client.request("POST", "/v1/organisations").body(media_type, body).send()
        };
        for media_type in ["text/plain", "application/xml", "application/jsonp"] {
            assert_eq!(request(media_type, "{}").await.expect(415).problem(), "unsupported-media-type");
        }
        for body in ["", "{", "{\"name\":", "{}{}", "\u{0}"] {
            let answer = request("application/json", body).await.expect(400);
            assert_eq!(answer.faults(), [("", "json")], "{body}");
        }
        for body in ["[]", "null", "7", "\"text\""] {
            let answer = request("application/json; charset=utf-8", body).await;
            assert!([400, 422].contains(&answer.status), "{body}: {answer}");
        }
    }

    async fn wrong_parameters_are_all_named(app: TestApp) {
        let client = app.as_org("org_01m809ffhneymvgnhytpke0jv4", "notices:read");
        let answer = client.get("/v1/notices?limit=0&state=lost&colour=red").await.expect(400);
        let mut faults = answer.faults();
        faults.sort_unstable();
        assert_eq!(faults, [("/colour", "unknown_parameter"), ("/limit", "invalid"), ("/state", "invalid")]);
        for query in ["limit=501", "limit=x", "limit=-1", "limit=1&limit=2", "cursor=***"] {
            client.get(&format!("/v1/notices?{query}")).await.expect(400);
        }
    }
}

both! {
    async fn a_body_over_the_limit(app: TestApp, settings = [("ART33_BODY_LIMIT", "100"), ("ART33_IMPORT_LIMIT", "200")]) {
        let long = json!({"name": "x".repeat(100), "roles": ["processor"], "country": "DE"});
        assert_eq!(app.operator().post("/v1/organisations", &long).await.expect(413).problem(), "too-large");
        let short = json!({"name": "Kurz AG", "roles": ["processor"], "country": "DE"});
        let processor = app.operator().post("/v1/organisations", &short).await.expect(201).id();
        let import = app.as_org(&processor, PROCESSOR).request("POST", "/v1/agreements/import");
        import.body("application/x-ndjson", "{}\n".repeat(100)).send().await.expect(413);
    }

    async fn too_many_requests(
        app: TestApp, settings = [("ART33_RATE_LIMIT_PER_SECOND", "1"), ("ART33_RATE_LIMIT_BURST", "3")]
    ) {
        let client = app.as_org("org_01m809ffhneymvgnhytpke0jv4", "notices:read");
        let mut refused = 0;
        for _ in 0..20 {
            let answer = client.get("/v1/notices").await;
            if answer.status == 429 {
                assert_eq!((answer.problem(), answer.header("retry-after")), ("too-many-requests", "1"));
                refused += 1;
            }
        }
        assert!(refused > 0, "20 requests at once passed a limit of 3");
        app.anonymous().get("/healthz").await.expect(200);
    }
}

/// A database that is away answers 503, and comes back by itself.
#[cfg(feature = "postgres")]
mod an_unreachable_database {
    use diesel::{Connection as _, PgConnection, RunQueryDsl as _};

    use crate::harness::app::{self, Backend, TestApp};
    use crate::harness::postgres::cluster;

    fn execute(statement: &str) {
        let mut connection = PgConnection::establish(&cluster().unwrap().url("postgres")).unwrap();
        diesel::sql_query(statement).execute(&mut connection).unwrap();
    }

    async fn body(app: TestApp) {
        let name = app.database_url().rsplit_once('/').unwrap().1.to_owned();
        let client = app.as_org("org_01m809ffhneymvgnhytpke0jv4", "notices:read");
        client.get("/v1/notices").await.expect(200);
        execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"));
        execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
        for path in ["/readyz", "/v1/notices"] {
            let answer = client.get(path).await.expect(503);
            assert_eq!((answer.problem(), answer.header("retry-after")), ("unavailable", "2"));
        }
        let url = app.service().link(&"dlv_01m809fwm9ek997jq80dmyshv2".parse().unwrap());
        let page = app.anonymous().get(&url[url.find("/l/").unwrap()..]).await.expect(503);
        let seen = String::from_utf8_lossy(&page.body);
        assert!(
            seen.contains("Gerade nicht erreichbar") && page.header("retry-after") == "2",
            "people read a page: {seen}"
        );
        app.anonymous().get("/healthz").await.expect(200);
        execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"));
        for path in ["/readyz", "/v1/notices"] {
            client.get(path).await.expect(200);
        }
    }

    #[tokio::test]
    async fn postgres() {
        app::run(Backend::Postgres, &[], body).await;
    }
}
