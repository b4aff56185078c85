//! The operator table of gan-core on a device, whichever it is.

use gan_core::backend::DType;
use gan_core::{Device, Order};

use crate::compare::{for_each_row, gradients_agree, values_agree};
use crate::table::Scope;

/// Every row's values.
pub(crate) fn values(device: &Device, tolerance: f64) {
    for_each_row(Scope::Forward, |row| values_agree(row, device, tolerance));
}

/// Every row's gradients of both orders, short of what takes minutes on an emulator: the second order of large rows has the
/// kernels of their first, and whole layers at their large sizes have operators with rows of that size.
pub(crate) fn most_gradients(device: &Device, tolerance: f64) {
    for_each_row(Scope::Compared, |row| {
        let is_layer = ["modulated_conv2d", "styled_conv"].iter().any(|l| row.name.starts_with(l));
        match row.scope == Scope::Compared {
            true if is_layer => Ok(()),
            true => gradients_agree(row, device, &[Order::First], tolerance),
            false => gradients_agree(row, device, &[Order::First, Order::Second], tolerance),
        }
    });
}

/// Every row's values from 16-bit storage: kernels compute in `f32`, so only what is stored is rounded. Two rows need
/// more range than 16-bit IEEE floats have.
pub(crate) fn values_of_half(device: &Device) {
    let dtype = device.backend().dtype();
    let tolerance = if dtype == DType::F16 { 2e-3 } else { 1.6e-2 };
    for_each_row(Scope::Forward, |row| {
        let is_large = ["exp far out", "one weight, many uses"].contains(&row.name.as_str());
        if is_large && dtype == DType::F16 { Ok(()) } else { values_agree(row, device, tolerance) }
    });
}
