//! The five example agreements, loaded through the interface, and one filing that all of them judge by their own terms.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::Client;
use crate::harness::world::{PROCESSOR, filing, instant, merge, rfc3339, text};

const NAMES: [&str; 5] = ["alfaview", "arbeitszeiterfassung", "krankikom", "ora-azubiheft", "resolvio"];

/// A processor with one controller under each agreement.
struct Five {
    staff: Client,
    controllers: Vec<String>,
    agreements: Vec<String>,
}

async fn five(app: &TestApp) -> Five {
    let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
    let staff = app.as_org(&processor, PROCESSOR);
    let mut five = Five { staff, controllers: Vec::new(), agreements: Vec::new() };
    for name in NAMES {
        let path = format!("{}/examples/agreements/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut body: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let organisation = json!({"name": format!("Werk {name} AG"), "roles": ["controller"], "country": "DE"});
        let controller = five.staff.post("/v1/organisations", &organisation).await.expect(201).id();
        merge(&mut body, &json!({"controller": controller, "valid_from": "2026-01-01"}));
        five.agreements.push(five.staff.post("/v1/agreements", &body).await.expect(201).id());
        five.controllers.push(controller);
    }
    five
}

impl Five {
    /// A complete filing with numbers of its own for every controller; noticed at 00:10, certain at 00:25.
    fn filing(&self, app: &TestApp) -> Value {
        let share = |controller: &String| json!({"controller": controller, "subjects": {"count": {"exact": 7}}, "records": {"count": {"exact": 100}}});
        let affected: Vec<Value> = self.controllers.iter().map(share).collect();
        let mut filing = filing(app.now(), &json!(affected));
        merge(&mut filing, &json!({"aware_at": "2026-11-22T00:25:00Z", "awareness_reason": "log review"}));
        filing
    }

    async fn contract_duties(&self, filing: &Value) -> Vec<Value> {
        let filed = self.staff.post("/v1/incidents", filing).await.expect(201).json;
        let duties = filed["duties"]["items"].as_array().unwrap();
        let of = |agreement: &String| {
            let wanted =
                |duty: &&Value| duty["agreement"] == agreement.as_str() && duty["obligation"] == "contract_notice";
            duties.iter().find(wanted).unwrap().clone()
        };
        self.agreements.iter().map(of).collect()
    }
}

both! {
    async fn one_filing_is_judged_by_each_agreement(app: TestApp) {
        let five = five(&app).await;
        let duties = five.contract_duties(&five.filing(&app)).await;
        let (noticed, certain) = ("2026-11-22T00:10:00Z", "2026-11-22T00:25:00Z");
        let expected = [
            ("without_undue_delay", noticed, Value::Null, "§ 4(7)"),
            ("without_undue_delay", certain, Value::Null, "4.3"),
            ("without_undue_delay", noticed, Value::Null, "§ 7"),
            ("PT24H", certain, json!("2026-11-23T00:25:00Z"), "§ 5(3)"),
            ("without_undue_delay", certain, Value::Null, "8.1.2"),
        ];
        for ((duty, name), (span, start, legal, clause)) in duties.iter().zip(NAMES).zip(expected) {
            assert_eq!((&duty["span"], &duty["start_at"]), (&json!(span), &json!(start)), "{name}");
            assert_eq!(duty["legal_due_at"], legal, "{name}");
            let basis = format!("Art. 28(3)(f), 33(2) GDPR; {name}, {clause}");
            assert_eq!((text(&duty["legal_basis"]), text(&duty["state"])), (basis, "running".to_owned()));
            let target = rfc3339(instant(&duty["start_at"]) + Duration::hours(12));
            assert_eq!(text(&duty["internal_target_at"]), target, "{name}");
        }
    }

    async fn special_categories_ask_for_more_under_one_agreement(app: TestApp) {
        let five = five(&app).await;
        let mut filing = five.filing(&app);
        filing["special_categories"] = json!(["health"]);
        let refused = five.staff.post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/occurred", "required"), ("/nature/how_obtained", "required")]);
        for fault in refused.json["errors"].as_array().unwrap() {
            assert_eq!(fault["agreement"], five.agreements[3].as_str());
            assert!(text(&fault["detail"]).contains("§ 5(7)"), "{fault}");
        }
        merge(&mut filing, &json!({
            "occurred": {"from": "2026-11-20T18:00:00Z"}, "nature": {"how_obtained": "An apprentice reported the link."},
        }));
        let duties = five.contract_duties(&filing).await;
        let ora = &duties[3];
        assert_eq!((&ora["span"], &ora["legal_due_at"]), (&json!("PT24H"), &json!("2026-11-23T00:25:00Z")));
        assert_eq!(ora["internal_target_at"], "2026-11-22T04:25:00Z", "at once, as far as the processor can promise it");
        assert_eq!(duties[0]["internal_target_at"], "2026-11-22T12:10:00Z", "the others know no such rule");
    }

    async fn each_duty_quotes_the_clause_that_it_rests_on(app: TestApp) {
        let five = five(&app).await;
        let mut filing = five.filing(&app);
        merge(&mut filing, &json!({
            "special_categories": ["health"], "occurred": {"from": "2026-11-20T18:00:00Z"},
            "nature": {"how_obtained": "An apprentice reported the link."},
        }));
        filing["affected"] = json!([filing["affected"][3]]);
        for kind in ["personal_data_breach", "violation_of_instruction"] {
            filing["kind"] = json!(kind);
            let filed = five.staff.post("/v1/incidents", &filing).await.expect(201).json;
            let basis = |code: &str| {
                let found = filed["duties"]["items"].as_array().unwrap().iter().find(|duty| duty["obligation"] == code);
                found.map(|duty| (text(&duty["legal_basis"]), text(&duty["span"])))
            };
            let expected = |clause: &str, span: &str| {
                Some((format!("Art. 28(3)(f) GDPR; ora-azubiheft, {clause}"), span.to_owned()))
            };
            assert_eq!(basis("contract_special_disclosure"), expected("§ 5(7)", "without_undue_delay"), "{kind}");
            assert_eq!(basis("contract_notice_complete"), expected("§ 5(3)", "PT24H"), "{kind}");
        }
    }

    async fn a_seizure_is_told_to_the_controllers_and_to_all_involved(app: TestApp) {
        let five = five(&app).await;
        let mut filing = five.filing(&app);
        merge(&mut filing, &json!({"kind": "seizure_or_insolvency", "affected": "all"}));
        let filed = five.staff.post("/v1/incidents", &filing).await.expect(201).json;
        let path = format!("/v1/duties?incident={}", text(&filed["id"]));
        let duties = five.staff.get(&path).await.expect(200).json;
        let of = |duty: &Value| (text(&duty["obligation"]), text(&duty["legal_basis"]));
        let mut found: Vec<_> = duties["items"].as_array().unwrap().iter().map(of).collect();
        found.sort();
        let told = |clause: &str| ("contract_seizure".to_owned(), format!("Agreement under Art. 28(3) GDPR; {clause}"));
        assert_eq!(found, [
            told("arbeitszeiterfassung, 10.1"), told("krankikom, § 12"), told("ora-azubiheft, § 13(1)"),
            ("contract_seizure_involved".to_owned(), "Agreement under Art. 28(3) GDPR".to_owned()),
        ]);
    }

    async fn a_disruption_concerns_three_of_five(app: TestApp) {
        let five = five(&app).await;
        let mut filing = five.filing(&app);
        filing["kind"] = json!("disruption");
        let refused = five.staff.post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(
            refused.faults(),
            [("/affected/1/controller", "not_triggered"), ("/affected/4/controller", "not_triggered")]
        );
        filing["affected"] = json!("all");
        let filed = five.staff.post("/v1/incidents", &filing).await.expect(201);
        let duties = filed.json["duties"]["items"].as_array().unwrap();
        assert_eq!((&filed.json["affected_count"], duties.len()), (&json!(3), 3), "no Art. 33(1) duty without a breach");
        assert!(duties.iter().all(|duty| duty["span"] == "without_undue_delay" && duty["legal_due_at"].is_null()));
    }
}
