//! Networks as functions of their tensors: what training needs of them.

#![allow(clippy::unwrap_used)]

use gan_core::checkpoint::StateDict;
use gan_core::models::stylegan2::{
    Architecture, Config, DiscriminatorOptions, Options, is_trained,
};
use gan_core::nn::Params;
use gan_core::{
    Device, Discriminator, Generator, Labels, Order, Philox, StyleBased, StyleGan2,
    StyleGan2Discriminator, Tensor, Z,
};

const ARCHITECTURES: [Architecture; 3] =
    [Architecture::Skip, Architecture::Resnet, Architecture::Orig];

fn small(resolution: usize) -> Config {
    Config {
        channel_base: 8 * resolution,
        channel_max: 11,
        z_dim: 5,
        w_dim: 6,
        mapping_layers: 2,
        ..Config::new(resolution)
    }
}

fn pair(config: &Config, device: &Device) -> [Params; 2] {
    let mut random = Philox::new(1);
    let g = config.generator(&Options::default(), &mut random, device).unwrap();
    [g, config.discriminator(&Default::default(), &mut random, device).unwrap()]
}

fn normal(seed: u64, shape: &[usize], device: &Device) -> Tensor {
    let mut values = vec![0.0; shape.iter().product()];
    Philox::new(seed).fill_normal(&mut values);
    Tensor::from_vec(values, shape, device).unwrap()
}

fn judge(params: &Params) -> StyleGan2Discriminator {
    let options = DiscriminatorOptions::default();
    StyleGan2Discriminator::from_params(params.clone(), &options).unwrap()
}

fn images(params: &Params, z: &Tensor) -> Tensor {
    let g = StyleGan2::from_params(params.clone(), &Options::default()).unwrap();
    g.generate(&Z::new(z.clone()).unwrap(), None).unwrap()
}

/// `softplus(-D(G(z)))` in both networks.
fn loss([g, d]: &[Params; 2], z: &Tensor) -> Tensor {
    let logits = judge(d).logits(&images(g, z), None).unwrap();
    logits.neg().unwrap().softplus().unwrap().mean_all().unwrap()
}

/// Gradients in all weights of both networks.
fn gradients(params: &[Params; 2], z: &Tensor) -> [Params; 2] {
    let variables = params.each_ref().map(|p| p.variables(is_trained));
    let loss = loss(&variables, z);
    variables.map(|v| v.gradients(&loss, Order::First).unwrap())
}

fn values(params: &Params) -> Vec<(String, Vec<f64>)> {
    params.iter().map(|(name, t)| (name.to_owned(), t.to_vec().unwrap())).collect()
}

#[test]
fn new_networks_are_what_was_asked_for() {
    let device = Device::cpu();
    for architecture in ARCHITECTURES {
        let config = Config { generator: architecture, discriminator: architecture, ..small(16) };
        let [g, d] = pair(&config, &device);
        let network = StyleGan2::from_params(g.clone(), &Options::default()).unwrap();
        assert_eq!(network.synthesis().architecture(), architecture);
        assert_eq!((network.z_dim(), network.w_dim(), network.mapping().depth()), (5, 6, 2));
        assert_eq!(judge(&d).architecture(), architecture);
        let images = images(&g, &normal(2, &[4, 5], &device));
        assert_eq!(images.shape(), [4, 3, 16, 16]);
        assert_eq!(judge(&d).logits(&images, None).unwrap().shape(), [4, 1]);
        let bias: Vec<f32> = g.get("synthesis.b8.conv0.affine.bias").unwrap().to_vec().unwrap();
        assert!(bias.iter().all(|&b| b == 1.0));
        let logits: Vec<f32> = judge(&d).logits(&images, None).unwrap().to_vec().unwrap();
        assert!(logits.iter().all(|v| v.is_finite()));
    }
}

/// Weights have the variance that the equalised learning rate asks for: features neither grow nor vanish.
#[test]
fn new_networks_keep_the_variance() {
    let device = Device::cpu();
    let config = Config { channel_base: 2048, channel_max: 64, ..Config::new(32) };
    let [g, _] = pair(&config, &device);
    let network = StyleGan2::from_params(g, &Options::default()).unwrap();
    let z = Z::new(normal(2, &[8, 512], &device)).unwrap();
    let w: Vec<f64> = network.map(&z, None).unwrap().tensor().to_vec().unwrap();
    let power = w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
    assert!((0.3..3.0).contains(&power), "{power}");
}

#[test]
fn new_networks_with_labels() {
    let device = Device::cpu();
    let [g, d] = pair(&Config { label_dim: 3, ..small(8) }, &device);
    let labels = Labels::one_hot(&[0, 2], 3, &device).unwrap();
    let z = Z::new(normal(2, &[2, 5], &device)).unwrap();
    let g = StyleGan2::from_params(g, &Options::default()).unwrap();
    let images = g.generate(&z, Some(&labels)).unwrap();
    assert_eq!(judge(&d).logits(&images, Some(&labels)).unwrap().shape(), [2, 1]);
}

#[test]
fn saved_networks_open_as_the_same() {
    let device = Device::cpu();
    let [g, d] = pair(&small(16), &device);
    let folder = tempfile::tempdir().unwrap();
    let [gf, df] = ["g", "d"].map(|name| folder.path().join(format!("{name}.safetensors")));
    g.to_state_dict().unwrap().save(&gf).unwrap();
    d.to_state_dict().unwrap().save(&df).unwrap();
    let z = normal(2, &[4, 5], &device);
    let expected = images(&g, &z);
    let opened = StyleGan2::open(&gf, &device).unwrap();
    let found = opened.generate(&Z::new(z).unwrap(), None).unwrap();
    assert_eq!(found.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());
    let opened = StyleGan2Discriminator::open(&df, &device).unwrap();
    let [found, expected] = [opened, judge(&d)].map(|d| d.logits(&expected, None).unwrap());
    assert_eq!(found.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());

    let again = StyleGan2::params(StateDict::open(&gf).unwrap(), &device).unwrap();
    assert_eq!(values(&again), values(&g));
    let again = StyleGan2Discriminator::params(StateDict::open(&df).unwrap(), &device).unwrap();
    assert_eq!(values(&again), values(&d));
}

#[test]
fn everything_but_buffers_is_trained() {
    for architecture in ARCHITECTURES {
        let config = Config { generator: architecture, discriminator: architecture, ..small(8) };
        let device = Device::reference();
        let params = pair(&config, &device);
        let gradients = gradients(&params, &normal(2, &[4, 5], &device));
        for (params, gradients) in params.iter().zip(&gradients) {
            let trained: Vec<&str> = params.names().filter(|name| is_trained(name)).collect();
            assert_eq!(gradients.names().collect::<Vec<_>>(), trained);
            for (name, gradient) in gradients.iter() {
                assert_eq!(gradient.shape(), params.get(name).unwrap().shape());
                let gradient = gradient.to_vec::<f64>().unwrap();
                assert!(gradient.iter().any(|&g| g != 0.0), "{architecture:?} {name}");
            }
        }
    }
    let buffers = ["mapping.w_avg", "b8.conv1.resample_filter", "synthesis.b4.conv1.noise_const"];
    assert!(buffers.iter().all(|name| !is_trained(name)));
}

#[test]
fn gradients_are_slopes_of_the_loss() {
    let device = Device::reference();
    let params = pair(&small(8), &device);
    let z = normal(2, &[4, 5], &device);
    let slopes = gradients(&params, &z);
    let step = 1e-6;
    for (network, slopes) in slopes.iter().enumerate() {
        for (name, slope) in slopes.iter() {
            let slope = slope.to_vec::<f64>().unwrap();
            let (at, largest) = slope
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
                .map(|(i, v)| (i, *v))
                .unwrap();
            let moved = |by: f64| {
                let mut params = params.clone();
                let tensor = params[network].get(name).unwrap().clone();
                let mut values = tensor.to_vec::<f64>().unwrap();
                values[at] += by;
                let tensor = Tensor::from_vec(values, tensor.shape(), &device).unwrap();
                params[network].insert(name, tensor);
                loss(&params, &z).item().unwrap()
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (difference - largest).abs() < 1e-5 * largest.abs() + 1e-9,
                "{name}: {largest} by the rules, {difference} by differences"
            );
        }
    }
}

#[test]
fn gradients_agree_with_the_reference_and_do_not_depend_on_threads() {
    let config = Config { channel_base: 1024, channel_max: 40, ..small(32) };
    let run = |device: &Device, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let gradients = gradients(&pair(&config, device), &normal(2, &[8, 5], device));
            gradients.each_ref().map(values).concat()
        })
    };
    let one = run(&Device::cpu(), 1);
    for threads in [2, 3] {
        assert!(run(&Device::cpu(), threads) == one, "{threads} threads");
    }
    let truth = run(&Device::reference(), 2);
    // Of each noise strength there is one, a sum that may cancel: they share a scale.
    let largest = |name: &str| {
        let alike = |other: &str| other == name || is_strength(name) && is_strength(other);
        let values = truth.iter().filter(|(other, _)| alike(other)).flat_map(|(_, v)| v);
        values.fold(0f64, |m, v| m.max(v.abs()))
    };
    for gradients in [&one, &run(&Device::cpu().exact(), 2)] {
        for ((name, found), (_, expected)) in gradients.iter().zip(&truth) {
            let errors = found.iter().zip(expected).map(|(f, e)| (f - e).abs());
            let worst = errors.fold(0.0, f64::max) / largest(name);
            // One feature that is next to zero, and has the other sign in f32, counts that much.
            assert!(worst <= 3e-3, "{name}: {worst:.1e}");
        }
    }
}

fn is_strength(name: &str) -> bool {
    name.ends_with("noise_strength")
}

#[test]
fn sizes_of_no_network_are_refused() {
    let device = Device::cpu();
    for (config, what) in [
        (small(24), "resolution"),
        (small(4), "resolution"),
        (Config { resolution: 0, ..small(8) }, "resolution"),
        (Config { channel_base: 7, ..small(8) }, "channel_base"),
        (Config { channel_max: 0, ..small(8) }, "channel_max"),
        (Config { colours: 0, ..small(8) }, "colours"),
        (Config { w_dim: 0, ..small(8) }, "w_dim"),
        (Config { mapping_layers: 0, ..small(8) }, "mapping_layers"),
        (Config { z_dim: usize::MAX, ..small(8) }, "weight"),
    ] {
        let error = config.generator(&Options::default(), &mut Philox::new(0), &device);
        let message = error.unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}
