//! The names that a checkpoint may ask for. Nothing is imported or called: each stands for a way to put data together.

use crate::checkpoint::number::NumberFormat;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Known {
    /// Dicts with and without order or defaults.
    Dict,
    /// List, tuple, set and frozenset of something else.
    Sequence,
    /// What is kept as its arguments: paths and devices.
    Arguments,
    /// A class whose instances are their attributes.
    Class,
    /// A network of NVIDIA's TensorFlow code.
    Network,
    /// Python 2's way to make an instance.
    Reconstructor,
    /// Bytes from nothing or text.
    Bytes,
    /// Text to bytes.
    Encode,
    /// Storages, and the types of what is in them.
    Numbers(NumberFormat),
    RebuildTensor,
    /// The same with the number format among the arguments.
    RebuildTensorOfFormat,
    /// Whatever the first argument is.
    First,
    /// A tensor of a subclass, by another function.
    RebuildFromType,
    /// A nested torch file.
    LoadFromBytes,
    ElementType,
    Scalar,
    Array,
    NewArray,
    FromBuffer,
    /// NVIDIA's objects with their source code.
    Persistent,
}

/// What the name stands for, if it is one that checkpoints need.
pub(super) fn find(module: &str, name: &str) -> Option<Known> {
    // Python 2 and 3, numpy 1 and 2.
    let module = match module {
        "__builtin__" => "builtins",
        "copy_reg" => "copyreg",
        other => other,
    };
    let numpy = module.strip_prefix("numpy.").map(|m| m.strip_prefix('_').unwrap_or(m));
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") => Known::Dict,
        ("builtins", "dict") => Known::Dict,
        ("dnnlib" | "dnnlib.util" | "torch_utils.misc", "EasyDict") => Known::Dict,
        ("builtins", "set" | "frozenset" | "list" | "tuple") => Known::Sequence,
        ("builtins", "bytes" | "bytearray") => Known::Bytes,
        ("builtins", "object") => Known::Class,
        ("pathlib" | "pathlib._local", "PosixPath" | "WindowsPath" | "PurePosixPath") => {
            Known::Arguments
        }
        ("copyreg", "_reconstructor") => Known::Reconstructor,
        ("_codecs", "encode") => Known::Encode,
        ("argparse", "Namespace") | ("types", "SimpleNamespace") => Known::Class,
        ("torch_utils.persistence", "_reconstruct_persistent_obj") => Known::Persistent,
        ("dnnlib.tflib.network" | "dnnlib.tflib" | "tfutil", "Network") => Known::Network,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Known::RebuildTensorOfFormat,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Known::First,
        ("torch._tensor", "_rebuild_from_type_v2") => Known::RebuildFromType,
        ("torch.nn.parameter", "Parameter" | "Buffer") | ("torch", "Tensor") => Known::Class,
        ("torch.storage", "_load_from_bytes") => Known::LoadFromBytes,
        ("torch", "Size") => Known::First,
        ("torch", "device") => Known::Arguments,
        ("torch.storage", "UntypedStorage") => Known::Numbers(NumberFormat::U8),
        ("torch" | "torch.cuda", name) => Known::Numbers(numbers(name)?),
        (
            "torch.jit._pickle",
            "build_intlist" | "build_doublelist" | "build_boollist" | "build_tensorlist"
            | "restore_type_tag",
        ) => Known::First,
        ("numpy", "dtype") => Known::ElementType,
        ("numpy", "ndarray") => Known::Array,
        _ if module.starts_with("__torch__") => Known::Class,
        _ => match (numpy?, name) {
            ("core.multiarray", "scalar") => Known::Scalar,
            ("core.multiarray", "_reconstruct") => Known::NewArray,
            ("core.numeric", "_frombuffer") => Known::FromBuffer,
            _ => return None,
        },
    })
}

fn numbers(name: &str) -> Option<NumberFormat> {
    Some(match name {
        "DoubleStorage" | "float64" => NumberFormat::F64,
        "FloatStorage" | "float32" => NumberFormat::F32,
        "HalfStorage" | "float16" => NumberFormat::F16,
        "BFloat16Storage" | "bfloat16" => NumberFormat::Bf16,
        "LongStorage" | "int64" => NumberFormat::I64,
        "IntStorage" | "int32" => NumberFormat::I32,
        "ShortStorage" | "int16" => NumberFormat::I16,
        "CharStorage" | "int8" => NumberFormat::I8,
        "ByteStorage" | "uint8" => NumberFormat::U8,
        "BoolStorage" | "bool" => NumberFormat::Bool,
        _ => return None,
    })
}
