//! The program that trains a CLIP goes on where it stopped, and the CLIP that ships knows what it should.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gan_core::Device;
use gan_core::checkpoint::StateDict;
use gan_examples::pairs::zero_shot;

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clip").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(folder: &Path, name: &str, flags: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().and_then(Path::parent).unwrap().join("examples");
    let binary = examples.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Command::new(binary).args(flags).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn train(folder: &Path, flags: &[&str]) -> Output {
    run(folder, "train_clip", flags)
}

#[test]
fn a_run_in_parts_is_the_run_in_one() {
    let folder = folder("parts");
    let tiny = ["--batch", "4", "--held-out", "20", "--steps", "80", "--out"];
    let whole = train(&folder, &[&tiny[..], &["whole"]].concat());
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    // A quarter of a second is less than the steps take, and time for one at least.
    let part = train(&folder, &[&tiny[..], &["parts", "--minutes", "0.004"]].concat());
    assert!(part.status.success());
    let said = train(&folder, &[&tiny[..], &["parts"]].concat());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let after = said.split("goes on after ").nth(1).and_then(|s| s.split(' ').next());
    let after: u64 = after.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!((1..80).contains(&after), "{said}");
    for file in ["resume.safetensors", "clip64.safetensors"] {
        let [one, two] = ["whole", "parts"].map(|run| folder.join(run).join(file));
        let size = fs::metadata(&one).unwrap().len();
        assert!(size < 16_000_000, "{file}: {size} bytes");
        assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "{file}");
    }
}

#[test]
fn another_run_does_not_go_on_from_the_file() {
    let folder = folder("other");
    let tiny = ["--held-out", "20", "--steps", "1", "--out", "run"];
    assert!(train(&folder, &[&tiny[..], &["--batch", "2"]].concat()).status.success());
    let other = train(&folder, &[&tiny[..], &["--batch", "3"]].concat());
    let errors = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success() && errors.contains("batch"), "{errors}");
    for flags in [&["--batch", "0"][..], &["--held-out", "0"], &["--seed", "999"]] {
        let output = train(&folder, flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(flags[0]), "{errors}");
    }
}

#[test]
fn a_folder_of_images_with_captions() {
    let folder = folder("images");
    let world = ["--out", "w", "--count", "24", "--size", "16", "--captions", "2"];
    assert!(run(&folder, "world", &world).status.success());
    let flags = ["--batch", "4", "--size", "16", "--images", "w/images"];
    let table = ["--captions", "w/pictures.csv"];
    let of = |out, more: &[&'static str]| {
        train(&folder, &[&flags[..], &["--steps", "3", "--out", out], more].concat())
    };
    let output = of("whole", &table);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let card = fs::read_to_string(folder.join("whole/clip16.json")).unwrap();
    assert!(card.contains("own caption among all held out") && !card.contains("CC0"), "{card}");
    let clip = folder.join("whole/clip16.safetensors");
    let clip = gan_clip::Clip::open(clip, &Device::cpu()).unwrap();
    assert_eq!(clip.resolution(), 16);

    let long = format!("file,caption\n000000.png,{}\n", "hat ".repeat(80));
    let rest = |text: &str| (1..24).map(|i| format!("{i:06}.png,{text}\n")).collect::<String>();
    fs::write(folder.join("long.csv"), long + &rest("a hat")).unwrap();
    fs::write(folder.join("none.csv"), format!("file,caption\n000000.png,a\n{}", rest("")))
        .unwrap();
    for (more, part) in [
        (&["--captions", "absent.csv"][..], "cannot read absent.csv"),
        (&["--captions", "long.csv"], "77"),
        (&["--captions", "none.csv"], "has no caption"),
        (&[], "cannot read w/images/captions.csv"),
    ] {
        let output = of("none", more);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(part), "{part}: {errors}");
        assert!(!errors.contains("panicked") && !folder.join("none").exists(), "{errors}");
    }
    let output = train(&folder, &["--size", "20", "--out", "none"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a multiple of 8"));
    let others =
        ["--resume", "whole/resume.safetensors", "--steps", "3", "--batch", "4", "--size", "16"];
    let output = train(&folder, &[&others[..], &["--out", "none"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("its data is 24 images"), "{errors}");
}

#[test]
fn the_shipped_network_answers_as_its_card_says() {
    let card = fs::read_to_string(zero_shot::shipped().with_extension("json")).unwrap();
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    for (name, accuracy) in zero_shot::of_shipped(400, &Device::cpu()).unwrap() {
        let said = card["held_out"][name].as_f64().unwrap();
        assert!((accuracy - said).abs() < 0.06, "{name}: {accuracy}, the card says {said}");
    }
    let dict = StateDict::open(zero_shot::shipped()).unwrap();
    assert_eq!(dict.shape("text_model.embeddings.token_embedding.weight"), Some(&[49408, 64][..]));
    assert!(dict.metadata().contains_key("config"));
    assert!(fs::metadata(zero_shot::shipped()).unwrap().len() < 8_000_000);
}
