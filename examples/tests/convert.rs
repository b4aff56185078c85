//! The example `convert` as a program: what it writes can be opened again and draws the same, and what goes wrong is said and
//! leaves nothing behind.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gan_core::checkpoint::{Family, HostTensor, Layout, NumberFormat, StateDict, recognise};
use gan_core::models::AnyGenerator;
use gan_core::{Device, Generator, Noise, Seeds, StyleBased, Truncation};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/portraits64.safetensors");
const CHECKPOINTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/checkpoints");

/// The example's binary, which `cargo test` builds beside this test's folder.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing: `cargo test` builds it", path.display());
    path
}

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("convert").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn run(folder: &Path, program: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(example(program));
    command.args(flags).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// Runs to a good end and gives what it printed.
#[track_caller]
fn printed(folder: &Path, flags: &[&str]) -> String {
    let output = run(folder, "convert", flags);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{flags:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code 1, a message with all `parts`, and no new file.
#[track_caller]
fn assert_refused(folder: &Path, output: &Output, before: &[String], parts: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{errors}");
    for part in parts {
        assert!(errors.contains(part), "`{part}` is not in: {errors}");
    }
    assert_eq!(names(folder), before);
}

#[track_caller]
fn refused(folder: &Path, program: &str, flags: &[&str], parts: &[&str]) {
    let before = names(folder);
    assert_refused(folder, &run(folder, program, flags), &before, parts);
}

/// An image of the generator in a file.
fn image(path: &Path) -> Vec<f32> {
    let any = AnyGenerator::open(path, &Device::cpu()).unwrap();
    let (seeds, psi) = (Seeds::from(3..4), Truncation::new(0.7));
    let draw = |g: &dyn StyleBased, z| {
        g.synthesize(&g.truncate(&g.map(&z, None).unwrap(), &psi).unwrap(), Noise::Const)
    };
    let image = match &any {
        AnyGenerator::StyleGan2(g) => draw(g, g.sample(&seeds).unwrap()),
        AnyGenerator::StyleGan(g) => draw(g, g.sample(&seeds).unwrap()),
        AnyGenerator::PgGan(g) => g.generate(&g.sample(&seeds).unwrap(), None),
        AnyGenerator::BigGan(_) => unreachable!("takes labels"),
    };
    image.unwrap().to_vec().unwrap()
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).fold(0f32, |m, (x, y)| m.max((x - y).abs()));
    assert!(apart <= tolerance, "{apart}");
}

#[test]
fn any_container_becomes_safetensors() {
    let folder = folder("containers");
    for (file, tolerance) in [
        ("containers/snapshot_protocol2.pkl", 0.0),
        ("containers/tf_stylegan.pkl", 0.0),
        ("containers/tf_pggan_fused.pkl", 0.0),
        ("published/genforce_zoo.pth", 0.0),
        ("published/e4e_namespace.pt", 0.0),
        ("published/psp_dict.pt", 0.0),
        ("stylegan_genforce.safetensors", 0.0),
    ] {
        let input = format!("{CHECKPOINTS}/{file}");
        let text = printed(&folder, &[&input, "--out", "new/same.safetensors"]);
        assert!(text.contains("new/same.safetensors"), "{text}");
        let new = folder.join("new/same.safetensors");
        assert_eq!(StateDict::open(&new).unwrap(), StateDict::open(&input).unwrap(), "{file}");
        assert_close(&image(&new), &image(Path::new(&input)), tolerance);
    }
}

#[test]
fn layouts_there_and_back() {
    let folder = folder("layouts");
    printed(&folder, &[MODEL, "--to", "rosinality", "--out", "r.safetensors"]);
    let theirs = folder.join("r.safetensors");
    let layout = recognise(&StateDict::open(&theirs).unwrap()).unwrap();
    assert_eq!(layout, (Family::StyleGan2, Layout::Rosinality));
    assert_close(&image(&theirs), &image(Path::new(MODEL)), 1e-5);
    printed(&folder, &["r.safetensors", "--to", "nvidia", "--out", "n.safetensors"]);
    assert_close(&image(&folder.join("n.safetensors")), &image(Path::new(MODEL)), 1e-5);
}

#[test]
fn number_formats() {
    let folder = folder("formats");
    for (format, expected, tolerance) in
        [("f16", NumberFormat::F16, 0.02), ("bf16", NumberFormat::Bf16, 0.2)]
    {
        printed(&folder, &[MODEL, "--format", format, "--out", "x.safetensors"]);
        let dict = StateDict::open(folder.join("x.safetensors")).unwrap();
        assert!(dict.names().all(|name| dict.number_format(name) == Some(expected)));
        assert_close(&image(&folder.join("x.safetensors")), &image(Path::new(MODEL)), tolerance);
    }
    fs::remove_file(folder.join("x.safetensors")).unwrap();
    let mut dict = StateDict::default();
    dict.insert("fine", HostTensor { shape: vec![1], data: vec![1.0] }).unwrap();
    dict.insert("large", HostTensor { shape: vec![2], data: vec![1.0, 1e6] }).unwrap();
    dict.save(folder.join("large.safetensors")).unwrap();
    let flags = ["large.safetensors", "--format", "f16", "--out", "x.safetensors"];
    refused(&folder, "convert", &flags, &["`large`", "range of F16", "1e6"]);
}

#[test]
fn one_network_of_a_file() {
    let folder = folder("network");
    let input = format!("{CHECKPOINTS}/containers/snapshot_protocol4.pkl");
    printed(&folder, &[&input, "--network", "G", "--out", "g.safetensors"]);
    let raw = StateDict::open(folder.join("g.safetensors")).unwrap();
    assert_eq!(raw, StateDict::open(&input).unwrap().into_network("G."));
    assert_ne!(image(&folder.join("g.safetensors")), image(Path::new(&input)));
    let flags = [&input, "--network", "H", "--out", "h.safetensors"];
    refused(&folder, "convert", &flags, &["--network", "G, G_ema", "found H"]);
}

#[test]
fn inspection() {
    let folder = folder("inspection");
    let input = format!("{CHECKPOINTS}/containers/snapshot_protocol4.pkl");
    let text = printed(&folder, &[&input, "--inspect"]);
    for part in [
        "container  pickle",
        "generator  StyleGAN2 in the layout of NVIDIA",
        "8 x 8 pixels of 3 colours",
        "z of 8, labels of 0",
        "architecture skip",
        "w of 8, mapping of 2 layers, with an average code",
        "G_ema: ",
        "F32: ",
        "not finite  0 values",
        "licence  Copyright (c) 2021",
        "G_ema.synthesis.b8.conv1.conv_clamp = 0.5",
        "G_ema.synthesis.b8.conv1.weight F32 [4, 4, 3, 3]",
    ] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    let clip = format!("{CHECKPOINTS}/published/clip_torchscript.pt");
    let text = printed(&folder, &[&clip, "--inspect"]);
    assert!(text.contains("TorchScript") && text.contains("CLIP model"), "{text}");
    let mut dict = StateDict::default();
    let data = vec![f32::NAN, 0.0, f32::INFINITY];
    dict.insert("odd", HostTensor { shape: vec![3], data }).unwrap();
    dict.save(folder.join("odd.safetensors")).unwrap();
    let text = printed(&folder, &["odd.safetensors", "--inspect"]);
    assert!(text.contains("not finite  2 values") && text.contains("2 of 3 in odd"), "{text}");
}

#[test]
fn what_cannot_be_converted() {
    let folder = folder("refused");
    fs::write(folder.join("cut.pkl"), b"\x80\x02}q\x00(X\x10\x00\x00\x00").unwrap();
    let pggan = format!("{CHECKPOINTS}/pggan_genforce.safetensors");
    let out = "--out=x.safetensors";
    for (flags, parts) in [
        (&["none.pkl", out][..], &["cannot read", "none.pkl"][..]),
        (&["cut.pkl", out], &["cut.pkl", "incomplete"]),
        (&[&pggan, "--to", "rosinality", out], &["StyleGAN2", "PGGAN"]),
        (&[MODEL], &["--out"]),
        (&[MODEL, "--out", "x.pt"], &["--out", ".safetensors", "x.pt"]),
        (&[MODEL, "--to", "stylegan3", out], &["--to", "stylegan3"]),
        (&[MODEL, "--format", "f8", out], &["--format", "f8"]),
        (&[out], &["<FILE>"]),
    ] {
        refused(&folder, "convert", flags, parts);
    }
}

/// A limit on the size of files is as good as a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_file() {
    let folder = folder("full");
    fs::write(folder.join("x.safetensors"), "what was there").unwrap();
    let before = names(&folder);
    // Writing beyond the limit is an error, where the signal for it is ignored.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(example("convert")).args([MODEL, "--out", "x.safetensors"]);
    let output = shell.current_dir(&folder).stdin(Stdio::null()).output().unwrap();
    assert_refused(&folder, &output, &before, &["cannot write", "x.safetensors"]);
    assert_eq!(fs::read(folder.join("x.safetensors")).unwrap(), b"what was there");
}

#[test]
fn models_that_draw_nothing_are_named() {
    let folder = folder("models");
    let mut discriminator = StateDict::default();
    let golden = "golden/stylegan2/discriminator_resnet_r16.safetensors";
    let golden = StateDict::open(format!("{CHECKPOINTS}/../{golden}")).unwrap();
    for (name, tensor) in golden.subset("weights.").iter() {
        discriminator.insert(name, tensor.clone()).unwrap();
    }
    discriminator.save(folder.join("d.safetensors")).unwrap();
    for program in ["generate", "sefa"] {
        for (model, parts) in [
            ("d.safetensors", ["StyleGAN2 discriminator", "StyleGan2Discriminator"]),
            (&format!("{CHECKPOINTS}/published/clip_torchscript.pt"), ["CLIP", "text_projection"]),
            (&format!("{CHECKPOINTS}/published/clip_state_dict.pt"), ["CLIP", "text_projection"]),
            (&format!("{CHECKPOINTS}/published/model_ir_se50.pth"), ["identity network", "body."]),
        ] {
            refused(&folder, program, &["--model", model, "--out=x.png"], &parts);
        }
    }
    // Layers of a network of 1024 pixels, asked of one of 64.
    let flags = ["--layers", "0-17", "--out=x.png"];
    refused(&folder, "sefa", &flags, &["layers", "0 to 9", "17", "resolution"]);
}
