//! The training program: what it writes, how it goes on, and what it refuses.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gan_core::training::TrainerOptions;
use gan_core::{Device, Generator, Image, StyleGan2};
use gan_examples::training::{Log, Pictures};
use gan_examples::world::Domain;

/// Networks with which a step takes milliseconds.
const TINY: [&str; 10] =
    ["--size", "8", "--channel-base", "64", "--channel-max", "8", "--latent", "8", "--batch", "4"];

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("train").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs the example's binary, which `cargo test` builds beside this test's folder.
/// What is in `flags` takes the place of what is in [`TINY`].
fn run(folder: &Path, flags: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().and_then(Path::parent).unwrap().join("examples");
    let binary = examples.join(format!("train_stylegan2{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(binary);
    let tiny = TINY.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten();
    command.args(tiny).args(flags).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

#[track_caller]
fn trained(folder: &Path, flags: &[&str]) -> String {
    let output = run(folder, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code 1, a message with all `parts`, and no folder written.
#[track_caller]
fn refused(folder: &Path, flags: &[&str], parts: &[&str]) {
    let output = run(folder, &[&["--out", "none"], flags].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{flags:?}: {errors}");
    for part in parts {
        assert!(errors.contains(part), "{flags:?}: `{part}` is not in: {errors}");
    }
    assert!(!folder.join("none").exists());
}

#[test]
fn a_run_in_two_parts_is_the_run_in_one() {
    let folder = folder("parts");
    trained(&folder, &["--steps", "40", "--out", "whole"]);
    trained(&folder, &["--steps", "32", "--out", "parts"]);
    let said = trained(&folder, &["--steps", "40", "--out", "parts"]);
    assert!(said.contains("goes on after 32 steps"), "{said}");
    for file in
        ["resume.safetensors", "generator.safetensors", "losses.csv", "samples/00000160.png"]
    {
        let [one, two] =
            ["whole", "parts"].map(|out| fs::read(folder.join(out).join(file)).unwrap());
        assert!(one == two, "{file}");
    }
    // Nothing is left of writing them.
    let count = |folder: PathBuf| fs::read_dir(folder).unwrap().count();
    assert_eq!((count(folder.join("whole")), count(folder.join("whole/samples"))), (5, 1));

    let generator = folder.join("whole/generator.safetensors");
    let g = StyleGan2::open(generator, &Device::cpu()).unwrap();
    assert_eq!(g.image_shape(), [3, 8, 8]);
    let sheet = Image::open(folder.join("whole/samples/00000160.png")).unwrap();
    assert_eq!([sheet.width(), sheet.height()], [64, 48]);
    let table = fs::read_to_string(folder.join("whole/losses.csv")).unwrap();
    let steps: Vec<&str> = table.lines().filter_map(|row| row.split(',').next()).collect();
    assert_eq!(steps, ["step", "32", "40"]);
}

#[test]
fn every_kind_of_run() {
    let folder = folder("kinds");
    for flags in [
        &["--domain", "houses"][..],
        &["--arch", "orig", "--d-arch", "orig"],
        &["--arch", "resnet", "--d-arch", "skip"],
        &["--lazy", "off", "--gamma", "1"],
        &["--path-length", "off", "--mapping-layers", "1"],
        &["--norm", "adain"],
        &["--growing", "0.004", "--grow-from", "4"],
        &["--norm", "adain", "--growing", "0.004"],
    ] {
        trained(&folder, &[flags, &["--steps", "2", "--out", &flags[1..].concat()]].concat());
    }
    // No time at all writes what there is.
    trained(&folder, &["--minutes", "0", "--out", "none"]);
    assert!(folder.join("none/resume.safetensors").is_file());
}

#[test]
fn a_folder_of_images() {
    let folder = folder("images");
    for name in ["empty", "right", "wrong"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    fs::write(folder.join("empty/notes.txt"), "no image").unwrap();
    for (i, name) in ["a.png", "b.jpg"].into_iter().enumerate() {
        let image = Image::filled(8, 8, [80 * i as u8; 3]).unwrap();
        image.save(folder.join("right").join(name)).unwrap();
        image.save(folder.join("wrong").join(name)).unwrap();
    }
    Image::filled(8, 9, [0; 3]).unwrap().save(folder.join("wrong/c.png")).unwrap();
    trained(&folder, &["--images", "right", "--steps", "2", "--out", "x"]);
    refused(&folder, &["--images", "empty"], &["--images", "none in empty"]);
    refused(&folder, &["--images", "absent"], &["cannot read absent"]);
    refused(&folder, &["--images", "wrong"], &["8 x 8 pixels", "8 x 9 in wrong/c.png"]);
    fs::write(folder.join("wrong/c.png"), "no image").unwrap();
    refused(&folder, &["--images", "wrong"], &["wrong/c.png"]);
    refused(&folder, &["--images", "right", "--domain", "houses"], &["--images", "--domain"]);
}

/// Both files come, in an order that the seed decides and the number of the first image continues.
#[test]
fn pictures_continue_anywhere() {
    let gray = |v: u8| Image::filled(8, 8, [v; 3]).unwrap();
    let device = Device::cpu();
    let files = Pictures::Files(vec![gray(0), gray(255)]);
    let drawn = [Domain::Portraits, Domain::Houses].map(Pictures::Drawn);
    for pictures in drawn.into_iter().chain([files]) {
        let batch = |seed, first, n| {
            pictures.batch(seed, first, n, 8, &device).unwrap().to_vec::<f32>().unwrap()
        };
        let whole = batch(1, 0, 12);
        assert_eq!(batch(1, 5, 4), whole[5 * 192..9 * 192]);
        assert_ne!(batch(2, 0, 12), whole);
        let first: Vec<&[f32]> =
            whole.chunks(192).filter(|image| **image == whole[..192]).collect();
        assert!(first.len() < 12);
    }
}

#[test]
fn what_makes_no_sense() {
    let folder = folder("refused");
    for (flags, parts) in [
        (&["--size", "12"][..], &["resolution", "12"][..]),
        (&["--batch", "0"], &["--batch", "found 0"]),
        (&["--batch", "6"], &["batch", "multiple of the 4 samples"]),
        (&["--batch", "18446744073709551612"], &["--batch", "18446744073709551612"]),
        (&["--channel-base", "4"], &["channel_base"]),
        (&["--channel-max", "0"], &["channel_max"]),
        (&["--latent", "0"], &["z_dim"]),
        (&["--mapping-layers", "0"], &["mapping_layers"]),
        (&["--minutes", "nan"], &["--minutes", "NaN"]),
        (&["--minutes=-1"], &["--minutes", "-1"]),
        (&["--lr", "nan"], &["lr", "NaN"]),
        (&["--gamma=-1"], &["r1_gamma", "-1"]),
        (&["--resume", "absent"], &["cannot read absent"]),
        (&["--arch", "other"], &["--arch", "other"]),
        (&["--norm", "other"], &["--norm", "other"]),
        (&["--norm", "adain", "--arch", "skip"], &["generator architecture", "Orig", "Skip"]),
        (&["--growing", "1", "--d-arch", "resnet"], &["discriminator architecture", "Orig"]),
        (&["--growing", "1", "--grow-from", "16"], &["growth start", "4 to 8", "16"]),
        (&["--growing", "nan"], &["--growing", "NaN"]),
    ] {
        refused(&folder, flags, parts);
    }
}

#[test]
fn runs_of_other_flags_do_not_go_on() {
    let folder = folder("other");
    trained(&folder, &["--steps", "1", "--out", "x"]);
    let resume = ["--resume", "x/resume.safetensors"];
    for (flags, part) in [
        (["--gamma", "7"], "r1_gamma: expected 0.0032"),
        (["--seed", "7"], "seed: expected 0 as in x"),
        (["--mapping-layers", "3"], "`G.mapping.fc2.bias`"),
        (["--lazy", "off"], "r1_interval: expected Some(16)"),
        (["--domain", "houses"], "its data is portraits of 8 x 8, that of this run houses"),
    ] {
        refused(&folder, &[&resume[..], &flags].concat(), &[part]);
    }
    fs::write(folder.join("x/losses.csv"), "step\n1,2\n").unwrap();
    refused(&folder, &resume, &["losses.csv", "line 2"]);
}

#[test]
fn rows_of_lost_steps_are_dropped() {
    const COLUMNS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
    let folder = folder("rows");
    let path = folder.join("losses.csv");
    fs::write(&path, "step,...\n32,1,2,3,4,5,,7,8\n64,1,2,3,4,5,6,7,8\n").unwrap();
    let again = folder.join("again.csv");
    for (steps, rows) in [(100, 2), (64, 2), (63, 1), (0, 0)] {
        Log::open(&path, &COLUMNS, steps).unwrap().save(&again).unwrap();
        let text = fs::read_to_string(&again).unwrap();
        assert_eq!(text.lines().count(), 1 + rows, "{text}");
        assert!(rows == 0 || text.contains("\n32,1,2,3,4,5,,7,8\n"));
    }
    assert_eq!(TrainerOptions::auto(64, 16).r1_gamma, 0.0512);
}
