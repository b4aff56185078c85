//! From images to latent codes: StyleGAN2's projector, mGANprior, encoders. Nothing is here yet.
