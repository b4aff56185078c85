//! `random/*`: random numbers that published seeds refer to.

use gan_core::Device;
use gan_core::random::numpy::RandomState;

use super::Check;
use super::array::{HostArray, Values};
use super::case::Case;
use super::error::{Error, Result};
use super::outputs::Outputs;

pub(super) fn find(what: &str) -> Option<Check> {
    match what {
        "numpy_random_state" => Some(numpy_random_state),
        _ => None,
    }
}

type Draw = fn(&mut RandomState, usize) -> gan_core::Result<Values>;

/// What is before and after the seed in the names of the sequences, and how each is drawn.
const SEQUENCES: [(&str, &str, Draw); 4] = [
    ("randn_", "", |state, n| {
        Ok(Values::Floats(state.randn_f32(n).into_iter().map(f64::from).collect()))
    }),
    ("randn64_", "_first", |state, n| Ok(Values::Floats((0..n).map(|_| state.randn()).collect()))),
    ("uniform_", "", |state, n| Ok(Values::Floats((0..n).map(|_| state.uniform()).collect()))),
    ("randint_", "", |state, n| {
        (0..n).map(|_| state.randint(0, 1000)).collect::<Result<_, _>>().map(Values::Integers)
    }),
];

/// `numpy.random.RandomState`, bit for bit. Each sequence starts from a fresh generator and is as long as the file's.
fn numpy_random_state(case: &Case, _: &Device) -> Result<Outputs> {
    let mut out = Outputs::default();
    for seed in case.settings.counts("seeds")? {
        let seed = u32::try_from(seed).map_err(|_| Error::Setting {
            name: "seeds".into(),
            expected: "seeds below 2^32",
            found: seed.to_string(),
        })?;
        for (before, after, draw) in SEQUENCES {
            let name = format!("{before}{seed}{after}");
            let shape = case.array(&format!("out.{name}"))?.shape.clone();
            let values = draw(&mut RandomState::new(seed), shape.iter().product())?;
            out.array(name, HostArray { shape, values });
        }
    }
    Ok(out)
}
