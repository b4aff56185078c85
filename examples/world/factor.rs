//! Factors: the named, independent numbers that a picture is made of.

use gan_core::random::numpy::RandomState;

/// What a factor may be, and how likely.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any number of `low..=high`: `low` itself with probability `at_low`, otherwise uniform.
    Range {
        /// Least value.
        low: f32,
        /// Greatest value.
        high: f32,
        /// Probability of exactly `low`, for what is mostly absent.
        at_low: f32,
    },
    /// One of some alternatives, as its index from 0.
    Choice {
        /// The probability of each; they sum to 1.
        weights: &'static [f32],
        /// The name of an index.
        name: fn(f32) -> &'static str,
    },
}

impl Kind {
    /// The value below which a share `u`, of [0, 1), of all values lies.
    pub fn quantile(&self, u: f32) -> f32 {
        match *self {
            Kind::Range { at_low, low, .. } if u < at_low => low,
            Kind::Range { low, high, at_low } => low + (high - low) * (u - at_low) / (1.0 - at_low),
            Kind::Choice { weights, .. } => {
                let mut rest = u;
                let found = weights.iter().position(|weight| {
                    rest -= weight;
                    rest < 0.0
                });
                found.unwrap_or(weights.len() - 1) as f32
            }
        }
    }

    /// `count` values from one end to the other; of a choice, its alternatives and no more.
    pub fn steps(&self, count: usize) -> Vec<f32> {
        match *self {
            Kind::Range { low, high, .. } => {
                let last = count.saturating_sub(1).max(1) as f32;
                (0..count).map(|i| low + (high - low) * i as f32 / last).collect()
            }
            Kind::Choice { weights, .. } => {
                (0..weights.len().min(count)).map(|i| i as f32).collect()
            }
        }
    }

    /// A value as a table shows it: three decimals, or the name of the alternative.
    pub fn show(&self, value: f32) -> String {
        match self {
            Kind::Range { .. } => format!("{value:.3}"),
            Kind::Choice { name, .. } => name(value).to_owned(),
        }
    }
}

/// One factor of pictures described by a `P`.
#[derive(Debug)]
pub struct Factor<P> {
    /// Its name, as in the field of `P`.
    pub name: &'static str,
    /// Its values and their distribution.
    pub kind: Kind,
    /// Reads it; an alternative is read as its index.
    pub get: fn(&P) -> f32,
    /// Sets it; an index is rounded and kept within the alternatives.
    pub set: fn(&mut P, f32),
    /// Changes what hides it: the colour of a hat is seen where there is one.
    pub reveal: fn(&mut P),
}

impl<P> Factor<P> {
    /// A number, uniform between two bounds.
    pub(super) const fn range(
        name: &'static str,
        [low, high]: [f32; 2],
        get: fn(&P) -> f32,
        set: fn(&mut P, f32),
    ) -> Self {
        Factor { name, kind: Kind::Range { low, high, at_low: 0.0 }, get, set, reveal: |_| {} }
    }

    /// A number of 0 to 1 that is 0 with probability `absent`.
    pub(super) const fn amount(
        name: &'static str,
        absent: f32,
        get: fn(&P) -> f32,
        set: fn(&mut P, f32),
    ) -> Self {
        Factor {
            name,
            kind: Kind::Range { low: 0.0, high: 1.0, at_low: absent },
            get,
            set,
            reveal: |_| {},
        }
    }

    /// One of the alternatives of `C`, with a weight each.
    pub(super) const fn choice<C: Choice>(
        name: &'static str,
        weights: &'static [f32],
        get: fn(&P) -> f32,
        set: fn(&mut P, f32),
    ) -> Self {
        assert!(weights.len() == C::NAMED.len(), "a weight for each alternative");
        Factor {
            name,
            kind: Kind::Choice { weights, name: |v| C::at(v).name() },
            get,
            set,
            reveal: |_| {},
        }
    }

    /// With what has to change to see it.
    pub(super) const fn seen_with(mut self, reveal: fn(&mut P)) -> Self {
        self.reveal = reveal;
        self
    }
}

/// A description with each factor drawn on its own: one uniform number a factor, in the order of the table.
pub(super) fn sample<P: Default>(factors: &[Factor<P>], random: &mut RandomState) -> P {
    let mut sampled = P::default();
    for factor in factors {
        // Rounding to f32 may give 1, which no share is.
        let u = (random.uniform() as f32).min(1.0 - f32::EPSILON);
        (factor.set)(&mut sampled, factor.kind.quantile(u));
    }
    sampled
}

/// An enum of named alternatives.
pub trait Choice: Copy + PartialEq + 'static {
    /// All of them, in the order of their indices, with their names.
    const NAMED: &'static [(Self, &'static str)];

    /// The alternative of an index, rounded and clamped.
    fn at(index: f32) -> Self {
        let last = Self::NAMED.len() - 1;
        Self::NAMED[(index.round().max(0.0) as usize).min(last)].0
    }

    /// Its index.
    fn index(self) -> f32 {
        Self::NAMED.iter().position(|(choice, _)| *choice == self).unwrap_or(0) as f32
    }

    /// Its name, in small letters.
    fn name(self) -> &'static str {
        Self::NAMED[self.index() as usize].1
    }
}
