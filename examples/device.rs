//! Which device a program runs on.

use std::fmt;
use std::str::FromStr;

use gan_core::Device;

use crate::program::Result;

/// A device by the name that the flag `--device` takes: `cpu`, `reference` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceName {
    /// The fast one, in f32.
    #[default]
    Cpu,
    /// The naive one, in f64.
    Reference,
    /// The GPU of that number, in f32.
    Cuda(usize),
}

impl DeviceName {
    /// Opens it.
    ///
    /// # Errors
    /// Where there is no such GPU, or no driver for it.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceName::Cpu => Ok(Device::cpu()),
            DeviceName::Reference => Ok(Device::reference()),
            DeviceName::Cuda(index) => Ok(gan_cuda::device(index)?),
        }
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let index = text.strip_prefix("cuda:").and_then(|n| n.parse().ok());
        match (text, index) {
            ("cpu", _) => Ok(DeviceName::Cpu),
            ("reference", _) => Ok(DeviceName::Reference),
            ("cuda", _) => Ok(DeviceName::Cuda(0)),
            (_, Some(index)) => Ok(DeviceName::Cuda(index)),
            _ => Err("a device is cpu, reference or cuda:N".to_owned()),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceName::Cpu => f.write_str("cpu"),
            DeviceName::Reference => f.write_str("reference"),
            DeviceName::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["cpu", "reference", "cuda:0", "cuda:12"] {
            assert_eq!(name.parse::<DeviceName>().map(|d| d.to_string()).as_deref(), Ok(name));
        }
        for name in ["", "gpu", "cuda:", "cuda:-1", "CPU"] {
            assert!(name.parse::<DeviceName>().is_err(), "{name}");
        }
    }
}
