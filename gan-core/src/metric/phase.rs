//! Whether details move with the picture: the "phase" artifacts of progressive growing (StyleGAN2, section 4 and figure 6).

use crate::backend::Filter;
use crate::error::{Error, Result};
use crate::nn::{average_downsample2d, filter2d};
use crate::tensor::Tensor;

/// Frames are halved until they have at most that many pixels a side, of which filters of 63 taps see enough.
const LARGEST: usize = 256;

/// The smallest frames in which a picture and its details can be told apart.
const LEAST: usize = 32;

/// Deviation in pixels of the bell that takes the finest noise off the details, whose slope could not be measured.
const FINEST: f64 = 1.0;

/// What a walk shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// 0 where details move with the picture, 1 where they stay in place while it moves; about in between where some do.
    pub sticking: f64,
    /// How far the picture moves from frame to frame, in pixels of the frames that were measured: the root mean square over places,
    /// weighted by the slope of the details there. From 0.1 to 0.5 is a good walk; beyond 1, details have moved too far to be
    /// followed.
    pub motion: f64,
}

/// Measures how much the details of a walk stay in place while the picture moves.
///
/// `frames [t, c, h, w]` are pictures of one thing that turns a little from frame to frame, such as a face along a direction of yaw. The
/// picture is what is left under a bell of deviation `h / 24`, and details are what is between that and a bell of one
/// pixel; colours count alike. At each place, the motion `v` of the picture from one frame to the next is the least-squares
/// solution of brightness constancy in its neighbourhood (Lucas and Kanade 1981). Details `d` that move with it obey
/// `d' - d = -v grad d`, details that stick to the pixel grid `d' - d = 0`. The share of the first is the slope of a regression over
/// all places and frames, and `sticking` is one minus that. It is a definition of this library: the paper shows the
/// effect and gives no number for it.
///
/// Networks that grew block by block make details at places that the resolution of the time allowed, and keep them there:
/// expect higher values than of networks that were trained in one piece.
///
/// # Errors
/// [`Error::Shape`] for fewer than 2 frames, less than 32 pixels a side, or one side far longer than the other, [`Error::Argument`] for frames that are not finite, where
/// nothing moves or there are no details.
pub fn phase(frames: &Tensor) -> Result<Phase> {
    let [t, _, mut h, mut w] = frames.dims4("phase")?;
    let (shape, mut frames) = (frames.shape(), frames.detach());
    while h.max(w) > LARGEST && h.min(w) > LEAST {
        frames = average_downsample2d(&frames)?;
        [_, _, h, w] = frames.dims4("phase")?;
    }
    if t < 2 || h.min(w) < LEAST || h.max(w) > LARGEST {
        let expected = format!(
            "at least 2 frames whose sides, halved until none is over {LARGEST} pixels, are at least {LEAST}"
        );
        return Err(Error::shape("phase", expected, shape));
    }
    let coarsest = h.min(w) as f64 / 24.0;
    let picture = blurred(&frames, coarsest)?;
    let details = blurred(&frames, FINEST)?.sub(&picture)?;

    // Zeros outside of the frame reach as far inside as the widest bell.
    let border = (3.0 * coarsest).ceil() as usize;
    let motion = flow(&Change::of(&picture)?, coarsest)?;
    let change = Change::of(&details)?;
    let expected = change.down.mul(&motion[0])?.add(&change.right.mul(&motion[1])?)?;
    let weight = change.down.square()?.add(&change.right.square()?)?;
    let far = motion[0].square()?.add(&motion[1].square()?)?;

    let sum = |x: &Tensor| -> Result<f64> {
        let inside = x.slice(2, border, h - 2 * border)?.slice(3, border, w - 2 * border)?;
        Ok(inside.to_vec::<f64>()?.iter().sum())
    };
    let moved = sum(&expected.mul(&change.time)?)?;
    let energy = sum(&expected.square()?)?;
    let slope = sum(&weight)?;
    let motion = (sum(&weight.mul(&far)?)? / slope).sqrt();
    if !(energy > 0.0 && energy.is_finite() && moved.is_finite()) {
        let found = format!("motion of {motion} pixels, details of slope {slope}");
        return Err(Error::argument("phase", "frames with details that move", found));
    }
    Ok(Phase { sticking: 1.0 + moved / energy, motion })
}

/// Slopes in y and x half-way between each frame and the next, and the difference of the two, each `[t - 1, c, h, w]`.
struct Change {
    down: Tensor,
    right: Tensor,
    time: Tensor,
}

impl Change {
    fn of(x: &Tensor) -> Result<Self> {
        let count = x.shape()[0] - 1;
        let (before, after) = (x.slice(0, 0, count)?, x.slice(0, 1, count)?);
        let between = before.add(&after)?.scale(0.5)?;
        // Exact to the fourth order, where the simple difference falls short on fine details.
        let taps = vec![1.0 / 12.0, -8.0 / 12.0, 0.0, 8.0 / 12.0, -1.0 / 12.0];
        let slope = |filter: &Filter| filter2d(&between, filter, [[0; 2]; 2], true, 1.0);
        Ok(Change {
            down: slope(&Filter::new(5, 1, taps.clone())?)?,
            right: slope(&Filter::new(1, 5, taps)?)?,
            time: after.sub(&before)?,
        })
    }
}

/// Motion in y and x, each `[t - 1, 1, h, w]`, that a bell-shaped neighbourhood of all colours agrees on best.
fn flow(change: &Change, deviation: f64) -> Result<[Tensor; 2]> {
    let near = |a: &Tensor, b: &Tensor| blurred(&a.mul(b)?.sum(&[1])?, deviation);
    let Change { down, right, time } = change;
    let (yy, xx, xy) = (near(down, down)?, near(right, right)?, near(down, right)?);
    let (yt, xt) = (near(down, time)?, near(right, time)?);
    // Where there is no slope in some direction, the motion along it is taken to be none.
    let least = 1e-4 * yy.add(&xx)?.mean_all()?.item()? + f64::from(f32::MIN_POSITIVE);
    let (yy, xx) = (yy.affine(1.0, least)?, xx.affine(1.0, least)?);
    let determinant = yy.mul(&xx)?.sub(&xy.square()?)?;
    let solve =
        |a: &Tensor, at: &Tensor, bt: &Tensor| xy.mul(bt)?.sub(&a.mul(at)?)?.div(&determinant);
    Ok([solve(&xx, &yt, &xt)?, solve(&yy, &xt, &yt)?])
}

/// Under a bell of that deviation in pixels, with zeros outside.
fn blurred(x: &Tensor, deviation: f64) -> Result<Tensor> {
    let radius = (3.0 * deviation).ceil().min(31.0) as i32;
    let taps: Vec<f64> =
        (-radius..=radius).map(|i| (-0.5 * (f64::from(i) / deviation).powi(2)).exp()).collect();
    let sum: f64 = taps.iter().sum();
    let taps: Vec<f64> = taps.into_iter().map(|tap| tap / sum).collect();
    filter2d(x, &Filter::outer(&taps)?, [[0; 2]; 2], false, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    /// Waves of all directions around a wavelength, moved by `[y, x]` pixels.
    fn waves(wavelength: f64, seed: f64, [dy, dx]: [f64; 2], [y, x]: [f64; 2]) -> f64 {
        let wave = |k: f64| {
            let angle = k * 0.7 + seed;
            let rate = std::f64::consts::TAU / (wavelength * (1.0 + 0.1 * k.sin()));
            let along = (y - dy) * angle.sin() + (x - dx) * angle.cos();
            (along * rate + k * k + seed).sin()
        };
        (1..8).map(|k| wave(f64::from(k))).sum::<f64>() / 7.0
    }

    /// A walk of `t` frames whose picture moves by `step` pixels a frame and of whose details a share stays where it is.
    fn walk(size: usize, step: [f64; 2], stuck: f64) -> Tensor {
        let t = 9;
        let mut values = Vec::new();
        for frame in 0..t {
            let moved = step.map(|s| s * f64::from(frame));
            for colour in 0..3 {
                let seed = f64::from(colour);
                values.extend((0..size * size).map(|i| {
                    let at = [(i / size) as f64, (i % size) as f64];
                    let fine = size as f64 / 12.0;
                    let picture = waves(size as f64 / 2.0, seed, moved, at);
                    let details = stuck * waves(fine, seed + 5.0, [0.0; 2], at)
                        + (1.0 - stuck) * waves(fine, seed + 9.0, moved, at);
                    (0.6 * picture + 0.3 * details) as f32
                }));
            }
        }
        Tensor::from_vec(values, &[t as usize, 3, size, size], &Device::cpu()).unwrap()
    }

    #[test]
    fn details_that_move_and_details_that_stay_are_told_apart() {
        for step in [[0.0, 0.3], [0.2, -0.3], [0.5, 0.0]] {
            let of = |stuck| phase(&walk(64, step, stuck)).unwrap();
            let [moving, half, staying] = [of(0.0), of(0.5), of(1.0)];
            assert!(moving.sticking.abs() < 0.15, "{step:?}: {moving:?}");
            assert!((staying.sticking - 1.0).abs() < 0.15, "{step:?}: {staying:?}");
            assert!((half.sticking - 0.5).abs() < 0.2, "{step:?}: {half:?}");
            let truth = step.iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!((moving.motion / truth - 1.0).abs() < 0.2, "{step:?}: {moving:?}");
        }
    }

    #[test]
    fn large_frames_are_measured_at_a_smaller_size() {
        let [moving, staying] =
            [0.0, 1.0].map(|stuck| phase(&walk(300, [0.0, 0.8], stuck)).unwrap());
        assert!(moving.sticking < 0.15 && staying.sticking > 0.85, "{moving:?} {staying:?}");
        assert!((moving.motion - 0.4).abs() < 0.08, "{moving:?}");
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let device = Device::cpu();
        // Halved until the long side can be measured, of the short one too little is left.
        let long = [[2, 1, 32, 8192], [2, 1, 1024, 64]];
        for shape in [[1, 3, 64, 64], [4, 3, 31, 64], [4, 3, 64, 31]].into_iter().chain(long) {
            assert!(phase(&Tensor::zeros(&shape, &device).unwrap()).is_err(), "{shape:?}");
        }
        // Nothing there, nothing moves, and no number.
        assert!(phase(&Tensor::zeros(&[3, 3, 64, 64], &device).unwrap()).is_err());
        assert!(phase(&walk(64, [0.0, 0.0], 0.0)).is_err());
        let bad = Tensor::full(f64::NAN, &[3, 3, 64, 64], &device).unwrap();
        assert!(phase(&bad).is_err());
    }
}
