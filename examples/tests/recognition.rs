//! The programs that train networks to look at pictures: how they go on, what they refuse, and how good the shipped networks are.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gan_core::{Attribute, Classifier, Device, Image, ImageEncoder, Perceptual, Tensor};
use gan_core::{perceptual_distance, training::cross_entropy};
use gan_examples::recognition::{
    Identities, Labelled, Masks, attribute_scores, auc, class_scores, one_hot, pair_products,
};
use gan_examples::report::Shipped;

/// Each program, with flags for networks of which a step takes a millisecond.
const PROGRAMS: [&str; 3] = ["attributes", "segmenter", "identity"];
const TINY: [&str; 6] = ["--size", "16", "--channels", "4,8", "--batch", "4"];

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recognition").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The example's binary, which `cargo test` builds beside this test's folder.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().and_then(Path::parent).unwrap().join("examples");
    examples.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn command(folder: &Path, name: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command.args(flags).current_dir(folder).stdin(Stdio::null());
    command
}

/// What is in `flags` takes the place of what is in [`TINY`].
fn train(folder: &Path, name: &str, flags: &[&str]) -> Output {
    let tiny = TINY.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied();
    let flags: Vec<&str> = tiny.chain(flags.iter().copied()).collect();
    command(folder, &format!("train_{name}"), &flags).output().unwrap()
}

#[track_caller]
fn trained(folder: &Path, name: &str, flags: &[&str]) -> String {
    let output = train(folder, name, flags);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code 1, and a message with all `parts`.
#[track_caller]
fn refused(output: &Output, parts: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{errors}");
    for part in parts {
        assert!(errors.contains(part), "`{part}` is not in: {errors}");
    }
}

/// Interrupted at some step, a run goes on to the same bytes.
#[cfg(unix)]
#[test]
fn an_interrupted_run_is_the_run_in_one() {
    let folder = folder("parts");
    for name in PROGRAMS {
        let [whole, parts] = ["whole", "parts"].map(|part| format!("{name}_{part}"));
        let steps = ["--steps", "320", "--out"];
        trained(&folder, name, &[&steps[..], &[&whole]].concat());
        let flags = [&TINY, &steps[..], &[&parts]].concat();
        let mut child = command(&folder, &format!("train_{name}"), &flags).spawn().unwrap();
        while !folder.join(&parts).is_dir() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(60));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
        let said = trained(&folder, name, &[&steps[..], &[&parts]].concat());
        let after = said.split("goes on after ").nth(1).and_then(|s| s.split(' ').next());
        let after: u64 = after.unwrap().parse().unwrap();
        assert!(after < 320, "{name} was done before the interrupt");
        for file in ["resume.safetensors".to_owned(), format!("{name}.safetensors")] {
            let [one, two] =
                [&whole, &parts].map(|out| fs::read(folder.join(out).join(&file)).unwrap());
            assert!(one == two, "{name}: {file} after {after} steps");
        }
    }
}

#[test]
fn folders_of_images() {
    let folder = folder("images");
    let world = ["--out", "w", "--count", "24", "--size", "16", "--captions", "0"];
    assert!(command(&folder, "world", &world).output().unwrap().status.success());
    let steps = ["--steps", "2", "--images", "w/images"];
    let with = |more: &[&'static str]| [&steps[..], more].concat();
    trained(
        &folder,
        "attributes",
        &with(&["--labels", "w/pictures.csv", "--attributes", "yaw,hat", "--out", "a"]),
    );
    trained(&folder, "segmenter", &with(&["--masks", "w/masks", "--out", "s"]));
    let two = |i: usize| format!("{i:06}.png,person {}\n", i / 2);
    let table: String = (0..24).map(two).collect();
    fs::write(folder.join("w/images/labels.csv"), format!("file,identity\n{table}")).unwrap();
    trained(&folder, "identity", &with(&["--out", "i"]));

    for name in PROGRAMS {
        let card = fs::read_to_string(folder.join(&name[..1]).join(format!("{name}.json")));
        assert!(!card.unwrap().contains("CC0"), "the licence of others' pictures is not ours");
    }
    let net = folder.join("a/attributes.safetensors");
    let net = gan_core::models::recognition::AttributeNet::open(net, &Device::cpu()).unwrap();
    let names: Vec<&str> = net.attributes().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["yaw", "hat"]);

    // Of other pictures, they do not go on: neither of drawn ones, nor with one that changed.
    let of_others = ["--out", "none", "--resume", "i/resume.safetensors"];
    refused(&train(&folder, "identity", &of_others), &["its data is 24 images", "portraits of 16"]);
    let first = folder.join("w/images/000000.png");
    let kept = fs::read(&first).unwrap();
    Image::filled(16, 16, [9; 3]).unwrap().save(&first).unwrap();
    let of_these = ["--out", "none", "--images", "w/images"];
    for (name, more) in [
        ("attributes", &["--labels", "w/pictures.csv", "--attributes", "yaw,hat"][..]),
        ("segmenter", &["--masks", "w/masks"]),
        ("identity", &[]),
    ] {
        let state = format!("{}/resume.safetensors", &name[..1]);
        let flags = [&of_these[..], more, &["--resume", &state]].concat();
        refused(&train(&folder, name, &flags), &["its data is 24 images with checksum"]);
    }
    fs::write(&first, kept).unwrap();
    assert!(!folder.join("none").exists());

    let refuse = |name: &str, more: &[&'static str], parts: &[&str]| {
        refused(&train(&folder, name, &with(more)), parts);
    };
    refuse("attributes", &["--labels", "absent.csv"], &["cannot read absent.csv"]);
    let table = ["--labels", "w/pictures.csv"];
    refuse("attributes", &[&table[..], &["--attributes", "yaw,beard"]].concat(), &["beard"]);
    refuse("identity", &table, &["w/pictures.csv", "none of its columns"]);
    fs::write(folder.join("odd.csv"), "file,kind\n000000.png,\"a\tb\"\n000001.png,c\n").unwrap();
    let odd: String = (2..24).map(|i| format!("{i:06}.png,c\n")).collect();
    let start = fs::read_to_string(folder.join("odd.csv")).unwrap();
    fs::write(folder.join("odd.csv"), start + &odd).unwrap();
    refuse("attributes", &["--labels", "odd.csv"], &["odd.csv", "column `kind`", "tab"]);
    refuse("segmenter", &["--masks", "w/masks", "--classes", "a,,c"], &["--classes"]);
    refuse("identity", &["--batch", "12"], &["--batch", "found 12"]);
    refuse("segmenter", &["--masks", "w/images"], &["--masks", "gray values"]);
    fs::remove_file(folder.join("w/masks/000003.png")).unwrap();
    refuse("segmenter", &["--masks", "w/masks"], &["a mask for 000003.png"]);
    Image::filled(16, 24, [0; 3]).unwrap().save(folder.join("w/images/wide.png")).unwrap();
    for name in ["attributes", "identity"] {
        refuse(name, &[], &["16 x 16 pixels", "16 x 24 in w/images/wide.png"]);
    }
    Image::filled(16, 16, [0; 3]).unwrap().save(folder.join("w/images/wide.png")).unwrap();
    refuse("identity", &[], &["labels.csv", "no row for wide.png"]);
    fs::create_dir(folder.join("empty")).unwrap();
    refused(&train(&folder, "attributes", &["--images", "empty"]), &["--images", "none in empty"]);
}

#[test]
fn a_loss_that_is_not_finite_keeps_the_last_good_state() {
    let folder = folder("nan");
    let output = train(&folder, "attributes", &["--steps", "50", "--lr", "1e5", "--out", "x"]);
    refused(&output, &["training step 1: the loss is"]);
    // It can be read, and has done all the steps it is asked for.
    let said = trained(&folder, "attributes", &["--steps", "1", "--out", "x"]);
    assert!(said.contains("goes on after 1 steps"), "{said}");
}

/// The system refuses to write more than a few kilobytes into a file.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_state() {
    let folder = folder("full");
    let names = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    for name in PROGRAMS {
        let out = folder.join(name);
        trained(&folder, name, &["--steps", "1", "--out", name]);
        let (before, list) = (fs::read(out.join("resume.safetensors")).unwrap(), names(&out));
        let program = binary(&format!("train_{name}"));
        let script = format!(
            "trap '' XFSZ; ulimit -f 8; exec {} {} --steps 2 --out {name}",
            program.display(),
            TINY.join(" ")
        );
        let output = Command::new("sh").args(["-c", &script]).current_dir(&folder).output();
        refused(&output.unwrap(), &["cannot write", "resume.safetensors"]);
        assert!(fs::read(out.join("resume.safetensors")).unwrap() == before);
        assert_eq!(names(&out), list);
    }
}

#[test]
fn states_of_other_runs_are_refused() {
    let folder = folder("other");
    for name in PROGRAMS {
        trained(&folder, name, &["--steps", "1", "--out", name]);
    }
    let resume = |name: &str, more: &[&str]| {
        let flags = ["--steps", "2", "--out", "none", "--resume", "attributes/resume.safetensors"];
        train(&folder, name, &[&flags[..], more].concat())
    };
    refused(&resume("identity", &[]), &["checkpoint tensor"]);
    refused(&resume("segmenter", &[]), &["checkpoint tensor"]);
    refused(&resume("attributes", &["--seed", "7"]), &["its seed is 0, that of this run 7"]);
    let path = folder.join("attributes/resume.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refused(&resume("attributes", &[]), &["not a usable"]);
    assert!(!folder.join("none").exists());
}

#[test]
fn what_makes_no_sense() {
    let folder = folder("refused");
    for name in PROGRAMS {
        for (flags, parts) in [
            (&["--batch", "0"][..], &["--batch", "found 0"][..]),
            (&["--batch", "18446744073709551615"], &["--batch", "4096"]),
            (&["--lr", "nan"], &["--lr", "NaN"]),
            (&["--lr=-0.1"], &["--lr", "-0.1"]),
            (&["--size", "18"], &["resolution", "18"]),
            (&["--channels", "4,0"], &["channels"]),
            (&["--minutes", "nan"], &["--minutes", "NaN"]),
            (&["--seed", "999"], &["--seed", "999"]),
        ] {
            let output = train(&folder, name, &[flags, &["--out", "none"]].concat());
            refused(&output, parts);
        }
    }
    let report = |flags: &[&str]| command(&folder, "report", flags).output().unwrap();
    refused(&report(&["--samples", "100"]), &["--samples", "more than the 128 features"]);
    refused(&report(&["--held-out", "0"]), &["--held-out"]);
    assert!(!folder.join("none").exists());
}

/// Held-out pictures, or people, that a shipped network is judged on.
const PICTURES: usize = 200;

#[test]
fn the_shipped_classifier_tells_what_can_be_seen() {
    let net = Shipped::open(&Device::cpu()).unwrap().attributes;
    let scores = attribute_scores(&net, &Labelled::portraits(64), PICTURES).unwrap();
    assert_eq!(scores.len(), 20);
    for score in scores {
        let floor = if score.is_choice { 0.97 } else { 0.7 };
        assert!(score.value > floor, "{score:?}");
        assert!(score.count == PICTURES || score.name == "hat_colour", "{score:?}");
    }
}

#[test]
fn the_shipped_segmenter_marks_the_parts() {
    let net = Shipped::open(&Device::cpu()).unwrap().segmenter;
    let data = Masks::portraits(64);
    let scores = class_scores(&net, &data, PICTURES).unwrap();
    for (name, score) in net.classes().iter().zip(scores) {
        let floor = match name.as_str() {
            "glasses" => 0.7,
            "eyes" | "mouth" => 0.75,
            _ => 0.9,
        };
        assert!(score.unwrap() > floor, "{name}: {score:?}");
    }
    // Its loss is that of the classes it gives.
    let (images, truth) = data.held_out(0..20, net.device()).unwrap();
    let wanted = one_hot(&truth, net.classes().len(), 64, net.device()).unwrap();
    let loss = cross_entropy(&net.logits(&images).unwrap(), &wanted, 1).unwrap();
    assert!(loss.mean_all().unwrap().item().unwrap() < 0.2);
}

#[test]
fn the_shipped_identity_network_tells_people_apart() {
    let net = Shipped::open(&Device::cpu()).unwrap().identity;
    let data = Identities::portraits(64);
    let [same, different] = pair_products(&net, &data, PICTURES, net.device()).unwrap();
    assert_eq!([same.len(), different.len()], [PICTURES, PICTURES * (PICTURES - 1)]);
    assert!(auc(&same, &different) > 0.95);
    let embeddings = net.embed(&data.held_out(0..20, net.device()).unwrap()).unwrap();
    let lengths: Vec<f32> = embeddings.square().unwrap().sum(&[1]).unwrap().to_vec().unwrap();
    assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-4));
}

/// Features that are the pixels, and a classifier that knows one attribute: the traits ask for no more.
struct Pixels(Device, Vec<Attribute>);

impl Perceptual for Pixels {
    fn features(&self, images: &Tensor) -> gan_core::Result<Vec<Tensor>> {
        Ok(vec![images.clone()])
    }
}

impl Classifier for Pixels {
    fn attributes(&self) -> &[Attribute] {
        &self.1
    }

    fn device(&self) -> &Device {
        &self.0
    }

    fn scores(&self, images: &Tensor) -> gan_core::Result<Vec<Tensor>> {
        let n = images.shape()[0];
        Ok(vec![images.mean(&[1, 2, 3])?.reshape(&[n, 1])?])
    }
}

#[test]
fn perceptual_distances_see_what_changes() {
    let device = Device::cpu();
    let net = Shipped::open(&device).unwrap().attributes;
    let pixels = Pixels(device.clone(), Vec::new());
    let (images, _) = Labelled::portraits(64).held_out(0..2, &device).unwrap();
    let [one, other] = [images.slice(0, 0, 1).unwrap(), images.slice(0, 1, 1).unwrap()];
    let slightly = one.affine(0.98, 0.0).unwrap();
    let nets: [&dyn Perceptual; 2] = [&net, &pixels];
    for net in nets {
        let apart = |b: &Tensor| perceptual_distance(net, &one, b).unwrap().item().unwrap();
        assert_eq!(apart(&one), 0.0);
        assert!(apart(&slightly) < 0.1 * apart(&other));
        assert!(perceptual_distance(net, &one, &images).is_err());
    }
    let classifiers: [&dyn Classifier; 2] = [&net, &pixels];
    for classifier in classifiers {
        assert!(classifier.scores(&images).unwrap().iter().all(|s| s.shape()[0] == 2));
    }
}
