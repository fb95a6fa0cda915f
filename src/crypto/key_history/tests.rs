//! Keys that change: what is published, what signs, and what a cut in the middle leaves behind.
#![expect(clippy::unwrap_used, reason = "tests")]

use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-22 00:40 UTC);

fn load(directory: &Path) -> KeyHistory {
    KeyHistory::load_or_create(directory, &Entropy::system(), NOW).unwrap()
}

fn rotate(directory: &Path, now: OffsetDateTime, overlap: Duration) -> Result<Rotation, KeyFileError> {
    KeyHistory::rotate(directory, &Entropy::system(), now, overlap)
}

/// Name, beginning and end of every published key.
fn published(history: &KeyHistory) -> Vec<(String, Value, Value)> {
    let keys = history.to_jwk_set()["keys"].as_array().unwrap().clone();
    let text = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys.iter().map(|key| (text(key), key["valid_from"].clone(), key["valid_until"].clone())).collect()
}

#[test]
fn the_first_key_has_no_beginning_and_no_end() {
    let directory = tempfile::tempdir().unwrap();
    let history = load(directory.path());
    assert_eq!(published(&history), [(history.current().key_id().to_owned(), json!(null), json!(null))]);
    assert_eq!(history.earliest(NOW), NOW);
}

#[test]
fn both_keys_sign_during_the_overlap_and_old_ones_stay_published() {
    let directory = tempfile::tempdir().unwrap();
    let old = load(directory.path());
    let made = rotate(directory.path(), NOW, Duration::DAY).unwrap();
    assert_eq!((&made.previous_key_id[..], made.previous_valid_until), (old.current().key_id(), NOW + Duration::DAY));
    let new = load(directory.path());
    assert_eq!(new.current().key_id(), made.key_id);
    assert_eq!(
        published(&new),
        [
            (made.key_id.clone(), json!("2026-11-22T00:40:00Z"), json!(null)),
            (made.previous_key_id.clone(), json!(null), json!("2026-11-23T00:40:00Z")),
        ]
    );
    let signers = |at| new.signers(at).into_iter().map(SigningKey::key_id).collect::<Vec<_>>();
    assert_eq!(signers(NOW), [new.current().key_id(), old.current().key_id()]);
    assert_eq!(signers(NOW + Duration::DAY), [new.current().key_id()]);
    assert_eq!((new.earliest(NOW - Duration::HOUR), new.earliest(NOW + Duration::HOUR)), (NOW, NOW + Duration::HOUR));

    let secret = directory.path().join("signing.key.previous");
    assert!(secret.exists());
    KeyHistory::load_or_create(directory.path(), &Entropy::system(), NOW + Duration::DAY).unwrap();
    assert!(!secret.exists(), "no secret without a use stays");
    rotate(directory.path(), NOW + Duration::days(2), Duration::ZERO).unwrap();
    let newest = load(directory.path());
    let ids: Vec<_> = published(&newest).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, [newest.current().key_id(), &made.key_id, &made.previous_key_id]);
    assert_eq!(newest.signers(NOW + Duration::days(2)).len(), 1);
}

#[test]
fn a_third_key_waits_for_the_end_of_the_overlap_unless_that_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path());
    rotate(directory.path(), NOW, Duration::DAY).unwrap();
    let refused = rotate(directory.path(), NOW + Duration::HOUR, Duration::DAY);
    assert!(matches!(refused, Err(KeyFileError::Overlapping { until }) if until == NOW + Duration::DAY));
    rotate(directory.path(), NOW + Duration::HOUR, Duration::ZERO).unwrap();
    let ends: Vec<_> = published(&load(directory.path())).into_iter().map(|(.., until)| until).collect();
    assert_eq!(ends, [json!(null), json!("2026-11-22T01:40:00Z"), json!("2026-11-22T01:40:00Z")]);
}

#[test]
fn a_change_that_was_cut_off_leaves_the_old_key_and_is_finished_by_doing_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let old = load(directory.path());
    let secret = fs::read(directory.path().join("signing.key")).unwrap();
    let made = rotate(directory.path(), NOW, Duration::DAY).unwrap();
    // As if the last step, the move of the new key into its place, had not been taken.
    fs::rename(directory.path().join("signing.key"), directory.path().join("signing.key.next")).unwrap();
    key_file::replace(&directory.path().join("signing.key"), std::str::from_utf8(&secret).unwrap(), 0o600).unwrap();

    let between = load(directory.path());
    assert_eq!(published(&between), [(old.current().key_id().to_owned(), json!(null), json!(null))]);
    assert_eq!(between.signers(NOW).len(), 1);
    let again = rotate(directory.path(), NOW + Duration::HOUR, Duration::DAY).unwrap();
    assert_eq!((&again.key_id, &again.previous_key_id), (&made.key_id, &made.previous_key_id));
    assert_eq!(published(&load(directory.path())).len(), 2);
}

#[test]
fn many_changes_at_once_lose_no_key() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| rotate(directory.path(), NOW, Duration::ZERO).unwrap());
        }
    });
    assert_eq!(published(&load(directory.path())).len(), 9);
}

#[test]
fn without_a_key_there_is_nothing_to_change() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(rotate(directory.path(), NOW, Duration::DAY), Err(KeyFileError::NoKey { .. })));
}

#[test]
fn a_list_that_cannot_be_read_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path());
    fs::write(directory.path().join("signing-keys.json"), "[{}]").unwrap();
    let refused = KeyHistory::load_or_create(directory.path(), &Entropy::system(), NOW);
    assert!(matches!(refused, Err(KeyFileError::Io { path, .. }) if path.ends_with("signing-keys.json")));
}
