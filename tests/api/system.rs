//! What needs no token, and what every request meets: problems, limits, request ids.

use crate::harness::app::TestApp;

both! {
    async fn health_and_readiness(app: TestApp) {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(app.anonymous().get(path).await.expect(200).json["status"], "ok");
        }
    }
}
