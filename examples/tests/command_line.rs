//! The examples as programs: what they draw, and how they refuse what they cannot.
//!
//! Whatever the flags, an example ends with exit code 0, or with 1 and a message on standard error that names the flag or
//! file; it never panics, and leaves no file behind that is not complete.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use gan_core::Image;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/portraits64.safetensors");
const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures");

/// A small checkpoint of each family and layout.
const CHECKPOINTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/checkpoints");

/// Flags with which either example is done in a moment.
const SMALL: [(&str, &[&str]); 2] = [
    ("generate", &["--seeds", "0-1"]),
    ("sefa", &["--layers", "0-1", "--semantics", "1", "--steps", "2"]),
];

/// The example's binary, which `cargo test` builds beside this test's folder.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing: `cargo test` builds it, or `cargo build --examples` in the same profile",
        path.display()
    );
    path
}

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command_line").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Everything below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn command(folder: &Path, name: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(example(name));
    command.args(flags).current_dir(folder).stdin(Stdio::null()).env_remove("RAYON_NUM_THREADS");
    command
}

fn run(folder: &Path, name: &str, flags: &[&str]) -> Output {
    command(folder, name, flags).output().unwrap()
}

/// Runs to a good end and gives the picture's bytes.
#[track_caller]
fn drawn(folder: &Path, command: &mut Command, path: &str) -> Vec<u8> {
    let output = command.arg("--out").arg(path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {errors}", output.status);
    assert!(errors.is_empty(), "{errors}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(path));
    fs::read(folder.join(path)).unwrap()
}

#[track_caller]
fn check_message(status: ExitStatus, errors: &[u8], parts: &[&str], flags: &[&str]) {
    let errors = String::from_utf8_lossy(errors);
    assert_eq!(status.code(), Some(1), "{flags:?}: {errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{flags:?}: {errors}");
    for part in parts {
        assert!(errors.contains(part), "{flags:?}: `{part}` is not in: {errors}");
    }
}

/// Runs to a bad end: exit code 1, a message with all `parts`, and nothing new in the folder.
#[track_caller]
fn refused(folder: &Path, name: &str, flags: &[&str], parts: &[&str]) {
    let before = files(folder);
    let output = run(folder, name, flags);
    check_message(output.status, &output.stderr, parts, flags);
    assert_eq!(files(folder), before, "{name} {flags:?}");
}

#[test]
fn models_that_are_none() {
    let folder = folder("models");
    let bytes = fs::read(MODEL).unwrap();
    fs::write(folder.join("cut.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(folder.join("torch.pt"), b"PK\x03\x04\x14\0\0\x08").unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    for (name, _) in SMALL {
        for (model, reason) in [
            ("none.safetensors", "cannot read"),
            ("folder", "not a regular file"),
            ("cut.safetensors", "incomplete"),
            ("torch.pt", "torch"),
        ] {
            refused(&folder, name, &["--model", model, "--out", "x.png"], &[model, reason]);
        }
    }
}

#[test]
fn flags_of_both_examples() {
    let folder = folder("both");
    for (name, small) in SMALL {
        for (flags, parts) in [
            (&["--psi", "nan"][..], &["psi", "finite", "NaN"][..]),
            (&["--psi=-inf"], &["psi", "finite", "-inf"]),
            (&["--psi", "much"], &["--psi", "much"]),
            (&["--class", "0"], &["--class", "not conditional"]),
            (&["--class", "-1"], &["-1"]),
            (&["--cutoff", "x"], &["--cutoff", "x"]),
            (&["--seeds=-1"], &["--seeds", "-1"]),
            (&["--seeds", "-1"], &["-1"]),
            (&["--seeds", "4294967296"], &["--seeds", "4294967296", "4294967295"]),
            (&["--seeds", "5-2"], &["--seeds", "5-2", "ascend"]),
            (&["--seeds", ""], &["--seeds", "empty"]),
            (&["--seeds", "0-4294967295"], &["--seeds", "65536"]),
            (&["--seeds", "0-65535"], &["sheet", "bytes"]),
            (&["--out"], &["--out"]),
            (&["--nonsense"], &["--nonsense"]),
            (&["surplus"], &["surplus"]),
        ] {
            // The seeds of `small` would be given twice.
            let small = if flags[0].starts_with("--seeds") { &[] } else { small };
            let flags = [small, &["--out=x.png"], flags].concat();
            if flags.ends_with(&["--out"]) {
                refused(&folder, name, &["--out"], parts);
            } else {
                refused(&folder, name, &flags, parts);
            }
        }
    }
}

#[test]
fn flags_of_sefa() {
    let folder = folder("sefa");
    for (flags, parts) in [
        (&["--layers", "9-12"][..], &["layers", "0 to 9", "12"][..]),
        (&["--layers", "10"], &["layers", "0 to 9", "10"]),
        (&["--layers", "5-2"], &["--layers", "5-2", "ascends"]),
        (&["--layers", ""], &["--layers"]),
        (&["--layers", "a-b"], &["--layers", "a-b"]),
        (&["--layers", "99999999999"], &["--layers", "99999999999"]),
        (&["--steps", "0"], &["steps", "found 0"]),
        (&["--steps", "1"], &["steps", "found 1"]),
        (&["--steps", "-1"], &["-1"]),
        (&["--steps", "60000"], &["sheet", "bytes"]),
        (&["--steps", "100000000"], &["steps", "100000000"]),
        (&["--steps", "18446744073709551615"], &["steps", "18446744073709551615"]),
        (&["--semantics", "0"], &["semantics", "found 0"]),
        (&["--semantics", "x"], &["--semantics", "x"]),
        (&["--range", "nan"], &["range", "NaN"]),
        (&["--range", "inf"], &["range", "inf"]),
        (&["--range", "0"], &["range", "above 0"]),
        (&["--range", "-2"], &["range", "above 0", "-2"]),
        (&["--convention", "mine"], &["--convention", "mine", "rosinality"]),
    ] {
        refused(&folder, "sefa", &[&["--out=x.png"], flags].concat(), parts);
    }
}

#[test]
fn flags_of_generate() {
    let folder = folder("generate");
    for (flags, parts) in [
        (&["--columns", "0"][..], &["columns", "found 0"][..]),
        (&["--columns", "x"], &["--columns", "x"]),
        (&["--mix", "5-2"], &["--mix", "5-2"]),
        (&["--mix", "0-65535"], &["sheet", "bytes"]),
        (&["--mix", "1", "--mix-layers", "0-30"], &["layers", "0 to 9", "30"]),
        (&["--mix-layers", "5-2"], &["--mix-layers", "5-2"]),
        (&["--noise", "loud"], &["--noise", "loud", "random"]),
        (&["--noise-seed", "-1"], &["-1"]),
    ] {
        refused(&folder, "generate", &[&["--out=x.png"], flags].concat(), parts);
    }
}

#[test]
fn any_family_and_layout() {
    let folder = folder("families");
    let checkpoints: Vec<PathBuf> = files(Path::new(CHECKPOINTS))
        .into_iter()
        .filter(|file| file.parent() == Some(Path::new(CHECKPOINTS)))
        .filter(|file| file.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    assert_eq!(checkpoints.len(), 9);
    for checkpoint in &checkpoints {
        let name = checkpoint.file_stem().unwrap().to_str().unwrap();
        let class = if name.starts_with("biggan") { &["--class", "2"][..] } else { &[] };
        let model = ["--model", checkpoint.to_str().unwrap()];
        for (example, flags) in [
            ("generate", &["--seeds", "0-3", "--columns", "2"][..]),
            ("sefa", &["--layers", "all", "--semantics", "3", "--steps", "3", "--seeds", "0,4"]),
        ] {
            let flags = [&model, flags, class].concat();
            let path = format!("{name}_{example}.png");
            drawn(&folder, &mut command(&folder, example, &flags), &path);
            let sheet = Image::open(folder.join(&path)).unwrap();
            let values: std::collections::BTreeSet<u8> = sheet.pixels().iter().copied().collect();
            assert!(values.len() > 16, "{path} is nearly empty");
        }
    }
}

#[test]
fn flags_that_a_family_has_no_use_for() {
    let folder = folder("unwanted");
    for (name, small) in SMALL {
        let check = |file: &str, flags: &[&str], parts: &[&str]| {
            let model = format!("{CHECKPOINTS}/{file}.safetensors");
            let flags = [&["--model", &model, "--out=x.png"], small, flags].concat();
            refused(&folder, name, &flags, parts);
        };
        let biggan = "biggan_huggingface";
        check("pggan_genforce", &["--psi", "0.5"], &["--psi", "PGGAN has no truncation", "0.5"]);
        check("pggan_mganprior", &["--cutoff", "2"], &["--cutoff", "PGGAN"]);
        check("pggan_mganprior", &["--class", "0"], &["--class", "not conditional"]);
        check("stylegan_genforce", &["--conv-clamp", "256"], &["--conv-clamp", "StyleGAN"]);
        check(biggan, &[], &["--class", "0 to 4", "none"]);
        check(biggan, &["--class", "5"], &["class", "0 to 4", "5"]);
        check(biggan, &["--class", "0", "--psi", "0"], &["truncation", "above 0"]);
        check(biggan, &["--class", "0", "--psi", "1.5"], &["truncation", "at most 1", "1.5"]);
        check(biggan, &["--class", "0", "--cutoff", "1"], &["--cutoff", "BigGAN"]);
    }
    let model = format!("{CHECKPOINTS}/pggan_genforce.safetensors");
    for (flags, parts) in
        [(["--mix", "1"], ["--mix", "styles"]), (["--noise", "random"], ["--noise", "Random"])]
    {
        let flags = [&["--model", &model, "--out=x.png"], &flags[..]].concat();
        refused(&folder, "generate", &flags, &parts);
    }
}

#[test]
fn a_world_with_everything() {
    let folder = folder("world");
    for (domain, factors) in [("portraits", 20), ("houses", 10)] {
        let flags = ["--domain", domain, "--out", domain, "--count", "5", "--size", "32"];
        let flags = [&flags[..], &["--captions", "2", "--sheet"]].concat();
        let output = run(&folder, "world", &flags);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = folder.join(domain);
        // Two folders, the pictures and masks in them, the table and two sheets.
        assert_eq!(files(&found).len(), 2 + 5 + 5 + 3);
        for kind in ["images", "masks"] {
            let picture = Image::open(found.join(kind).join("000004.png")).unwrap();
            assert_eq!((picture.width(), picture.height()), (32, 32));
        }
        let table = fs::read_to_string(found.join("pictures.csv")).unwrap();
        assert_eq!(table.lines().count(), 6);
        // Commas within quotes are those of captions.
        for line in table.lines() {
            let commas: usize =
                line.split('"').step_by(2).map(|part| part.matches(',').count()).sum();
            assert_eq!(commas, factors + 2, "{line}");
        }
        assert!(Image::open(found.join("factors.png")).unwrap().height() > factors * 32);
        assert_eq!(Image::open(found.join("sheet.png")).unwrap().width(), 5 * 32);
    }
    refused(&folder, "world", &["--size", "7", "--out", "x"], &["side", "8 to 4096", "7"]);
    refused(&folder, "world", &["--count", "0", "--out", "x"], &["--count", "1 to"]);
    let many = ["--captions", "18446744073709551615", "--out", "x"];
    refused(&folder, "world", &many, &["--captions", "0 to 1000"]);
    assert!(!folder.join("x").exists());
}

/// What is drawn until then has its row in the table.
#[cfg(unix)]
#[test]
fn an_interrupted_world_is_a_smaller_one() {
    let folder = folder("interrupt_world");
    let flags = ["--out", "w", "--count", "4000000000", "--size", "8"];
    let mut child = Guard(command(&folder, "world", &flags).spawn().unwrap());
    while !folder.join("w/masks/000009.png").is_file() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.0.wait().unwrap().code(), Some(1));
    let table = fs::read_to_string(folder.join("w/pictures.csv")).unwrap();
    let last = table.lines().last().unwrap().split(',').next().unwrap();
    assert!(folder.join("w/images").join(last).is_file(), "{last}");
    assert_eq!(table.lines().count() - 1, files(&folder.join("w/images")).len());
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = folder("outputs");
    fs::write(folder.join("file"), "").unwrap();
    fs::create_dir(folder.join("taken.png")).unwrap();
    fs::write(folder.join("taken.png/inside"), "").unwrap();
    let mut outputs = vec![
        ("x.gif", "x.gif"),
        ("x", ".png"),
        ("new/x.gif", "x.gif"),
        ("file/x.png", "file"),
        ("file/below/x.png", "file/below"),
        ("taken.png", "taken.png"),
    ];
    if cfg!(target_os = "linux") {
        outputs.push(("/proc/x.png", "/proc/x.png"));
    }
    for (name, small) in SMALL {
        for (path, part) in &outputs {
            refused(&folder, name, &[small, &["--out", path]].concat(), &[part]);
        }
    }
}

#[test]
fn standard_output_that_nobody_reads() {
    let folder = folder("closed");
    for (name, small) in SMALL {
        let mut child = command(&folder, name, &[small, &["--out", "x.png"]].concat());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{errors}");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    }
}

#[test]
fn help_is_no_error() {
    let folder = folder("help");
    for (name, _) in SMALL {
        let output = run(&folder, name, &["--help"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("--model") && text.contains("--out"), "{text}");
    }
}

/// A child that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_the_work() {
    for (name, flags) in [
        ("generate", &["--seeds", "0-20000", "--columns", "100"][..]),
        ("sefa", &["--seeds", "0-49", "--steps", "20"]),
    ] {
        let folder = folder(&format!("interrupt_{name}"));
        let flags = [flags, &["--out", "x.png"]].concat();
        let mut child = command(&folder, name, &flags);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut child = Guard(child);
        // Once the model is open, the program listens.
        let mut line = String::new();
        BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("open"), "{line}");
        std::thread::sleep(Duration::from_millis(700));
        let id = child.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());

        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.0.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{name} does not stop");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut errors = Vec::new();
        std::io::Read::read_to_end(child.0.stderr.as_mut().unwrap(), &mut errors).unwrap();
        check_message(status, &errors, &["stopped on request"], &flags);
        assert!(files(&folder).is_empty());
    }
}

#[test]
fn folders_are_created() {
    let folder = folder("created");
    let flags = ["--semantics", "1", "--steps", "3"];
    drawn(&folder, &mut command(&folder, "sefa", &flags), "a/b/x.png");
    let image = Image::open(folder.join("a/b/x.png")).unwrap();
    assert!(image.width() > 3 * 128 && image.height() > 3 * 128, "{image:?}");
    // A picture that was there is replaced.
    let before = fs::read(folder.join("a/b/x.png")).unwrap();
    let flags = ["--semantics", "1", "--steps", "2"];
    assert_ne!(drawn(&folder, &mut command(&folder, "sefa", &flags), "a/b/x.png"), before);
    assert_eq!(files(&folder).len(), 3);
    drawn(&folder, &mut command(&folder, "generate", &["--seeds", "5"]), "x.jpg");
    Image::open(folder.join("x.jpg")).unwrap();
}

#[test]
fn the_same_flags_give_the_same_bytes() {
    let folder = folder("same");
    for (name, small) in SMALL {
        let first = drawn(&folder, &mut command(&folder, name, small), "x.png");
        for threads in [None, Some("1"), Some("3")] {
            let mut command = command(&folder, name, small);
            command.envs(threads.map(|n| ("RAYON_NUM_THREADS", n)));
            let again = drawn(&folder, &mut command, "x.png");
            assert!(again == first, "{name} with {threads:?} threads");
        }
    }
}

/// Peak signal-to-noise ratio in dB.
fn psnr(a: &Image, b: &Image) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let sum: f64 = a.pixels().iter().zip(b.pixels()).map(square).sum();
    10.0 * (255.0f64.powi(2) * a.pixels().len() as f64 / sum).log10()
}

#[test]
fn pictures_are_those_of_the_repository() {
    let folder = folder("pictures");
    for (name, flags, picture) in [
        ("generate", &["--seeds", "0-3"][..], "generate_0-3.png"),
        ("sefa", &["--semantics", "1"], "sefa_semantics_1.png"),
    ] {
        drawn(&folder, &mut command(&folder, name, flags), picture);
        let found = Image::open(folder.join(picture)).unwrap();
        let expected = Image::open(Path::new(PICTURES).join(picture)).unwrap();
        let psnr = psnr(&found, &expected);
        assert!(psnr >= 40.0, "{picture}: {psnr} dB");
    }
}
