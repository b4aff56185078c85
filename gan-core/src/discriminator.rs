//! What training and losses ask of a discriminator.

use crate::backend::Device;
use crate::error::Result;
use crate::latent::Labels;
use crate::tensor::Tensor;

/// A network that tells images of a data set from others.
pub trait Discriminator {
    /// Length of its labels; 0 if it takes none.
    fn label_dim(&self) -> usize;

    /// Channels, height and width of its images.
    fn image_shape(&self) -> [usize; 3];

    /// The device that its weights are on.
    fn device(&self) -> &Device;

    /// Logits `[n, 1]` of images `[n, c, h, w]`, about -1 to 1: the larger, the more the image looks like one of the data
    /// set. Samples of one batch see each other where there is a minibatch standard deviation.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for images of another size, [`Error::Argument`](crate::Error::Argument) if
    /// labels are missing or not wanted or the batch does not fall into groups, [`Error::Latent`](crate::Error::Latent)
    /// for labels of another length or number.
    fn logits(&self, images: &Tensor, labels: Option<&Labels>) -> Result<Tensor>;
}
