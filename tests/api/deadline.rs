//! The explanation of a due time: the same as on the command line, for whoever may read incidents or agreements.

use serde_json::json;

use crate::harness::app::TestApp;

const WEEKEND: &str = "rule=eu_hours&span=PT72H&from=2026-10-24T14:20:00%2B02:00";

both! {
    async fn a_computation_is_explained_step_by_step(app: TestApp) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let client = app.as_org(&processor, "agreements:read");
        let answer = client.get(&format!("/v1/deadline?{WEEKEND}")).await.expect(200).json;
        assert_eq!(answer["counted_from"], "2026-10-24T13:00:00Z");
        assert_eq!((&answer["due_at"], &answer["region"]), (&json!("2026-10-27T13:00:00Z"), &json!("DE")));
        assert_eq!(answer["due_at_local"], "2026-10-27T14:00:00+01:00");
        assert_eq!(answer["from"], "2026-10-24T14:20:00+02:00");
        assert_eq!(answer["steps"].as_array().unwrap().len(), 4);
        assert_eq!(answer["steps"][0]["basis"], "Art. 3(1) Reg. (EEC, Euratom) 1182/71");
        let german = client.get(&format!("/v1/deadline?{WEEKEND}&lang=de&region=DE-SN")).await.expect(200).json;
        assert_eq!(german["steps"][0]["basis"], "Art. 3 Abs. 1 VO (EWG, Euratom) Nr. 1182/71");
        assert_eq!((&german["region"], &german["due_at"]), (&json!("DE-SN"), &answer["due_at"]));
        let bare = WEEKEND.replace("%2B", "+");
        assert_eq!(client.get(&format!("/v1/deadline?{bare}")).await.expect(200).json, answer);
        let days = "/v1/deadline?rule=bgb_days&span=P14D&from=2027-10-18T08:00:00%2B02:00&region=DE-NW";
        let days = app.as_org(&processor, "incidents:read").get(days).await.expect(200).json;
        assert_eq!((&days["counted_from"], &days["due_at"]), (&json!(null), &json!("2027-11-02T23:00:00Z")));
    }

    async fn every_fault_of_the_question_is_named_at_once(app: TestApp) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let client = app.as_org(&processor, "agreements:read");
        for (query, expected) in [
            ("", vec!["/from", "/rule", "/span"]),
            ("rule=eu&span=72&from=now&region=XX&lang=fr&zone=UTC", vec!["/from", "/lang", "/region", "/rule", "/span", "/zone"]),
            ("rule=eu_days&span=PT72H&from=2026-10-24T14:20:00Z", vec!["/span"]),
            ("rule=eu_days&span=P3D&from=2046-10-24T14:20:00Z", vec!["/from"]),
            ("rule=natural_hours&span=P3D&from=9999-12-31T14:20:00Z", vec!["/from"]),
            ("rule=%00&span=P3D&from=2026-10-24T14:20:00Z", vec!["/rule"]),
        ] {
            let answer = client.get(&format!("/v1/deadline?{query}")).await.expect(400);
            let faults = answer.json["errors"].as_array().unwrap();
            let mut pointers: Vec<_> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
            pointers.sort_unstable();
            assert_eq!(pointers, expected, "{query}: {answer}");
        }
    }
}
