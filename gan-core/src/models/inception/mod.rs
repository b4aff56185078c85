//! Inception-v3 (Szegedy et al. 2015) as distances of images use it: its features are those of the Fréchet distance.

mod layer;
mod table;

use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::StateDict;
use crate::error::{Error, Result};
use crate::nn::{Params, resize_bilinear};
use crate::tensor::Tensor;
use layer::Chain;

/// Pixels a side of what the network was trained on.
const SIDE: usize = 299;

/// The smallest images of which something is left after the last block.
const LEAST: usize = 75;

/// The network of pytorch-fid and rosinality's `inception.py` (`fid_inception_v3`): torchvision's, with weights that were ported
/// from TensorFlow's `inception-2015-12-05`. It differs from torchvision's own in three ways: means leave padding out, the last
/// block has a maximum before one of its layers, and there are 1008 classes, with no auxiliary ones.
///
/// ```no_run
/// use gan_core::metric::FeatureStats;
/// use gan_core::models::Inception;
/// use gan_core::{Device, Tensor};
/// let device = Device::cpu();
/// let network = Inception::open("pt_inception-2015-12-05-6726825d.pth", &device)?;
/// let images = Tensor::zeros(&[2, 3, 256, 256], &device)?;
/// let features = network.features(&images)?;
/// assert_eq!(features.shape(), [2, 2048]);
/// let mut stats = FeatureStats::new(2048);
/// let rows = features.to_array::<f64>()?.into_dimensionality().expect("it has two dimensions");
/// stats.add(&rows.view())?;
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inception {
    stem: Chain,
    blocks: Vec<(&'static str, Vec<Chain>)>,
    /// `[classes, features]` and `[classes]`.
    classes: [Tensor; 2],
}

impl Inception {
    /// Opens pytorch-fid's weights, or others under torchvision's names.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read, [`Error::Weights`] if a tensor is missing, superfluous,
    /// misshapen or not finite.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, device)
    }

    /// Builds the network from tensors under torchvision's names.
    ///
    /// # Errors
    /// As [`Inception::open`].
    pub fn from_state_dict(mut dict: StateDict, device: &Device) -> Result<Self> {
        let is_counter = |name: &&str| name.ends_with(".num_batches_tracked");
        let counters: Vec<String> = dict.names().filter(is_counter).map(str::to_owned).collect();
        for name in counters {
            dict.take(&name)?;
        }
        Self::from_params(Params::upload(dict, device)?)
    }

    /// Builds the network from tensors: `Conv2d_1a_3x3.conv.weight`, `Conv2d_1a_3x3.bn.weight`, ..., `fc.weight`, `fc.bias`.
    /// Numbers of channels follow from their shapes.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing, superfluous or misshapen.
    pub fn from_params(mut params: Params) -> Result<Self> {
        let stem = Chain::new(&mut params, "", table::STEM, 3)?;
        let mut channels = stem.outputs();
        let mut blocks = Vec::with_capacity(table::BLOCKS.len());
        for block in table::BLOCKS {
            let prefix = format!("{}.", block.name);
            let chains = block.branches.iter();
            let chains = chains.map(|steps| Chain::new(&mut params, &prefix, steps, channels));
            let chains = chains.collect::<Result<Vec<_>>>()?;
            channels = chains.iter().map(Chain::outputs).sum();
            blocks.push((block.name, chains));
        }
        let weight = params.take("fc.weight", &[None, Some(channels)])?;
        let bias = params.take("fc.bias", &[Some(weight.shape()[0])])?;
        params.finish()?;
        Ok(Inception { stem, blocks, classes: [weight, bias] })
    }

    /// The device that its weights are on.
    pub fn device(&self) -> &Device {
        self.classes[1].device()
    }

    /// The features of the Fréchet distance, `[n, 2048]`, of images `[n, 3, h, w]` in -1 to 1: of any size, they are stretched to
    /// 299 x 299 pixels, bilinearly and without filtering, as pytorch-fid does. (The TorchScript file of stylegan2-ada-pytorch
    /// stretches in TensorFlow's way, with slightly other numbers.)
    ///
    /// # Errors
    /// [`Error::Shape`] for anything but images of three colours.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        self.pooled(&resize_bilinear(images, [SIDE; 2])?, &mut |_, _| Ok(()))
    }

    /// The features `[n, 2048]` of images `[n, 3, h, w]` in -1 to 1 of at least 75 pixels a side, as they are; shows `visit` those on the
    /// way, `[n, c, h', w']`: `pool1` and `pool2` of the first layers, then of each block, such as `Mixed_6e`.
    ///
    /// # Errors
    /// [`Error::Shape`] for other images, and those of `visit`.
    pub fn pooled(
        &self,
        images: &Tensor,
        visit: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let [n, colours, h, w] = images.dims4("inception")?;
        if colours != 3 || h < LEAST || w < LEAST {
            let expected = format!("images [n, 3, h, w] of at least {LEAST} pixels a side");
            return Err(Error::shape("inception", expected, images.shape()));
        }
        let mut pools = 0;
        let mut x = self.stem.forward(images, &mut |x| {
            pools += 1;
            visit(&format!("pool{pools}"), x)
        })?;
        for (name, branches) in &self.blocks {
            let results = branches.iter().map(|branch| branch.forward(&x, &mut |_| Ok(())));
            let results = results.collect::<Result<Vec<_>>>()?;
            x = Tensor::concat(&results.iter().collect::<Vec<_>>(), 1)?;
            visit(name, &x)?;
        }
        let features = x.shape()[1];
        x.mean(&[2, 3])?.reshape(&[n, features])
    }

    /// What the classes get of features `[n, 2048]`, `[n, 1008]`, before softmax. The inception score is defined without
    /// `bias`, which its first program left out.
    ///
    /// # Errors
    /// [`Error::Shape`] for features of another length.
    pub fn logits(&self, features: &Tensor, bias: bool) -> Result<Tensor> {
        let [weight, offsets] = &self.classes;
        let logits = features.matmul_t(weight)?;
        if bias { logits.add(offsets) } else { Ok(logits) }
    }
}
