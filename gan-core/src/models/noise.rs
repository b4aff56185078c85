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

/// Hands each layer its noise.
pub(super) struct NoiseSource<'a> {
    mode: Noise<'a>,
    /// Random numbers drawn so far for each image.
    used: u128,
    given: std::slice::Iter<'a, Tensor>,
    batch: usize,
}

impl<'a> NoiseSource<'a> {
    /// For a network of `layers` layers with noise, and a batch of that size.
    pub(super) fn new(mode: Noise<'a>, layers: usize, batch: usize) -> Result<Self> {
        let mut given = [].iter();
        if let Noise::Maps(maps) = mode {
            if maps.len() != layers {
                let expected = format!("{layers}, one for each convolution with noise");
                return Err(Error::argument("noise maps", expected, maps.len()));
            }
            given = maps.iter();
        }
        Ok(NoiseSource { mode, used: 0, given, batch })
    }

    /// The map `[n or 1, 1, h, w]` of the next layer, before its strength.
    pub(super) fn next(
        &mut self,
        own: Option<&StoredNoise>,
        [h, w]: [usize; 2],
    ) -> Result<Option<Tensor>> {
        let Some(own) = own else { return Ok(None) };
        match self.mode {
            Noise::None => Ok(None),
            Noise::Const => own.map().map(Some),
            Noise::Maps(_) => Ok(self.given.next().cloned()),
            Noise::Random { seed } => {
                // Each image has a stream of its own, so that it does not depend on the rest of the batch.
                let mut values = vec![0.0; self.batch * h * w];
                for (image, values) in values.chunks_exact_mut(h * w).enumerate() {
                    let start = ((image as u128) << 64) + self.used;
                    Philox::at(seed, start).fill_normal(values);
                }
                self.used += (h * w) as u128;
                Tensor::from_vec(values, &[self.batch, 1, h, w], own.map.device()).map(Some)
            }
        }
    }
}
