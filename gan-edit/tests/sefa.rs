//! SeFa on a generator whose answer is known.

use gan_core::{Factorizable, Layers, Projection, StyleKind, W};
use gan_edit::Error;
use gan_edit::sefa::{Convention, factorize};
use ndarray::{Array2, array};

/// Two convolutions and a toRGB for each, of a latent space with three dimensions.
struct Known(Vec<Array2<f32>>);

impl Known {
    fn new() -> Self {
        Known(vec![
            array![[0.0, 3.0, 0.0], [0.0, -2.0, 0.0]],
            array![[5.0, 0.0, 0.0]],
            array![[0.0, 0.0, 1.0]],
            array![[0.0, 0.0, 7.0], [0.0, 0.0, 0.0]],
        ])
    }
}

impl Factorizable for Known {
    type Space = W;

    fn layer_count(&self) -> usize {
        4
    }

    fn projections(&self) -> gan_core::Result<Vec<Projection>> {
        use StyleKind::{Conv, ToRgb};
        let places = [(Conv, 0), (ToRgb, 1), (Conv, 1), (ToRgb, 3)];
        let projections = self.0.iter().zip(places).map(|(matrix, (kind, layer))| Projection {
            name: format!("layer{layer}"),
            kind,
            layer,
            matrix: matrix.clone(),
        });
        Ok(projections.collect())
    }
}

fn layers(text: &str) -> Layers {
    text.parse().expect("a choice of layers")
}

#[test]
fn the_conventions_stack_different_weights() {
    let all = factorize(&Known::new(), &Layers::All, Convention::Sefa).unwrap();
    // Unit rows: two along y; of convolution and last toRGB, one each along z; a row of zeros counts for nothing.
    assert_eq!(all.eigenvalues, [2.0, 2.0, 0.0]);
    let raw = factorize(&Known::new(), &Layers::All, Convention::Rosinality).unwrap();
    // As stored: 3^2 + 2^2 along y, the first toRGB's 5^2 along x, the convolution's 1 along z.
    let found: Vec<f64> = raw.eigenvalues.iter().map(|v| v.round()).collect();
    assert_eq!(found, [25.0, 13.0, 1.0]);
    assert_eq!(raw.directions[0].vector(), [1.0, 0.0, 0.0]);
    assert_eq!(raw.directions[1].vector(), [0.0, 1.0, 0.0]);
}

#[test]
fn directions_belong_to_the_chosen_layers() {
    let some = factorize(&Known::new(), &layers("0-1"), Convention::Sefa).unwrap();
    assert_eq!(some.layers, [0, 1]);
    assert_eq!(some.directions[0].layers(), &layers("0-1"));
    assert_eq!(some.directions[0].origin(), "sefa 0-1 #0");
    let all = factorize(&Known::new(), &layers("0-3"), Convention::Sefa).unwrap();
    assert_eq!(all.directions[0].layers(), &Layers::All);
}

#[test]
fn bad_choices_are_named() {
    let beyond = factorize(&Known::new(), &layers("2-4"), Convention::Sefa);
    assert!(beyond.unwrap_err().to_string().contains("layers 0 to 3"));
    let none = factorize(&Known::new(), &layers("2"), Convention::Sefa);
    assert!(matches!(none, Err(Error::NoProjection { .. })));
    let mut mixed = Known::new();
    mixed.0[2] = array![[1.0, 2.0]];
    let error = factorize(&mixed, &Layers::All, Convention::Sefa).unwrap_err();
    assert!(matches!(error, Error::Projection { expected: 3, found: 2, .. }), "{error}");
    let mut broken = Known::new();
    broken.0[0][[0, 0]] = f32::NAN;
    assert!(matches!(
        factorize(&broken, &Layers::All, Convention::Rosinality),
        Err(Error::Eigen(_))
    ));
}
