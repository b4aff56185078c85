//! Choosing layers of a network.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A choice of layers, such as `all`, `0-1` or `1,3-4`.
///
/// ```
/// use gan_core::Layers;
/// let layers: Layers = "1, 3-4".parse()?;
/// assert_eq!(layers.indices(6)?, [1, 3, 4]);
/// assert!(layers.indices(4).is_err());
/// assert!("5-2".parse::<Layers>().is_err());
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Every layer.
    All,
    /// These.
    Some(Vec<usize>),
}

impl Layers {
    /// Layers from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range is reversed or reaches beyond layer 65535.
    pub fn range(first: usize, last: usize) -> Result<Self> {
        if first > last || last > usize::from(u16::MAX) {
            let found = format!("{first}-{last}");
            return Err(Error::argument("layers", "a range that ascends, up to 65535", found));
        }
        Ok(Layers::Some((first..=last).collect()))
    }

    /// The indices, ascending and without repeats, of a network with `count` layers.
    ///
    /// # Errors
    /// [`Error::Argument`] if the network has no such layer.
    pub fn indices(&self, count: usize) -> Result<Vec<usize>> {
        match self {
            Layers::All => Ok((0..count).collect()),
            Layers::Some(list) => {
                let mut list = list.clone();
                list.sort_unstable();
                list.dedup();
                match list.last() {
                    Some(&last) if last >= count => {
                        let last_layer = count.saturating_sub(1);
                        let expected = format!(
                            "layers 0 to {last_layer} of this network (those of a higher resolution have more)"
                        );
                        Err(Error::argument("layers", expected, last))
                    }
                    _ => Ok(list),
                }
            }
        }
    }
}

/// Numbers and ranges, as the SeFa repository's `parse_indices` reads them: blanks are ignored, duplicates removed, the
/// result is sorted, and a reversed range holds nothing.
///
/// # Errors
/// [`Error::Argument`] for anything but numbers, commas and dashes, and for numbers outside of `min..=max`.
pub fn parse_indices(text: &str, min: usize, max: usize) -> Result<Vec<usize>> {
    // A flag for each index: a long list of wide ranges costs no more memory than one.
    let mut chosen = vec![false; usize::from(u16::MAX) + 1];
    for (first, last) in ranges(text)? {
        if first > last {
            continue;
        }
        if first < min || last > max {
            let found = format!("{first}-{last}");
            return Err(Error::argument("layers", format!("indices {min} to {max}"), found));
        }
        chosen[first..=last].fill(true);
    }
    Ok((0..chosen.len()).filter(|&i| chosen[i]).collect())
}

fn ranges(text: &str) -> Result<Vec<(usize, usize)>> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let wrong = |part: &str| Error::argument("layers", "numbers and ranges such as 0-1,4", part);
    text.split(',')
        .map(|part| {
            let number =
                |digits: &str| digits.parse::<u16>().map(usize::from).map_err(|_| wrong(part));
            match part.split_once('-') {
                Some((first, last)) => Ok((number(first)?, number(last)?)),
                None => number(part).map(|n| (n, n)),
            }
        })
        .collect()
}

impl FromStr for Layers {
    type Err = Error;

    /// `all`, or numbers and ranges; unlike [`parse_indices`], a reversed range and an empty text are refused.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "all" {
            return Ok(Layers::All);
        }
        let ranges = ranges(text)?;
        if ranges.is_empty() {
            return Err(Error::argument(
                "layers",
                "`all`, or numbers and ranges such as 0-1,4",
                text,
            ));
        }
        for &(first, last) in &ranges {
            Layers::range(first, last)?;
        }
        parse_indices(text, 0, usize::from(u16::MAX)).map(Layers::Some)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layers::Some(list) = self else { return f.write_str("all") };
        let runs = list.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        for (i, run) in runs.enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match run {
                [one] => write!(f, "{comma}{one}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}
