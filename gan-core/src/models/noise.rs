//! Noise that synthesis networks add to their features (StyleGAN, section 3.2).

use crate::error::{Error, Result};
use crate::latent::Noise;
use crate::nn::Params;
use crate::random::Philox;
use crate::tensor::Tensor;

/// A layer's own noise.
#[derive(Clone, Debug)]
pub(super) struct StoredNoise {
    /// `[h, w]`
    map: Tensor,
    /// `[]`, or `[1, channels, 1, 1]`
    strength: Tensor,
}

impl StoredNoise {
    /// Takes `<name>.noise_const [h, w]` and `<name>.noise_strength` of the given shape, `[]` or `[channels]`; either
    /// both are there or none.
    pub(super) fn take(
        params: &mut Params,
        name: &str,
        strength_shape: &[Option<usize>],
    ) -> Result<Option<Self>> {
        let (map, strength) = (format!("{name}.noise_const"), format!("{name}.noise_strength"));
        if params.get(&map).or(params.get(&strength)).is_none() {
            return Ok(None);
        }
        let map = params.take(&map, &[None, None])?;
        let strength = params.take(&strength, strength_shape)?;
        let strength = match *strength.shape() {
            [channels] => strength.reshape(&[1, channels, 1, 1])?,
            _ => strength,
        };
        Ok(Some(StoredNoise { map, strength }))
    }

    /// An error unless its map is of that height and width, which `reason` asks for.
    pub(super) fn check_size(&self, name: &str, size: [usize; 2], reason: &str) -> Result<()> {
        if self.map.shape() == size {
            return Ok(());
        }
        Err(Error::Weights {
            name: format!("{name}.noise_const"),
            expected: format!("shape {size:?}, as `{reason}` asks for"),
            found: format!("shape {:?}", self.map.shape()),
        })
    }

    /// The map as `[1, 1, h, w]`.
    pub(super) fn map(&self) -> Result<Tensor> {
        let [h, w] = self.map.dims2("noise")?;
        self.map.reshape(&[1, 1, h, w])
    }

    /// A map `[n or 1, 1, h, w]` times the strength of each channel, or of all.
    pub(super) fn scaled(&self, map: &Tensor) -> Result<Tensor> {
        map.mul(&self.strength)
    }
}

/// The noise of each layer, by the layer's index: a network may start at any of them.
pub(super) struct NoiseSource<'a> {
    mode: Noise<'a>,
    layers: Vec<Option<Slot<'a>>>,
    batch: usize,
}

struct Slot<'a> {
    own: &'a StoredNoise,
    given: Option<&'a Tensor>,
    /// Random numbers that the layers before draw for each image.
    start: u128,
}

impl<'a> NoiseSource<'a> {
    /// For a network of these layers, some without noise, and a batch of that size.
    pub(super) fn new(
        mode: Noise<'a>,
        layers: impl Iterator<Item = Option<&'a StoredNoise>>,
        batch: usize,
    ) -> Result<Self> {
        let layers: Vec<_> = layers.collect();
        let mut given = [].iter();
        if let Noise::Maps(maps) = mode {
            let count = layers.iter().flatten().count();
            if maps.len() != count {
                let expected = format!("{count}, one for each convolution with noise");
                return Err(Error::argument("noise maps", expected, maps.len()));
            }
            given = maps.iter();
        }
        let mut start = 0;
        let slots = layers.into_iter().map(|layer| {
            let own = layer?;
            let slot = Slot { own, given: given.next(), start };
            start += own.map.shape().iter().product::<usize>() as u128;
            Some(slot)
        });
        let layers = slots.collect();
        Ok(NoiseSource { mode, layers, batch })
    }

    /// The map `[n or 1, 1, h, w]` of a layer, before its strength; `None` if the layer has no noise.
    pub(super) fn map(&self, layer: usize) -> Result<Option<Tensor>> {
        let Some(Some(Slot { own, given, start })) = self.layers.get(layer) else {
            return Ok(None);
        };
        match self.mode {
            Noise::None => Ok(None),
            Noise::Const => own.map().map(Some),
            Noise::Maps(_) => Ok(given.cloned()),
            Noise::Random { seed } => {
                // Each image has a stream of its own, so that it does not depend on the rest of the batch.
                let [h, w] = own.map.dims2("noise")?;
                let mut values = vec![0.0; self.batch * h * w];
                for (image, values) in values.chunks_exact_mut(h * w).enumerate() {
                    let start = ((image as u128) << 64) + start;
                    Philox::at(seed, start).fill_normal(values);
                }
                Tensor::from_vec(values, &[self.batch, 1, h, w], own.map.device()).map(Some)
            }
        }
    }
}
