//! The README's configuration table is the table of settings, row by row.
//! Nothing else of the README is checked here.

use art33::config::markdown_table;

#[test]
fn the_readme_lists_every_setting_and_its_default() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap_or_default();
    let missing: Vec<String> =
        markdown_table().lines().filter(|row| !readme.lines().any(|line| line == *row)).map(str::to_owned).collect();
    assert!(missing.is_empty(), "README.md lacks these rows:\n{}", missing.join("\n"));
}
