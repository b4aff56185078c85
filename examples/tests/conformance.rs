//! The repository's golden files pass, and the runner notices when one does not.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use gan_core::Device;
use gan_examples::conformance::{Error, FileReport, Summary, Verdict, check_file, golden_files};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};

/// Number of files below [`GOLDEN`].
const COUNT: usize = 190;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gan-core/tests/golden");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/portraits64.safetensors");

fn devices() -> [Device; 2] {
    [Device::cpu(), Device::reference()]
}

fn golden(name: &str) -> PathBuf {
    Path::new(GOLDEN).join(name)
}

/// An empty folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A golden file that can be changed.
struct File {
    metadata: HashMap<String, String>,
    tensors: Vec<(String, Content)>,
}

#[derive(Clone)]
struct Content {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for Content {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.data.as_slice().into()
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

impl File {
    fn open(name: &str) -> File {
        let bytes = fs::read(golden(name)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let content = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let (dtype, shape) = (view.dtype(), view.shape().to_vec());
            (name, Content { dtype, shape, data: view.data().to_vec() })
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let tensors = tensors.into_iter().map(content).collect();
        File { metadata: header.metadata().clone().unwrap(), tensors }
    }

    fn tensor(&mut self, name: &str) -> &mut Content {
        &mut self.tensors.iter_mut().find(|(n, _)| n == name).unwrap().1
    }

    fn set(mut self, key: &str, value: &str) -> File {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Replaces a text in the settings.
    fn with_setting(self, before: &str, after: &str) -> File {
        let params = self.metadata["params"].clone();
        assert!(params.contains(before), "{params}");
        self.set("params", &params.replace(before, after))
    }

    fn check(self, folder: &Path) -> FileReport {
        let path = folder.join("case.safetensors");
        let bytes = safetensors::serialize(self.tensors, Some(self.metadata)).unwrap();
        fs::write(&path, bytes).unwrap();
        check_file(&path, &devices())
    }
}

impl Content {
    fn change_floats(&mut self, change: impl Fn(usize, f32) -> f32) {
        for (i, bytes) in self.data.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *bytes = change(i, f32::from_le_bytes(*bytes)).to_le_bytes();
        }
    }
}

/// The tensors that were not met, in order of their names.
fn failed(report: &FileReport) -> Vec<&str> {
    let Verdict::Failed(failures) = &report.verdict else { panic!("{report}") };
    let mut names: Vec<&str> = failures.iter().map(|f| f.tensor.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[track_caller]
fn assert_passed(report: &FileReport) {
    assert!(matches!(report.verdict, Verdict::Passed(_)), "{report}");
}

#[track_caller]
fn assert_broken(report: &FileReport, reason: &str) {
    assert!(matches!(&report.verdict, Verdict::Broken(r) if r.contains(reason)), "{report}");
}

#[track_caller]
fn assert_unsupported(report: &FileReport, reason: &str) {
    assert!(matches!(&report.verdict, Verdict::Unsupported(r) if r.contains(reason)), "{report}");
}

#[test]
fn the_golden_set_passes_on_both_backends() {
    let mut summary = Summary::default();
    let mut others = String::new();
    for path in golden_files(&[GOLDEN.into()]).unwrap() {
        let report = check_file(&path, &devices());
        summary.add(&report.verdict);
        if !matches!(report.verdict, Verdict::Passed(_)) {
            others += &format!("{report}\n");
        }
    }
    let expected = Summary { passed: COUNT, failed: 0, unsupported: 0 };
    assert_eq!(summary, expected, "{summary}\n{others}");
}

#[test]
fn a_perturbed_tensor_fails_alone_on_each_backend() {
    let folder = folder("perturbed");
    for name in ["y", "grad_x", "gp", "grad_gps_styles"] {
        let mut file = File::open("stylegan2/modulated_conv2d_01_3x3_demod.safetensors");
        file.tensor(&format!("out.{name}")).change_floats(|i, v| if i == 0 { v + 0.01 } else { v });
        let report = file.check(&folder);
        assert_eq!(failed(&report), [name]);
        let Verdict::Failed(failures) = &report.verdict else { unreachable!() };
        let on: Vec<&str> = failures.iter().map(|f| f.device.as_str()).collect();
        assert!(on.contains(&"cpu") && on.contains(&"reference"), "{on:?}");
    }
}

#[test]
fn a_result_that_no_check_computes_fails() {
    let mut file = File::open("stylegan2/upfirdn2d_02_up2_k4.safetensors");
    let unheard = file.tensor("out.y").clone();
    file.tensors.push(("out.unheard_of".into(), unheard));
    assert_eq!(failed(&file.check(&folder("unheard"))), ["unheard_of"]);
}

#[test]
fn another_shape_fails() {
    let mut file = File::open("stylegan2/upfirdn2d_02_up2_k4.safetensors");
    file.tensor("out.y").shape.swap(2, 3);
    assert_eq!(failed(&file.check(&folder("shape"))), ["y"]);
}

#[test]
fn nan_fails() {
    let folder = folder("nan");
    let mut file = File::open("stylegan2/bias_act_linear_1_default.safetensors");
    file.tensor("in.x").change_floats(|i, v| if i == 0 { f32::NAN } else { v });
    assert!(failed(&file.check(&folder)).contains(&"y"));
    let mut file = File::open("stylegan2/bias_act_linear_1_default.safetensors");
    file.tensor("out.y").change_floats(|i, v| if i == 0 { f32::NAN } else { v });
    assert_eq!(failed(&file.check(&folder)), ["y"]);
}

#[test]
fn an_integer_that_is_off_by_one_fails() {
    let mut file = File::open("sefa/parse_indices.safetensors");
    file.tensor("out.3").data[0] += 1;
    assert_eq!(failed(&file.check(&folder("integer"))), ["3"]);
}

#[test]
fn eigenvectors_have_no_sign_but_an_order() {
    let folder = folder("eigenvectors");
    let mut file = File::open("sefa/factorize_stylegan2.safetensors");
    let width = file.tensor("out.sel0.boundaries").shape[1];
    file.tensor("out.sel0.boundaries").change_floats(|i, v| if i < width { -v } else { v });
    assert_passed(&file.check(&folder));
    let mut file = File::open("sefa/factorize_stylegan2.safetensors");
    file.tensor("out.sel0.boundaries").data.rotate_left(4 * width);
    assert_eq!(failed(&file.check(&folder)), ["sel0.boundaries"]);
}

#[test]
fn gradients_may_have_a_tolerance_of_their_own() {
    let folder = folder("tolerance");
    let file = || File::open("stylegan2/normalize_2nd_moment_01.safetensors");
    let names = failed(&file().set("tolerance", "0").check(&folder)).len();
    assert_eq!(names, 4);
    let report = file().set("tolerance", "0").set("tolerance_grad", "1e-5").check(&folder);
    assert_eq!(failed(&report), ["gp", "y"]);
}

#[test]
fn the_kind_decides_and_nothing_else() {
    let folder = folder("kind");
    let file = || File::open("stylegan2/upfirdn2d_02_up2_k4.safetensors");
    assert_passed(&file().set("case", "filter2d_01").check(&folder));
    for kind in ["stylegan2/unheard_of", "unheard/upfirdn2d", "upfirdn2d", ""] {
        assert_unsupported(&file().set("kind", kind).check(&folder), "no check");
    }
    assert_unsupported(&check_file(Path::new(MODEL), &devices()), "not a golden case");
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let folder = folder("settings");
    let file = || File::open("stylegan2/upfirdn2d_02_up2_k4.safetensors");
    let up = |value: &str| file().with_setting("\"up\": 2", &format!("\"up\": {value}"));
    for value in ["\"two\"", "-2", "[2]", "1.5", "{}"] {
        assert_broken(&up(value).check(&folder), "setting `up`");
    }
    assert_broken(&up("0").check(&folder), "upfirdn2d");
    assert_unsupported(&file().set("params", "[]").check(&folder), "params");
    assert_unsupported(&file().set("tolerance", "some").check(&folder), "tolerance");
    let mut without = file();
    without.tensors.retain(|(name, _)| name != "in.x");
    assert_broken(&without.check(&folder), "in.x");
}

#[test]
fn the_name_of_a_checkpoint_has_no_folders() {
    let file = File::open("portraits/expected.safetensors");
    let file = file.with_setting("portraits64.safetensors", "../portraits64.safetensors");
    assert_broken(&file.check(&folder("neighbour")), "beside");
}

#[test]
fn truncated_files_are_errors() {
    let path = folder("truncated").join("case.safetensors");
    let bytes = fs::read(golden("stylegan2/upfirdn2d_02_up2_k4.safetensors")).unwrap();
    for len in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        assert_broken(&check_file(&path, &devices()), "not a usable safetensors file");
    }
    fs::write(&path, [&[0xff; 8], &bytes[8..]].concat()).unwrap();
    assert_broken(&check_file(&path, &devices()), "not a usable safetensors file");
    fs::remove_file(&path).unwrap();
    assert_broken(&check_file(&path, &devices()), "cannot read");
}

#[test]
fn folders_are_searched_at_any_depth_in_order() {
    let folder = folder("folders");
    assert!(matches!(golden_files(std::slice::from_ref(&folder)), Err(Error::NoFiles(_))));
    assert!(matches!(golden_files(&[folder.join("none")]), Err(Error::Io { .. })));
    let names = ["a/b/2.safetensors", "a/1.safetensors", "c.safetensors", "a/readme.txt"];
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    let found = golden_files(&[folder.clone(), folder.join("c.safetensors")]).unwrap();
    let expected = [names[1], names[0], names[2]].map(|name| folder.join(name));
    assert_eq!(found, expected);
}
