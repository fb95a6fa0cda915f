//! The harness: a whole service on a free port with a clock moved by hand, and people and machines who talk to it.
//! Nothing here asserts anything about the product but that it keeps to `openapi.yaml`.

pub(crate) mod acts;
pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod ladders;
pub(crate) mod mailing;
pub(crate) mod receiver;
pub(crate) mod spec;
pub(crate) mod world;

#[path = "../../support/pki.rs"]
pub(crate) mod pki;

#[path = "../../support/smtp.rs"]
pub(crate) mod smtp;

#[cfg(feature = "postgres")]
#[path = "../../support/postgres.rs"]
#[expect(dead_code, reason = "no test of this program restarts the server")]
pub(crate) mod postgres;

/// Makes one test per database out of one body: `name::sqlite`, and with feature `postgres` also `name::postgres`.
///
/// Settings may follow as `ART33_*` pairs: `async fn name(app: TestApp, settings = [("ART33_BODY_LIMIT", "9")]) {…}`.
macro_rules! both {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: TestApp $(, settings = $settings:expr)?) $body:block)+) => {$(
        mod $name {
            use super::*;

            const SETTINGS: &[&[(&str, &str)]] = &[$(&$settings)?];

            $(#[$attribute])*
            async fn body($app: TestApp) $body

            #[tokio::test]
            async fn sqlite() {
                $crate::harness::app::run($crate::harness::app::Backend::Sqlite, &SETTINGS.concat(), body).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test]
            async fn postgres() {
                $crate::harness::app::run($crate::harness::app::Backend::Postgres, &SETTINGS.concat(), body).await;
            }
        }
    )+};
}
