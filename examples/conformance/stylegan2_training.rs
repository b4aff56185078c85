//! `stylegan2/*`: losses and regularisation with their gradients, the optimizer and the average of weights.

use gan_core::models::SynthesisNetwork;
use gan_core::models::stylegan2::{Synthesis, is_trained};
use gan_core::nn::Params;
use gan_core::training::{
    Adam, AdamOptions, EmaSchedule, Generated, Mixing, PathLength, average, fake_loss, generate,
    generator_loss, r1_penalty, real_loss,
};
use gan_core::{
    Device, Discriminator, Labels, Noise, Order, StyleGan2, StyleGan2Discriminator, Tensor, WPlus,
    Z,
};

use super::Check;
use super::array::HostArray;
use super::case::Case;
use super::error::{Error, Result};
use super::gradients::{leaves, named};
use super::outputs::Outputs;
use super::settings::Settings;
use super::{stylegan2_discriminator, stylegan2_networks};

pub(super) fn find(what: &str) -> Option<Check> {
    Some(match what {
        "adam" => adam,
        "ema" => ema,
        "path_length" => path_length,
        "loss_gmain" => generator_main,
        "loss_gpl" => generator_path_length,
        "loss_dmain" => |case, device| discriminator(case, device, [true, false]),
        "loss_dr1" => |case, device| discriminator(case, device, [false, true]),
        "loss_dboth" => |case, device| discriminator(case, device, [true, true]),
        _ => return None,
    })
}

/// Some steps, and the state after them.
fn adam(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let default = AdamOptions::default();
    let betas = match settings.get("betas") {
        None => default.betas,
        Some(_) => {
            let list: Vec<f64> =
                settings.list("betas")?.iter().filter_map(|v| v.as_f64()).collect();
            list.try_into().map_err(|_| Error::Unsupported("other than two betas".into()))?
        }
    };
    let options = AdamOptions {
        lr: settings.number_or("lr", default.lr)?,
        betas,
        eps: settings.number_or("eps", default.eps)?,
        interval: settings.count("reg_interval")?,
    };
    let names: Vec<&str> = case.inputs().filter_map(|name| name.strip_prefix("param.")).collect();
    let all = |prefix: &str| -> Result<Params> {
        let mut params = Params::default();
        for name in &names {
            params.insert(*name, case.input(&format!("{prefix}.{name}"), device)?);
        }
        Ok(params)
    };
    let mut params = all("param")?;
    let mut adam = Adam::new(&options);
    let mut out = Outputs::default();
    for step in 1..=settings.count_or("steps", 1)? {
        adam.step(&mut params, &all(&format!("grad{step}"))?)?;
        for (name, param) in params.iter() {
            out.tensor(format!("param{step}.{name}"), param)?;
        }
    }
    for name in &names {
        let [first, second] = adam
            .means(name)
            .ok_or_else(|| Error::Unsupported(format!("a parameter {name} without a gradient")))?;
        out.tensor(format!("exp_avg.{name}"), first)?;
        out.tensor(format!("exp_avg_sq.{name}"), second)?;
    }
    Ok(out)
}

/// One step after the other, with what was seen before each.
fn ema(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let schedule = EmaSchedule {
        kimg: settings.number_or("ema_kimg", 10.0)?,
        rampup: settings.number("ema_rampup")?,
    };
    let batch = settings.count_or("batch_size", 32)?;
    let one = |name: &str| -> Result<Params> {
        let mut params = Params::default();
        params.insert("weight", case.input(name, device)?);
        Ok(params)
    };
    let mut mean = one("p_ema")?;
    let mut out = Outputs::default();
    let mut betas = Vec::new();
    for (i, images) in settings.counts("cur_nimg")?.into_iter().enumerate() {
        let beta = schedule.beta(batch, images as u64);
        mean = average(&mean, &one(&format!("p{i}"))?, beta)?;
        mean.iter().try_for_each(|(_, p)| out.tensor(format!("p_ema{i}"), p))?;
        betas.push(beta);
    }
    let shape = [betas.len()];
    out.array("betas", HostArray::floats(betas, &shape));
    Ok(out)
}

/// The regularizer of a synthesis network, with gradients of the codes and all parameters.
fn path_length(case: &Case, device: &Device) -> Result<Outputs> {
    let config = case.settings.section("G_config");
    let options = stylegan2_networks::options(
        &config.section("mapping_kwargs"),
        &config.section("synthesis_kwargs"),
    )?;
    let (mut params, variables) = case.params("", device)?;
    let network = Synthesis::new(&mut params, "", &options)?;
    params.finish()?;
    let ws = case.variable("ws", device)?;
    let image = network.forward(&network.styles(&WPlus::new(ws.clone())?)?, Noise::Const)?;
    let path =
        regularizer(&case.settings)?.penalty(&image, &ws, &case.input("pl_noise", device)?)?;
    let loss = path.penalty.mean_all()?.scale(case.settings.number_or("pl_weight", 2.0)?)?;

    let mut out = Outputs::default();
    out.tensor("image", &image)?;
    out.tensor("pl_grads", &path.slope)?;
    out.tensor("pl_lengths", &path.lengths)?;
    out.tensor("pl_mean_after", &path.mean)?;
    out.tensor("pl_penalty", &path.penalty)?;
    out.tensor("loss", &loss)?;
    named(&mut out, "grad", &loss, &[leaves(&variables).as_slice(), &[("ws", &ws)]].concat())?;
    Ok(out)
}

fn regularizer(settings: &Settings) -> Result<PathLength> {
    let default = PathLength::default();
    Ok(PathLength {
        decay: settings.number_or("pl_decay", default.decay)?,
        mean: settings.number_or("pl_mean_before", default.mean)?,
    })
}

/// A generator and a discriminator that share their names' first part, `G.` or `D.`.
struct Networks<'a> {
    case: &'a Case,
    device: &'a Device,
    params: Params,
}

impl<'a> Networks<'a> {
    fn new(case: &'a Case, device: &'a Device) -> Result<Self> {
        let params = Params::upload(case.weights()?, device)?.variables(is_trained);
        Ok(Networks { case, device, params })
    }

    /// The tensors of one network.
    fn part(&self, prefix: &str) -> Params {
        let mut part = Params::default();
        for (name, tensor) in self.params.iter() {
            if let Some(name) = name.strip_prefix(prefix) {
                part.insert(name, tensor.clone());
            }
        }
        part
    }

    fn generator(&self) -> Result<StyleGan2> {
        let config = self.case.settings.section("G_config");
        let [mapping, synthesis] =
            ["mapping_kwargs", "synthesis_kwargs"].map(|name| config.section(name));
        let options = stylegan2_networks::options(&mapping, &synthesis)?;
        Ok(StyleGan2::from_params(self.part("G."), &options)?)
    }

    fn discriminator(&self) -> Result<StyleGan2Discriminator> {
        let options = stylegan2_discriminator::options(&self.case.settings.section("D_config"))?;
        Ok(StyleGan2Discriminator::from_params(self.part("D."), &options)?)
    }

    fn labels(&self, name: &str, batch: usize) -> Result<Option<Labels>> {
        let labels = self.case.optional_input(name, self.device)?;
        Ok(labels.map(|c| Labels::new(c.slice(0, 0, batch)?)).transpose()?)
    }

    /// The generator's pass for the first `batch` codes, or all, with everything that it is checked for.
    fn generate(&self, batch: Option<usize>, out: &mut Outputs) -> Result<Generated> {
        let g = self.generator()?;
        let z = self.case.input("gen_z", self.device)?;
        let batch = batch.unwrap_or(z.shape()[0]);
        let z = Z::new(z.slice(0, 0, batch)?)?;
        let other = self.case.optional_input("mix_z", self.device)?;
        let other = other.map(Z::new).transpose()?;
        let mixing = match &other {
            Some(z) => {
                let cutoff = self.case.indices("in.mix_cutoff")?.first().copied().unwrap_or(0);
                Some(Mixing { z, cutoff })
            }
            None => None,
        };
        let maps = self.noise()?;
        let labels = self.labels("gen_c", batch)?;
        let generated = generate(&g, &z, labels.as_ref(), mixing, Noise::Maps(&maps))?;
        out.tensor("image", &generated.images)?;
        out.tensor("ws", generated.w.tensor())?;
        out.tensor("w_avg_after", &generated.w_avg)?;
        Ok(generated)
    }

    /// The maps of all layers, from the smallest on.
    fn noise(&self) -> Result<Vec<Tensor>> {
        let mut maps = Vec::new();
        for r in (2..16).map(|k| 1usize << k) {
            for conv in ["conv0", "conv1"] {
                let name = format!("noise.b{r}.{conv}");
                maps.extend(self.case.optional_input(&name, self.device)?);
            }
        }
        Ok(maps)
    }

    /// Gradients of the mean loss, times the gain, that the file asks for.
    fn gradients(&self, loss: &Tensor, out: &mut Outputs) -> Result<()> {
        let loss = loss.scale(self.case.settings.number_or("gain", 1.0)?)?;
        let mut wanted = Params::default();
        for (name, tensor) in self.params.iter() {
            if self.case.expects(&format!("grad_param.{name}")) {
                wanted.insert(name, tensor.clone());
            }
        }
        for (name, g) in wanted.gradients(&loss, Order::First)?.iter() {
            out.tensor(format!("grad_param.{name}"), g)?;
        }
        Ok(())
    }
}

/// The generator's loss.
fn generator_main(case: &Case, device: &Device) -> Result<Outputs> {
    let networks = Networks::new(case, device)?;
    let mut out = Outputs::default();
    let generated = networks.generate(None, &mut out)?;
    let labels = networks.labels("gen_c", generated.images.shape()[0])?;
    let logits = networks.discriminator()?.logits(&generated.images, labels.as_ref())?;
    let loss = generator_loss(&logits)?;
    out.tensor("fake_logits", &logits)?;
    out.tensor("loss_Gmain", &loss)?;
    networks.gradients(&loss.mean_all()?, &mut out)?;
    Ok(out)
}

/// Path length regularisation of a part of the batch.
fn generator_path_length(case: &Case, device: &Device) -> Result<Outputs> {
    let settings = &case.settings;
    let networks = Networks::new(case, device)?;
    let mut out = Outputs::default();
    let all = case.input("gen_z", device)?.shape()[0];
    let batch = all / settings.count_or("pl_batch_shrink", 2)?.max(1);
    let generated = networks.generate(Some(batch), &mut out)?;
    let noise = case.input("pl_noise", device)?;
    let path = regularizer(settings)?.penalty(&generated.images, generated.w.tensor(), &noise)?;
    let loss = path.penalty.scale(settings.number_or("pl_weight", 2.0)?)?;
    out.tensor("pl_mean_after", &path.mean)?;
    out.tensor("pl_penalty", &path.penalty)?;
    out.tensor("loss_Gpl", &loss)?;
    networks.gradients(&loss.mean_all()?, &mut out)?;
    Ok(out)
}

/// The discriminator's loss, its penalty, or both.
fn discriminator(case: &Case, device: &Device, [main, penalty]: [bool; 2]) -> Result<Outputs> {
    let networks = Networks::new(case, device)?;
    let d = networks.discriminator()?;
    let real = case.variable("real_img", device)?;
    let labels = networks.labels("real_c", real.shape()[0])?;
    let logits = d.logits(&real, labels.as_ref())?;
    let mut out = Outputs::default();
    out.tensor("real_logits", &logits)?;

    let mut loss = Tensor::zeros(&[], device)?;
    if main {
        let images = networks.generate(None, &mut out)?.images.detach();
        let labels = networks.labels("gen_c", images.shape()[0])?;
        let fake = d.logits(&images, labels.as_ref())?;
        let both = fake_loss(&fake)?.add(&real_loss(&logits)?)?;
        out.tensor("fake_logits", &fake)?;
        out.tensor("loss_Dmain_sum", &both)?;
        loss = loss.add(&both.mean_all()?)?;
    }
    if penalty {
        let penalty = r1_penalty(&logits, &real)?;
        let weighted = penalty.scale(0.5 * case.settings.number_or("r1_gamma", 10.0)?)?;
        out.tensor("r1_penalty", &penalty)?;
        out.tensor("loss_Dr1", &weighted)?;
        loss = loss.add(&weighted.mean_all()?)?;
    }
    networks.gradients(&loss, &mut out)?;
    Ok(out)
}
