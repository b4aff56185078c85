//! Lists of seeds, as command lines and papers write them.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use super::numpy::RandomState;
use super::truncated::truncated_normal_f32;
use crate::error::{Error, Result};

/// So that "0-4294967295" on a command line is a message, not an hour of work.
const MOST: usize = 65_536;

const EXPECTED: &str = "numbers of 0 to 4294967295 and ranges, such as 0,1,5-9";

/// Seeds in the order given; one may occur twice.
///
/// ```
/// use gan_core::random::Seeds;
/// let seeds = Seeds::parse("0, 1, 5-7")?;
/// assert_eq!(seeds.as_slice(), [0, 1, 5, 6, 7]);
/// assert_eq!(Seeds::from(5..8).as_slice(), [5, 6, 7]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeds(Vec<u32>);

impl Seeds {
    /// Reads comma-separated seeds and inclusive ranges, with spaces anywhere between them.
    ///
    /// # Errors
    /// [`Error::Argument`] for empty text or an empty item, anything that is not a number of 32 bits, a range
    /// whose end is before its start, and more than 65536 seeds.
    pub fn parse(text: &str) -> Result<Self> {
        let mut seeds = Vec::new();
        for item in text.split(',') {
            let (first, last) = match item.split_once('-') {
                Some((first, last)) => (number(first, item)?, number(last, item)?),
                None => (number(item, item)?, number(item, item)?),
            };
            if first > last {
                let found = format!("the reversed range `{}`", item.trim());
                return Err(Error::argument("seeds", "ranges that ascend", found));
            }
            // In u64, as a range of all seeds has one more than a u32 can count.
            let count = u64::from(last - first) + 1;
            if seeds.len() as u64 + count > MOST as u64 {
                let found = seeds.len() as u64 + count;
                let found = format!("{found} or more");
                return Err(Error::argument("seeds", format!("at most {MOST} seeds"), found));
            }
            seeds.extend(first..=last);
        }
        Ok(Seeds(seeds))
    }

    /// The seeds in order.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Each seed in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// How many seeds there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none; [`parse`](Self::parse) gives at least one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Latents `[len, dim]` in row-major order; row i is `RandomState(seed i).randn(dim)` of numpy as f32,
    /// as in NVIDIA's scripts. So a seed's row does not depend on the other seeds.
    pub fn randn(&self, dim: usize) -> Vec<f32> {
        self.iter().flat_map(|seed| RandomState::new(seed).randn_f32(dim)).collect()
    }

    /// Latents `[len, dim]` of the normal distribution cut off at -2 and 2; row i is
    /// `scipy.stats.truncnorm.rvs(-2, 2, size=dim, random_state=seed i)` as f32, up to its last bits, as in
    /// `truncated_noise_sample` of pytorch-pretrained-biggan.
    pub fn truncated_randn(&self, dim: usize) -> Vec<f32> {
        self.iter()
            .flat_map(|seed| truncated_normal_f32(&mut RandomState::new(seed), dim))
            .collect()
    }
}

fn number(text: &str, item: &str) -> Result<u32> {
    let text = text.trim();
    // `u32::from_str` would accept a plus sign.
    match text.parse() {
        Ok(seed) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(seed),
        _ if item.trim().is_empty() => Err(Error::argument("seeds", EXPECTED, "an empty item")),
        _ => Err(Error::argument("seeds", EXPECTED, format!("`{}`", item.trim()))),
    }
}

impl FromStr for Seeds {
    type Err = Error;

    /// As [`Seeds::parse`].
    fn from_str(text: &str) -> Result<Self> {
        Seeds::parse(text)
    }
}

impl From<Range<u32>> for Seeds {
    fn from(range: Range<u32>) -> Self {
        range.collect()
    }
}

impl From<RangeInclusive<u32>> for Seeds {
    fn from(range: RangeInclusive<u32>) -> Self {
        range.collect()
    }
}

impl FromIterator<u32> for Seeds {
    fn from_iter<I: IntoIterator<Item = u32>>(seeds: I) -> Self {
        Seeds(seeds.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        for (text, wanted) in [
            ("7", &[7][..]),
            (" 0 , 1,5 - 9 ", &[0, 1, 5, 6, 7, 8, 9]),
            ("3-3", &[3]),
            ("2,2", &[2, 2]),
            ("4294967294-4294967295", &[4_294_967_294, 4_294_967_295]),
        ] {
            assert_eq!(Seeds::parse(text).unwrap().as_slice(), wanted, "{text}");
        }
        assert_eq!(Seeds::parse("0-65535").unwrap().len(), 65_536);
        assert_eq!("1-3".parse::<Seeds>().unwrap(), (1..4).into());
        assert_eq!(Seeds::from(1..=3), (1..4).collect());
    }

    #[test]
    fn what_is_refused_says_why() {
        for (text, reason) in [
            ("", "empty item"),
            (" ", "empty item"),
            ("1,", "empty item"),
            ("9-5", "reversed range `9-5`"),
            ("4294967296", "`4294967296`"),
            ("0-4294967296", "`0-4294967296`"),
            ("-1", "`-1`"),
            ("1-2-3", "`1-2-3`"),
            ("+1", "`+1`"),
            ("1.5", "`1.5`"),
            ("x", "`x`"),
            ("0-65536", "65537 or more"),
            ("0-65535,1", "65537 or more"),
            ("0-4294967295", "4294967296 or more"),
        ] {
            let error = Seeds::parse(text).unwrap_err();
            assert!(matches!(error, Error::Argument { what: "seeds", .. }), "{text}");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn each_row_is_its_own_generator() {
        let rows = Seeds::from_iter([85, 0]).randn(4);
        assert_eq!(rows[..4], RandomState::new(85).randn_f32(4));
        assert_eq!(rows[4..], RandomState::new(0).randn_f32(4));
        assert!(Seeds::default().randn(4).is_empty());
    }
}
