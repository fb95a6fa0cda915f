//! The signing key changes from the command line.

use serde_json::Value;

use super::{Served, assert_fails, assert_works, fresh, run};

#[test]
fn the_signing_key_changes_and_the_old_one_stays_published() {
    let directory = fresh();
    let rotate = |arguments: &[&str]| run(&directory, &[&["rotate-signing-key"], arguments].concat());
    assert_fails(&rotate(&[]), 1, "there is no signing key");
    assert_eq!(rotate(&["--overlap", "soon"]).status.code(), Some(2));
    let served = Served::start(&directory);
    let old = key_names(&served);
    served.stop();

    let said = assert_works(&rotate(&["--overlap", "P1D"]));
    assert!(said.contains(&old[0]) && said.contains("is good until"), "{said}");
    let data = directory.path().join("data");
    assert!(!std::fs::read_to_string(data.join("signing-keys.json")).unwrap().contains("seed"), "public keys only");
    for file in ["signing.key", "signing.key.previous"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(data.join(file)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_fails(&rotate(&[]), 1, "is still good until");
    let served = Served::start(&directory);
    let new = key_names(&served);
    assert_eq!((new.len(), &new[1], said.contains(&new[0])), (2, &old[0], true));
    let token = assert_works(&run(&directory, &["token", "--operator"]));
    assert_eq!(served.get("/v1/organisations", token.trim()).0, 200, "the new key signs tokens");
    served.stop();
    assert_works(&rotate(&["--overlap", "PT0S"]));
    assert!(!data.join("signing.key.previous").exists());
    assert!(assert_works(&run(&directory, &["verify"])).starts_with("The ledger fits"));
}

/// The names of the published keys.
fn key_names(served: &Served) -> Vec<String> {
    let (status, body) = served.get("/.well-known/jwks.json", "");
    assert_eq!(status, 200);
    let keys: Value = serde_json::from_str(&body).unwrap();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}
