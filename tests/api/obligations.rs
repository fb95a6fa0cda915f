//! The catalogue of obligations over HTTP.

use serde_json::Value;

use crate::harness::app::TestApp;
use crate::harness::world::text;

fn codes(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|row| text(&row["code"])).collect()
}

both! {
    async fn the_catalogue_is_shown_whole_and_in_part(app: TestApp) {
        let world = app.world(1).await;
        let all = world.processor().get("/v1/obligations").await.expect(200).json;
        assert!(codes(&all).len() > 30 && !all["version"].as_str().unwrap().is_empty());
        let proposals = world.processor().get("/v1/obligations?status=proposal").await.expect(200).json;
        assert_eq!(codes(&proposals), ["gdpr_33_1_omnibus"]);
        let swiss = world.processor().get("/v1/obligations?regime=fadp&on=2023-09-01").await.expect(200).json;
        assert_eq!(codes(&swiss), ["fadp_24_1", "fadp_24_3", "fadp_24_4"]);
        let before = world.processor().get("/v1/obligations?regime=fadp&on=2023-08-31").await.expect(200).json;
        assert!(codes(&before).is_empty());
    }

    async fn every_wrong_parameter_is_named(app: TestApp) {
        let world = app.world(1).await;
        let refused = world.processor().get("/v1/obligations?status=rumour&on=today&colour=red").await.expect(400).json;
        let mut pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|one| text(&one["pointer"])).collect();
        pointers.sort();
        assert_eq!(pointers, ["/colour", "/on", "/status"]);
    }
}
