//! The program that measures generators: what it prints for which, and what it refuses.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A small checkpoint of each family and layout.
const CHECKPOINTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/checkpoints");

/// Runs the example's binary, which `cargo test` builds beside this test's folder.
fn run(flags: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let examples: PathBuf = test.parent().and_then(Path::parent).unwrap().join("examples");
    let binary = examples.join(format!("measure{}", std::env::consts::EXE_SUFFIX));
    Command::new(binary).args(flags).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn printed(flags: &[&str]) -> String {
    let output = run(flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(flags: &[&str], parts: &[&str]) {
    let output = run(flags);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{flags:?}: {errors}");
    for part in parts {
        assert!(errors.contains(part), "{flags:?}: `{part}` is not in: {errors}");
    }
}

#[test]
fn the_shipped_portraits() {
    let text = printed(&["--images", "16", "--walks", "0-3", "--frames", "5"]);
    let shares = text.lines().filter_map(|line| line.strip_suffix(" %"));
    let shares: Vec<f64> =
        shares.map(|line| line.split_whitespace().last().unwrap().parse().unwrap()).collect();
    assert_eq!(shares.len(), 5, "{text}");
    assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.5, "{text}");
    // The last block adds most to a network that is trained to its end.
    assert!(shares[4] > 30.0 && shares[4] > shares[0], "{text}");
    assert!(text.contains("b64.conv1"), "{text}");
    let phase = text.lines().last().unwrap().strip_prefix("phase: ").unwrap();
    let sticking: f64 = phase.split_whitespace().next().unwrap().parse().unwrap();
    assert!((-0.2..0.5).contains(&sticking), "{phase}");
}

#[test]
fn other_families() {
    let few = ["--images", "2", "--walks", "0-1", "--frames", "3"];
    for (file, has_layers) in [
        ("stylegan2_rosinality", true),
        ("stylegan_genforce", true),
        ("pggan_genforce", false),
        ("biggan_huggingface", false),
    ] {
        let model = format!("{CHECKPOINTS}/{file}.safetensors");
        let class = if file.starts_with("biggan") { &["--class", "1"][..] } else { &[] };
        let text = printed(&[&["--model", &model], &few[..], class].concat());
        assert_eq!(text.contains("droplets"), has_layers, "{file}: {text}");
        assert!(text.contains("phase: "), "{file}: {text}");
    }
}

#[test]
fn what_makes_no_sense() {
    refused(&["--images", "0"], &["--images", "at least 1"]);
    for frames in ["0", "1", "18446744073709551615"] {
        refused(&["--frames", frames], &["--frames", "2 to 1024", frames]);
    }
    refused(&["--direction", "64", "--images", "1"], &["--direction", "0 to 63", "64"]);
    refused(&["--model", "absent"], &["cannot read absent"]);
    refused(&["--walks", "x"], &["--walks"]);
}
