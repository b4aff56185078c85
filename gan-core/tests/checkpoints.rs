//! A small checkpoint of each family in each published layout (`checkpoints/README.md`), opened from its file as a user
//! does: it is known for what it is, and gives the image that the original code gave.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use gan_core::checkpoint::{Family, HostTensor, Layout, StateDict, recognise};
use gan_core::models::AnyGenerator;
use gan_core::models::stylegan2::Options;
use gan_core::{
    BigGan, Device, Error, Generator, Labels, Noise, PgGan, Result, Seeds, StyleBased, StyleGan,
    StyleGan2, StyleGan2Discriminator, Tensor, Truncation, Z,
};

struct Case {
    file: &'static str,
    family: Family,
    layout: Layout,
    size: usize,
    truncation: Truncation,
    /// The golden file whose weights these are, and its image of its first code.
    golden: Option<(&'static str, &'static str)>,
}

const NO_TRUNCATION: Truncation = Truncation { psi: 1.0, cutoff: None };

const CASES: [Case; 9] = [
    Case {
        file: "stylegan2_nvidia",
        family: Family::StyleGan2,
        layout: Layout::Nvidia,
        size: 16,
        truncation: Truncation { psi: 0.7, cutoff: None },
        golden: Some(("stylegan2/generator_c0_skip_r16", "out.image_psi")),
    },
    Case {
        file: "stylegan2_rosinality",
        family: Family::StyleGan2,
        layout: Layout::Rosinality,
        size: 8,
        truncation: NO_TRUNCATION,
        golden: Some(("stylegan2/rosinality_generator_r8_mlp8", "out.image_z")),
    },
    Case {
        file: "stylegan2_genforce",
        family: Family::StyleGan2,
        layout: Layout::Genforce,
        size: 32,
        truncation: Truncation { psi: 0.6, cutoff: Some(4) },
        golden: Some(("sefa/stylegan2_genforce_res32", "out.image")),
    },
    Case {
        file: "stylegan_genforce",
        family: Family::StyleGan,
        layout: Layout::Genforce,
        size: 32,
        truncation: Truncation { psi: 0.7, cutoff: Some(5) },
        golden: Some(("stylegan1/genforce_res32", "out.image")),
    },
    Case {
        file: "stylegan_interfacegan",
        family: Family::StyleGan,
        layout: Layout::InterfaceGan,
        size: 16,
        truncation: Truncation { psi: 0.7, cutoff: Some(4) },
        golden: Some(("stylegan1/interfacegan_layout_res16", "out.image_from_z")),
    },
    Case {
        file: "stylegan_mganprior",
        family: Family::StyleGan,
        layout: Layout::MganPrior,
        size: 8,
        truncation: Truncation { psi: 0.6, cutoff: Some(2) },
        golden: Some(("stylegan1/interfacegan_layout_res8_fused", "out.image_from_z")),
    },
    Case {
        file: "pggan_genforce",
        family: Family::PgGan,
        layout: Layout::Genforce,
        size: 16,
        truncation: NO_TRUNCATION,
        golden: Some(("pggan/genforce_res16_fused", "out.image")),
    },
    Case {
        file: "pggan_mganprior",
        family: Family::PgGan,
        layout: Layout::MganPrior,
        size: 16,
        truncation: NO_TRUNCATION,
        golden: Some(("pggan/mganprior_layout_res16", "out.image")),
    },
    Case {
        file: "biggan_huggingface",
        family: Family::BigGan,
        layout: Layout::HuggingFace,
        size: 16,
        truncation: NO_TRUNCATION,
        golden: None,
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

impl Case {
    fn path(&self) -> PathBuf {
        folder().join(format!("{}.safetensors", self.file))
    }

    /// A code `z`, the `image` of it, and the `labels` that it takes, if any.
    fn expected_path(&self) -> PathBuf {
        folder().join(format!("expected/{}.safetensors", self.file))
    }

    /// The shape of images, and that of the expected code.
    fn draw(&self, expected: &StateDict) -> Result<([usize; 3], Tensor)> {
        let cpu = Device::cpu();
        let upload = |name: &str| {
            let t = expected.get(name).unwrap().clone();
            Tensor::from_vec(t.data, &t.shape, &cpu)
        };
        let z = Z::new(upload("z")?)?;
        let draw = |g: &dyn StyleBased| {
            let w = g.truncate(&g.map(&z, None)?, &self.truncation)?;
            g.synthesize(&w, Noise::Const)
        };
        let any = AnyGenerator::open(self.path(), &cpu)?;
        let image = match &any {
            AnyGenerator::StyleGan2(g) => draw(g)?,
            AnyGenerator::StyleGan(g) => draw(g)?,
            AnyGenerator::PgGan(g) => g.generate(&z, None)?,
            AnyGenerator::BigGan(g) => g.generate(&z, Some(&Labels::new(upload("labels")?)?))?,
        };
        Ok((any.generator().image_shape(), image))
    }

    /// The checkpoint and what is expected of it, from the golden file.
    fn make(&self) -> Option<(StateDict, StateDict)> {
        let (golden, image) = self.golden?;
        let golden = folder().join(format!("../golden/{golden}.safetensors"));
        let golden = StateDict::open(golden).unwrap();
        let mut weights = StateDict::default();
        for (name, tensor) in golden.subset("weights.").iter() {
            // The two differ in these names alone; no golden file has mganprior's.
            let name = match self.layout {
                Layout::MganPrior => {
                    name.replace("linear.weight", "fc.weight").replace("first_layer", "const")
                }
                _ => name.to_owned(),
            };
            weights.insert(name, tensor.clone()).unwrap();
        }
        let mut expected = StateDict::default();
        for (name, from) in [("z", "in.z"), ("image", image)] {
            let HostTensor { mut shape, mut data } = golden.get(from).unwrap().clone();
            shape[0] = 1;
            data.truncate(shape.iter().product());
            expected.insert(name, HostTensor { shape, data }).unwrap();
        }
        Some((weights, expected))
    }
}

#[test]
fn each_checkpoint_gives_the_image_of_the_original_code() {
    for case in CASES {
        let expected = StateDict::open(case.expected_path()).unwrap();
        let recognised = recognise(&StateDict::open(case.path()).unwrap()).unwrap();
        assert_eq!(recognised, (case.family, case.layout), "{}", case.file);
        let (shape, image) = case.draw(&expected).unwrap();
        assert_eq!(shape, [3, case.size, case.size], "{}", case.file);
        let original = expected.get("image").unwrap();
        assert_eq!(image.shape(), original.shape, "{}", case.file);
        let scale = original.data.iter().fold(0f32, |m, v| m.max(v.abs()));
        for (ours, original) in image.to_vec::<f32>().unwrap().iter().zip(&original.data) {
            let apart = (ours - original).abs();
            assert!(apart <= 1e-4 * scale, "{}: {ours} and {original}", case.file);
        }
    }
}

#[test]
fn no_checkpoint_passes_for_another_family() {
    let cpu = Device::cpu();
    for case in CASES {
        let path = case.path();
        let results = [
            (Family::PgGan, PgGan::open(&path, &cpu).map(drop)),
            (Family::StyleGan, StyleGan::open(&path, &cpu).map(drop)),
            (Family::StyleGan2, StyleGan2::open(&path, &cpu).map(drop)),
            (Family::BigGan, BigGan::open(&path, &cpu).map(drop)),
        ];
        for (family, result) in results {
            match result {
                Ok(()) => assert_eq!(family, case.family, "{}", case.file),
                Err(Error::Layout { .. }) => assert_ne!(family, case.family, "{}", case.file),
                Err(other) => panic!("{} as {family:?}: {other}", case.file),
            }
        }
    }
}

#[test]
fn the_files_are_those_of_the_table() {
    let found = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        found.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    let mut known: Vec<PathBuf> = CASES.iter().map(Case::path).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
    for case in CASES {
        let Some((weights, expected)) = case.make() else { continue };
        assert_eq!(StateDict::open(case.path()).unwrap(), weights, "{}", case.file);
        assert_eq!(StateDict::open(case.expected_path()).unwrap(), expected, "{}", case.file);
    }
}

#[test]
fn pickled_networks_draw() {
    let cpu = Device::cpu();
    for (file, family) in [
        ("snapshot_protocol4", Family::StyleGan2),
        ("tf_stylegan2", Family::StyleGan2),
        ("tf_stylegan", Family::StyleGan),
        ("tf_pggan", Family::PgGan),
        ("tf_pggan_fused", Family::PgGan),
    ] {
        let path = folder().join(format!("containers/{file}.pkl"));
        let any = AnyGenerator::open(&path, &cpu).unwrap();
        assert_eq!(any.generator().image_shape(), [3, 8, 8], "{file}");
        let draw = |g: &dyn StyleBased, z: &Z| {
            let w = g.truncate(&g.map(z, None)?, &Truncation::new(0.7))?;
            g.synthesize(&w, Noise::Const)
        };
        let seeds = Seeds::from(0..1);
        let (found, image) = match &any {
            AnyGenerator::StyleGan2(g) => (Family::StyleGan2, draw(g, &g.sample(&seeds).unwrap())),
            AnyGenerator::StyleGan(g) => (Family::StyleGan, draw(g, &g.sample(&seeds).unwrap())),
            AnyGenerator::PgGan(g) => (Family::PgGan, g.generate(&g.sample(&seeds).unwrap(), None)),
            AnyGenerator::BigGan(_) => unreachable!(),
        };
        assert_eq!(found, family);
        let image = image.unwrap().to_vec::<f32>().unwrap();
        assert!(image.iter().all(|v| v.is_finite()), "{file}");
        assert!(image.iter().any(|v| (v - image[0]).abs() > 1e-3), "{file}");
    }
    StyleGan2Discriminator::open(folder().join("containers/tf_stylegan2.pkl"), &cpu).unwrap();
}

#[test]
fn a_snapshot_says_the_bound_of_its_features() {
    let cpu = Device::cpu();
    let path = folder().join("containers/snapshot_protocol4.pkl");
    let mut bare = StateDict::default();
    for (name, tensor) in StateDict::open(&path).unwrap().subset("G_ema.").iter() {
        bare.insert(name, tensor.clone()).unwrap();
    }
    let image = |g: &StyleGan2| {
        let w = g.map(&g.sample(&Seeds::from(0..1)).unwrap(), None).unwrap();
        g.synthesize(&g.broadcast(&w).unwrap(), Noise::Const).unwrap().to_vec::<f32>().unwrap()
    };
    let built = |conv_clamp| {
        let options = Options { conv_clamp, ..Options::default() };
        image(&StyleGan2::from_state_dict(bare.clone(), &options, &cpu).unwrap())
    };
    let opened = image(&StyleGan2::open(&path, &cpu).unwrap());
    assert_eq!(opened, built(Some(0.5)));
    assert_ne!(opened, built(None));
}

#[test]
#[ignore = "writes the files"]
fn make() {
    for case in CASES {
        let Some((weights, expected)) = case.make() else { continue };
        weights.save(case.path()).unwrap();
        expected.save(case.expected_path()).unwrap();
    }
}
