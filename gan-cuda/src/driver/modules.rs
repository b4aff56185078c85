//! The kernels' PTX, one module a file, given to the driver when a kernel of it is first asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::ptx::{self, Param};
use super::{Context, Function, Module};
use crate::error::{Error, Result};

/// A file of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum File {
    BiasAct,
    Cast,
    Conv,
    Elementwise,
    Matmul,
    Reduce,
    Shape,
    Styled,
    UpFirDn,
}

impl File {
    #[cfg(test)]
    pub(crate) const ALL: [File; 9] = [
        File::BiasAct,
        File::Cast,
        File::Conv,
        File::Elementwise,
        File::Matmul,
        File::Reduce,
        File::Shape,
        File::Styled,
        File::UpFirDn,
    ];

    fn name(self) -> &'static str {
        match self {
            File::BiasAct => "bias_act",
            File::Cast => "cast",
            File::Conv => "conv",
            File::Elementwise => "elementwise",
            File::Matmul => "matmul",
            File::Reduce => "reduce",
            File::Shape => "shape",
            File::Styled => "styled",
            File::UpFirDn => "upfirdn",
        }
    }

    fn ptx(self) -> &'static str {
        match self {
            File::BiasAct => include_str!("../../ptx/bias_act.ptx"),
            File::Cast => include_str!("../../ptx/cast.ptx"),
            File::Conv => include_str!("../../ptx/conv.ptx"),
            File::Elementwise => include_str!("../../ptx/elementwise.ptx"),
            File::Matmul => include_str!("../../ptx/matmul.ptx"),
            File::Reduce => include_str!("../../ptx/reduce.ptx"),
            File::Shape => include_str!("../../ptx/shape.ptx"),
            File::Styled => include_str!("../../ptx/styled.ptx"),
            File::UpFirDn => include_str!("../../ptx/upfirdn.ptx"),
        }
    }
}

/// A kernel and what it takes.
pub(crate) struct Kernel {
    pub(super) name: String,
    pub(super) function: Function,
    pub(super) params: Vec<Param>,
}

/// The kernels that have been used on a context.
#[derive(Default)]
pub(crate) struct Modules {
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    files: HashMap<File, LoadedFile>,
    kernels: HashMap<String, Arc<Kernel>>,
}

/// A file in the driver's hands, and what its PTX says of the kernels in it.
struct LoadedFile {
    module: Arc<Module>,
    params: HashMap<&'static str, Vec<Param>>,
}

impl LoadedFile {
    fn load(context: &Arc<Context>, file: File) -> Result<Self> {
        let params = ptx::kernels(file.ptx()).map_err(|reason| wrong(file.name(), reason))?;
        Ok(LoadedFile { module: Arc::new(context.load(file.name(), file.ptx())?), params })
    }
}

impl Modules {
    /// The kernel of that name, loaded if need be.
    pub(crate) fn kernel(
        &self,
        context: &Arc<Context>,
        file: File,
        name: &str,
    ) -> Result<Arc<Kernel>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Loaded { files, kernels } = &mut *loaded;
        if let Some(kernel) = kernels.get(name) {
            return Ok(Arc::clone(kernel));
        }
        let file = match files.entry(file) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(empty) => empty.insert(LoadedFile::load(context, file)?),
        };
        let params = file.params.get(name).ok_or_else(|| wrong(name, "not in its PTX".into()))?;
        let function = file.module.function(name)?;
        let kernel = Arc::new(Kernel { name: name.to_owned(), function, params: params.clone() });
        kernels.insert(name.to_owned(), Arc::clone(&kernel));
        Ok(kernel)
    }
}

fn wrong(kernel: &str, reason: String) -> Error {
    Error::Kernel { kernel: kernel.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_for_the_oldest_driver_and_device_and_has_kernels() {
        for file in File::ALL {
            let (name, text) = (file.name(), file.ptx());
            assert!(text.contains(".version 8.1\n"), "{name}: the ISA of CUDA 12.1");
            assert!(text.contains(".target sm_80\n"), "{name}: compute capability 8.0");
            let kernels = ptx::kernels(text).unwrap_or_else(|reason| panic!("{name}: {reason}"));
            assert!(!kernels.is_empty(), "{name}");
            assert_eq!(kernels.len(), text.matches(".entry").count(), "{name}");
        }
    }
}
