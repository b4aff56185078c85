//! The training half of StyleGAN2: losses, regularisation, the optimizer and the average of weights (Karras et al. 2020, section
//! 3, figure 3 and appendix B; `training/loss.py` and `training/training_loop.py` of stylegan2-ada-pytorch).
//!
//! ```
//! use gan_core::training::{Adam, AdamOptions, generator_loss};
//! use gan_core::{Device, Order, Tensor, nn::Params};
//!
//! let device = Device::cpu();
//! let mut params = Params::default();
//! params.insert("weight", Tensor::full(0.5, &[3], &device)?);
//! let mut adam = Adam::new(&AdamOptions::default());
//!
//! let variables = params.variables(|_| true);
//! let logits = variables.get("weight").map(|w| w.reshape(&[3, 1])).transpose()?;
//! # let logits = logits.expect("it was inserted");
//! let loss = generator_loss(&logits)?.mean_all()?;
//! adam.step(&mut params, &variables.gradients(&loss, Order::First)?)?;
//! # assert!(params.get("weight").expect("still there").to_vec::<f32>()?[0] > 0.5);
//! # Ok::<(), gan_core::Error>(())
//! ```

mod adam;
mod ema;
mod file;
mod growth;
mod learner;
mod loss;
mod networks;
mod options;
mod pass;
mod path_length;
mod saved;
mod state;
mod trainer;

pub use adam::{Adam, AdamOptions};
pub use ema::{EmaSchedule, average};
pub use growth::Growth;
pub use learner::Learner;
pub use loss::{cross_entropy, fake_loss, generator_loss, r1_penalty, real_loss};
pub use options::TrainerOptions;
pub use pass::{Generated, Mixing, generate};
pub use path_length::{PathLength, PathPenalty};
pub use trainer::{StepReport, Trainer};
