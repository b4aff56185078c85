//! Directions in latent spaces.
