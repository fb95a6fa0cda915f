//! Clocks that are set forward and back under open deliveries, leases and alarms: nothing is lost, nothing happens twice.

use std::collections::BTreeMap;
#[cfg(feature = "postgres")]
use std::time::Instant;

use art33::domain::delivery::Lane;
use art33::domain::delivery_outcome::Outcome;
use art33::service::{Attempted, Clocks, Outgoing, operator_id};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::duties::desk;
use crate::harness::acts::without_ladders;
use crate::harness::app::TestApp;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, instant, text};

/// Somebody sets the machine's clock; no time passes.
fn set(app: &TestApp, step: Duration) {
    app.service().clock.set_by(step);
}

/// How often each step of each duty was told to a desk until now.
async fn told(desk: &Receiver) -> BTreeMap<(String, String), usize> {
    let mut told: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for one in desk.taken().await {
        let step = one.json["data"]["step"].as_str().unwrap_or("met").to_owned();
        let ids = told.entry((text(&one.json["data"]["duty"]["obligation"]), step)).or_default();
        ids.push(one.header("webhook-id").to_owned());
    }
    told.into_iter().map(|(what, ids)| (what, ids.len())).collect()
}

/// The steps of the contract's duty, each of them once.
fn contract(steps: &[&str]) -> BTreeMap<(String, String), usize> {
    steps.iter().map(|step| (("contract_notice".to_owned(), (*step).to_owned()), 1)).collect()
}

/// What the ledger says of the clock: source and size of each step.
async fn steps(app: &TestApp) -> Vec<(String, i64)> {
    let path = format!("/v1/audit?limit=500&stream={}", operator_id());
    let entries = app.operator().get(&path).await.expect(200).json["items"].as_array().unwrap().clone();
    let stepped = entries.iter().filter(|one| one["kind"] == "service.clock_stepped");
    stepped.map(|one| (text(&one["facts"]["source"]), one["facts"]["step_ms"].as_i64().unwrap())).collect()
}

/// A delivery that a worker has claimed and is at.
async fn in_hand(app: &TestApp) -> Outgoing {
    let claimed = app.service().claim_deliveries(Lane::First, || 10, 0, |_, _| Some(())).await.unwrap().ready;
    assert_eq!(claimed.len(), 1);
    claimed.into_iter().next().unwrap().0
}

async fn arrives(app: &TestApp, sent: Outgoing) {
    let attempted = Attempted {
        sent,
        outcome: Outcome::Delivered,
        status: Some(200),
        peer: None,
        retry_after: None,
        answer: Vec::new(),
        response_sha256: None,
        mail: None,
        duration: std::time::Duration::from_secs(1),
        ended_at: app.now(),
    };
    app.service().record_attempts(vec![attempted]).await.unwrap();
}

/// The arrivals that the ledger holds of the notice to a controller.
async fn arrivals(world: &World) -> usize {
    let stream = text(&world.notice(0).await["id"]);
    let story = world.processor().get(&format!("/v1/audit?limit=500&stream={stream}")).await.expect(200).json;
    story["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "notice.delivered").count()
}

async fn next_at(world: &World) -> OffsetDateTime {
    instant(&world.delivery(0).await["next_at"])
}

both! {
    async fn an_hour_back_stops_no_retry_and_no_alarm(app: TestApp) {
        let world = app.world(1).await;
        without_ladders(&world, 0).await;
        let desk = desk(&world).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        let (before, due) = (app.now(), next_at(&world).await);
        set(&app, -Duration::HOUR);
        assert_eq!(app.now(), before, "time does not run backwards");
        // Until the machine has caught up, time goes on at half its rate: what was due in ten seconds comes in twenty.
        app.advance((due - before) * 2);
        app.step_workers().await;
        assert_eq!(world.delivery(0).await["attempts"].as_array().unwrap().len(), 2);
        for _ in 0..60 {
            app.advance(Duration::minutes(30));
            app.step_workers().await;
        }
        let expected = contract(&["half", "three_quarters", "nine_tenths", "overdue"]);
        assert_eq!(told(&desk).await, expected, "each alarm once");
        let attempts = world.delivery(0).await["attempts"].as_array().unwrap().len();
        assert!(attempts > 40, "only {attempts} attempts in 29 hours");
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::hours(2));
        app.step_workers().await;
        assert_eq!(world.notice(0).await["state"], "delivered");
    }

    async fn an_hour_forward_hands_a_lease_on_but_counts_one_arrival(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        let first = in_hand(&app).await;
        set(&app, Duration::HOUR);
        // Its lease seems to be over: another worker takes the delivery and gets through.
        app.step_workers().await;
        assert_eq!(world.notice(0).await["state"], "delivered");
        let (informed, met) = (world.notice(0).await["delivered_at"].clone(), world.duty(&filed, "contract_notice", 0).await);
        app.advance(Duration::SECOND);
        arrives(&app, first).await;
        assert_eq!(world.notice(0).await["delivered_at"], informed);
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, met);
        assert_eq!(arrivals(&world).await, 1);
        let delivery = world.delivery(0).await;
        let ended = delivery["attempts"].as_array().unwrap().iter().filter(|one| one["ended_at"].is_string());
        assert_eq!((ended.count(), &delivery["state"]), (2, &json!("delivered")));
    }

    async fn an_hour_back_holds_a_lease_longer_but_not_for_ever(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        drop(in_hand(&app).await);
        set(&app, -Duration::HOUR);
        let lease = app.service().leases.request;
        app.advance(lease);
        app.step_workers().await;
        assert_eq!(world.notice(0).await["state"], "pending", "half of the lease has passed");
        app.advance(lease);
        app.step_workers().await;
        assert_eq!(world.notice(0).await["state"], "delivered");
        let attempts = world.delivery(0).await["attempts"].clone();
        assert_eq!((&attempts[0]["ended_at"], &attempts[1]["outcome"]), (&Value::Null, &json!("delivered")));
    }

    async fn ten_days_forward_and_back_fire_everything_once(app: TestApp) {
        let world = app.world(1).await;
        let desk = desk(&world).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        set(&app, Duration::days(10));
        app.step_workers().await;
        assert_eq!(told(&desk).await, contract(&["overdue"]), "the highest step that has come");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "breached");
        let before = app.now();
        set(&app, -Duration::days(10));
        for _ in 0..12 {
            app.advance(Duration::minutes(30));
            app.step_workers().await;
        }
        assert_eq!(app.now() - before, Duration::hours(3), "it goes on, slowly");
        assert_eq!(told(&desk).await, BTreeMap::new());
        let tried = world.delivery(0).await["attempts"].as_array().unwrap().len();
        assert!((4..=6).contains(&tried), "{tried} attempts: after the deadline once an hour");
        world.receiver.reply(Reply::Status(204));
        app.advance(Duration::hours(3));
        app.step_workers().await;
        assert_eq!(world.notice(0).await["state"], "delivered");
        assert_eq!(told(&desk).await, contract(&["met"]));
        assert_eq!(arrivals(&world).await, 1);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_step_is_written_down_once_with_its_size(app: TestApp) {
        let service = app.service();
        let mut clocks = service.watch_clocks(Clocks::default()).await.unwrap();
        for (step, passes) in [
            (Duration::ZERO, Duration::HOUR),
            (Duration::SECOND * 59, Duration::SECOND * 30),
            (-Duration::HOUR, Duration::SECOND * 30),
            (Duration::ZERO, Duration::SECOND * 30),
            (Duration::days(10), Duration::SECOND * 30),
        ] {
            set(&app, step);
            app.advance(passes);
            clocks = service.watch_clocks(clocks).await.unwrap();
        }
        let machine = |step: Duration| ("machine".to_owned(), i64::try_from(step.whole_milliseconds()).unwrap());
        assert_eq!(steps(&app).await, [machine(-Duration::HOUR), machine(Duration::days(10))]);
        let measures = String::from_utf8(app.anonymous().get("/metrics").await.expect(200).body).unwrap();
        assert!(!measures.contains(r#"art33_clock_steps_total{clock="machine"} 0"#), "{measures}");
    }

    async fn after_a_restart_time_goes_on_from_the_ledger(app: TestApp) {
        let world = app.world(1).await;
        app.advance(Duration::days(3));
        world.file().await;
        let filed_at = app.now();
        // The next process finds its machine three days back.
        app.service().begin_time().await.unwrap();
        assert_eq!((app.now(), steps(&app).await), (filed_at, Vec::new()), "nothing to mend");
        let earlier = art33::service::Service { clock: art33::clock::Clock::manual(crate::harness::app::START), ..app.service().clone() };
        earlier.begin_time().await.unwrap();
        assert_eq!(earlier.clock.now(), filed_at);
        let expected = i64::try_from(Duration::days(3).whole_milliseconds()).unwrap();
        assert_eq!(steps(&app).await, [("restart".to_owned(), -expected)]);
    }
}

/// A clock of the database server that tests can set.
#[cfg(feature = "postgres")]
struct ServerClock(diesel::PgConnection);

#[cfg(feature = "postgres")]
impl ServerClock {
    /// Puts it before the server's own for all who connect to the database from now on; shows the time of the service at first.
    fn of(app: &TestApp) -> Self {
        use diesel::Connection as _;
        use diesel::connection::SimpleConnection as _;
        let mut connection = diesel::PgConnection::establish(app.database_url()).unwrap();
        let now = app.now().unix_timestamp();
        connection
            .batch_execute(&format!(
                "CREATE TABLE server_clock (ahead interval NOT NULL);
                 INSERT INTO server_clock VALUES (to_timestamp({now}) - clock_timestamp());
                 CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
                     'SELECT pg_catalog.clock_timestamp() + ahead FROM public.server_clock';
                 DO $$ BEGIN
                     EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
                 END $$"
            ))
            .unwrap();
        Self(connection)
    }

    fn set_by(&mut self, step: Duration) {
        use diesel::connection::SimpleConnection as _;
        let seconds = step.whole_seconds();
        self.0.batch_execute(&format!("UPDATE server_clock SET ahead = ahead + interval '{seconds} s'")).unwrap();
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_whose_clock_is_set_is_followed_and_never_turns_time_back() {
    let Some(app) = TestApp::start(crate::harness::app::Backend::Postgres, &[]).await else {
        return eprintln!("skipped: no PostgreSQL server here");
    };
    let world = app.world(1).await;
    let mut server = ServerClock::of(&app);
    let store = art33::store::Store::open(app.database_url(), 2).unwrap();
    let clock = art33::clock::Clock::system();
    let service = art33::service::Service { store, clock, ..app.service().clone() };
    let asked = Instant::now();
    let mut clocks = service.watch_clocks(Clocks::default()).await.unwrap();
    let mut way_before = Duration::try_from(asked.elapsed()).unwrap();
    let mut before = service.clock.now();
    assert!(before >= app.now() && before < app.now() + Duration::MINUTE, "it is the database's time: {before}");
    // What goes back is not followed back, so the last step begins an hour ahead of the database.
    let set = [
        (Duration::HOUR, Duration::HOUR),
        (-Duration::HOUR, Duration::ZERO),
        (Duration::days(10), Duration::hours(239)),
    ];
    for (step, gained) in set {
        world.file().await;
        server.set_by(step);
        let asked = Instant::now();
        clocks = service.watch_clocks(clocks).await.unwrap();
        let way = Duration::try_from(asked.elapsed()).unwrap();
        let now = service.clock.now();
        assert!(now >= before, "{step} turned time back from {before} to {now}");
        // What the database says is known to within half of the way there and back, this time and the time before.
        let least = gained - (way + way_before) / 2;
        assert!(now - before >= least && now - before < gained + Duration::MINUTE, "{step}: from {before} to {now}");
        way_before = way;
        while art33::worker::delivery::step(&service, app.outbound(), Lane::First, 10).await.unwrap() > 0 {}
        assert_eq!(world.notice(0).await["state"], "delivered", "after a step of {step}");
        before = now;
    }
    let recorded = steps(&app).await;
    assert!(recorded.iter().all(|(source, _)| source == "database"), "{recorded:?}");
    let seconds: Vec<f64> = recorded.iter().map(|(_, step)| Duration::milliseconds(*step).as_seconds_f64()).collect();
    assert_eq!(seconds.len(), 3, "{recorded:?}");
    assert!(
        set.iter().zip(seconds).all(|((step, _), found)| (found - step.as_seconds_f64()).abs() < 30.0),
        "{recorded:?}"
    );
    app.stop().await;
}
