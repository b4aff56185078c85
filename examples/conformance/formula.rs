//! Arrays by formula, instead of stored: numbers that follow from a name.

use super::error::Result;
use super::settings::Settings;

/// FNV-1a of `salt/name`, then a splitmix64 stream: `offset + scale * (2u - 1)` for each element, with u in [0, 1).
pub(super) fn values(salt: &str, name: &str, [offset, scale]: [f64; 2], len: usize) -> Vec<f32> {
    let hash = format!("{salt}/{name}").bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let value = |i: u64| {
        let z = hash.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let u = ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53);
        (offset + scale * (2.0 * u - 1.0)) as f32
    };
    (0..len as u64).map(value).collect()
}

/// An array that a section of the settings describes, with its shape.
pub(super) fn array(settings: &Settings, section: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let entry = settings.section(section);
    let shape = entry.counts("shape")?;
    let numbers = [entry.number_or("offset", 0.0)?, entry.number_or("scale", 1.0)?];
    let len = shape.iter().product();
    Ok((shape, values(settings.text("salt")?, entry.text("name")?, numbers, len)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_stream_is_the_documented_one() {
        let found = super::values("s", "n", [0.0, 1.0], 3);
        let expected = [-0.336_027_95, -0.086_363, 0.482_531_67];
        assert!(found.iter().zip(expected).all(|(f, e): (&f32, f32)| (f - e).abs() < 1e-6));
    }
}
