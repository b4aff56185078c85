//! SeFa: closed-form factorization of the weights (Shen and Zhou 2021).
//!
//! A step `n` in the latent space moves a layer's input by `A n`, whatever the image, where `A` is the layer's projection.
//! The unit steps that move it most are the eigenvectors of `A^T A` with the largest eigenvalues (equation 5), so no
//! sample and no training is needed.

mod eigen;
mod gram;

use gan_core::{Direction, Factorizable, Layers, Projection, StyleKind};

use crate::error::{Error, Result};

/// Which weights are stacked, and how; the two give different directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// The authors' code (`genforce/sefa`): the affine weights of the chosen convolutions, and of StyleGAN2's last toRGB
    /// as the last layer, or PGGAN's first layer; each output's weights are scaled to unit length.
    #[default]
    Sefa,
    /// `closed_form_factorization.py` of `rosinality/stylegan2-pytorch`: the affine weights of the chosen convolutions,
    /// and of the first toRGB, as they are.
    Rosinality,
}

/// What [`factorize`] found in the space `S`, strongest first.
#[derive(Clone, Debug)]
pub struct Factorization<S> {
    /// Unit directions for the chosen layers.
    pub directions: Vec<Direction<S>>,
    /// Eigenvalues of `A^T A`, descending: how far a unit step along each direction moves the layers' inputs, squared.
    pub eigenvalues: Vec<f64>,
    /// The layers that were factorized.
    pub layers: Vec<usize>,
}

/// Factorizes the projections of the chosen layers.
///
/// There are as many directions as the latent space has dimensions. The sign of a direction is arbitrary; here its
/// component of largest magnitude is positive (of equals, the first).
///
/// # Errors
/// [`Error::Core`] for layers beyond the network, [`Error::NoProjection`] if none of the chosen layers has a
/// projection in this convention, [`Error::Projection`] if their latent dimensions differ, [`Error::Eigen`] if weights are
/// not finite.
pub fn factorize<G: Factorizable + ?Sized>(
    generator: &G,
    layers: &Layers,
    convention: Convention,
) -> Result<Factorization<G::Space>> {
    let count = generator.layer_count();
    let chosen = generator.choose(layers)?;
    let projections = generator.projections()?;
    let stacked: Vec<&Projection> =
        projections.iter().filter(|p| takes_part(p, &chosen, count, convention)).collect();
    let Some(first) = stacked.first() else {
        let (layers, last) = (layers.to_string(), count.saturating_sub(1));
        return Err(Error::NoProjection { layers, last });
    };
    let dim = first.matrix.ncols();
    if let Some(other) = stacked.iter().find(|p| p.matrix.ncols() != dim) {
        let (name, found) = (other.name.clone(), other.matrix.ncols());
        return Err(Error::Projection { name, expected: dim, found });
    }
    let matrices: Vec<_> = stacked.iter().map(|p| p.matrix.view()).collect();
    let gram = gram::gram(&matrices, dim, convention == Convention::Sefa);
    let (eigenvalues, vectors) = eigen::descending(&gram)?;
    // Directions belong to the layers that they were found in, so that a selection of all layers edits all of them.
    let selection = if chosen.len() == count { Layers::All } else { Layers::Some(chosen.clone()) };
    let directions = vectors
        .rows()
        .into_iter()
        .enumerate()
        .map(|(k, vector)| {
            let vector = vector.iter().map(|&v| v as f32).collect();
            Direction::new(vector, selection.clone(), format!("sefa {selection} #{k}"))
        })
        .collect::<gan_core::Result<_>>()?;
    Ok(Factorization { directions, eigenvalues: eigenvalues.to_vec(), layers: chosen })
}

fn takes_part(p: &Projection, chosen: &[usize], count: usize, convention: Convention) -> bool {
    let is_included = match (p.kind, convention) {
        (StyleKind::Conv | StyleKind::Scale | StyleKind::Bias | StyleKind::Input, _) => true,
        (StyleKind::ToRgb, Convention::Sefa) => p.layer + 1 == count,
        (StyleKind::ToRgb, Convention::Rosinality) => p.layer == 1,
    };
    is_included && chosen.contains(&p.layer)
}
