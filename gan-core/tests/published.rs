//! Files as code bases publish them (`checkpoints/published`, by `checkpoints/make_published.py`): a generator in them is
//! found and draws the image of the original code, and what is no generator is named.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use gan_core::checkpoint::{self, Container, Family, Layout, StateDict};
use gan_core::models::AnyGenerator;
use gan_core::{
    Device, Error, Labels, Noise, PgGanDiscriminator, StyleBased, Tensor, Truncation, Z,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

struct Case {
    file: &'static str,
    container: Container,
    generator: (Family, Layout),
    resolution: usize,
    /// The checkpoint of `checkpoints/` whose image it gives.
    expected: &'static str,
}

const CASES: [Case; 6] = [
    Case {
        file: "genforce_zoo.pth",
        container: Container::TorchZip,
        generator: (Family::PgGan, Layout::Genforce),
        resolution: 16,
        expected: "pggan_genforce",
    },
    Case {
        file: "genforce_training.pth",
        container: Container::TorchLegacy,
        generator: (Family::PgGan, Layout::Genforce),
        resolution: 16,
        expected: "pggan_genforce",
    },
    Case {
        file: "pytorch_model.bin",
        container: Container::TorchLegacy,
        generator: (Family::BigGan, Layout::HuggingFace),
        resolution: 16,
        expected: "biggan_huggingface",
    },
    Case {
        file: "e4e_namespace.pt",
        container: Container::TorchZip,
        generator: (Family::StyleGan2, Layout::Rosinality),
        resolution: 8,
        expected: "stylegan2_rosinality",
    },
    Case {
        file: "psp_dict.pt",
        container: Container::TorchLegacy,
        generator: (Family::StyleGan2, Layout::Rosinality),
        resolution: 8,
        expected: "stylegan2_rosinality",
    },
    Case {
        file: "styleclip_mapper.pt",
        container: Container::TorchZip,
        generator: (Family::StyleGan2, Layout::Rosinality),
        resolution: 8,
        expected: "stylegan2_rosinality",
    },
];

#[test]
fn generators_in_published_files_draw_the_image_of_the_original_code() {
    let cpu = Device::cpu();
    for case in CASES {
        let path = folder().join("published").join(case.file);
        let summary = checkpoint::open(&path).unwrap().summary();
        assert_eq!(summary.container, case.container, "{}", case.file);
        assert_eq!(summary.generator, Some(case.generator), "{}", case.file);
        assert_eq!(summary.resolution, Some(case.resolution), "{}", case.file);

        let expected = folder().join(format!("expected/{}.safetensors", case.expected));
        let expected = StateDict::open(expected).unwrap();
        let upload = |name: &str| {
            let t = expected.get(name).unwrap();
            Tensor::from_vec(t.data.clone(), &t.shape, &cpu).unwrap()
        };
        let z = Z::new(upload("z")).unwrap();
        let image = match AnyGenerator::open(&path, &cpu).unwrap() {
            AnyGenerator::StyleGan2(g) => {
                let w = g.truncate(&g.map(&z, None).unwrap(), &Truncation::new(1.0)).unwrap();
                g.synthesize(&w, Noise::Const)
            }
            AnyGenerator::PgGan(g) => gan_core::Generator::generate(&g, &z, None),
            AnyGenerator::BigGan(g) => {
                let labels = Labels::new(upload("labels")).unwrap();
                gan_core::Generator::generate(&g, &z, Some(&labels))
            }
            AnyGenerator::StyleGan(_) => unreachable!(),
        };
        let image = image.unwrap().to_vec::<f32>().unwrap();
        let original = &expected.get("image").unwrap().data;
        assert_eq!(image.len(), original.len(), "{}", case.file);
        let scale = original.iter().fold(0f32, |m, v| m.max(v.abs()));
        for (ours, original) in image.iter().zip(original) {
            assert!((ours - original).abs() <= 1e-4 * scale, "{}: {ours} {original}", case.file);
        }
    }
}

#[test]
fn options_become_metadata() {
    for (file, kind) in
        [("e4e_namespace.pt", "Encoder4Editing"), ("psp_dict.pt", "GradualStyleEncoder")]
    {
        let found = checkpoint::open(folder().join("published").join(file)).unwrap().tensors;
        let said = found.metadata();
        assert_eq!(said["opts.encoder_type"], kind);
        assert_eq!(said["opts.stylegan_size"], "8");
        assert_eq!(said["opts.start_from_latent_avg"], "true");
        assert_eq!(said["opts.progressive_steps"], "[0, 20000, 22000]");
        assert_eq!(found.shape("latent_avg"), Some(&[4, 10][..]));
        let AnyGenerator::StyleGan2(g) =
            AnyGenerator::from_state_dict(found.clone(), &Device::cpu()).unwrap()
        else {
            panic!("{file} is no StyleGAN2");
        };
        // One row of the average, all of which are the same.
        let average = g.mapping().w_avg().unwrap().to_vec::<f32>().unwrap();
        assert_eq!(average, found.get("latent_avg").unwrap().data[..10]);
    }
    let mapper = checkpoint::open(folder().join("published/styleclip_mapper.pt")).unwrap().tensors;
    assert_eq!(mapper.metadata()["opts.mapper_type"], "LevelsMapper");
    assert_eq!(mapper.subset("state_dict.mapper.").len(), 24);
}

#[test]
fn the_discriminator_beside_a_generator_opens() {
    let path = folder().join("published/genforce_zoo.pth");
    PgGanDiscriminator::open(path, &Device::cpu()).unwrap();
}

#[test]
fn networks_that_make_no_images_are_named() {
    for (file, container, tensors, what) in [
        ("clip_torchscript.pt", Container::TorchScript, 8, "CLIP"),
        ("clip_state_dict.pt", Container::TorchZip, 8, "CLIP"),
        ("model_ir_se50.pth", Container::TorchLegacy, 9, "identity"),
    ] {
        let path = folder().join("published").join(file);
        let found = checkpoint::open(&path).unwrap();
        let summary = found.summary();
        assert_eq!((summary.container, summary.generator), (container, None), "{file}");
        assert_eq!(summary.tensors, tensors, "{file}");
        found.tensors.check_finite().unwrap();
        let error = AnyGenerator::open(&path, &Device::cpu()).unwrap_err();
        assert!(
            matches!(error, Error::Layout { .. }) && error.to_string().contains(what),
            "{error}"
        );
    }
    // TorchScript and state dict have the same names and numbers.
    let script = StateDict::open(folder().join("published/clip_torchscript.pt")).unwrap();
    let dict = StateDict::open(folder().join("published/clip_state_dict.pt")).unwrap();
    assert!(script.iter().eq(dict.iter()));
}
