//! What the kernels' PTX text says about their parameters.

use std::collections::HashMap;

/// What the driver copies for one parameter of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// 64 bits, a pointer.
    Pointer,
    /// 32 bits, a count or code of either sign.
    Word,
    /// 32 bits, a float.
    Float,
    /// A struct of that many bytes.
    Struct(usize),
}

/// The parameters of each kernel of a PTX text, by the kernel's name; the part that is not understood otherwise.
pub(crate) fn kernels(ptx: &str) -> Result<HashMap<&str, Vec<Param>>, String> {
    let mut kernels = HashMap::new();
    let mut rest = ptx;
    while let Some((_, entry)) = rest.split_once(".entry ") {
        let (name, list) = entry.split_once('(').ok_or("an entry without parameters")?;
        let (list, after) = list.split_once(')').ok_or("a list of parameters without end")?;
        let params = list.split(',').map(str::trim).filter(|p| !p.is_empty());
        kernels.insert(name.trim(), params.map(param).collect::<Result<_, _>>()?);
        rest = after;
    }
    Ok(kernels)
}

/// One declaration, such as `.param .u64 name` or `.param .align 4 .b8 name[68]`.
fn param(text: &str) -> Result<Param, String> {
    let wrong = || format!("a parameter of another kind: `{text}`");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [".param", ".u64", ..] => Ok(Param::Pointer),
        [".param", ".u32" | ".s32" | ".b32", _] => Ok(Param::Word),
        [".param", ".f32", _] => Ok(Param::Float),
        [".param", ".align", _, ".b8", name] => {
            let size = name.split_once('[').and_then(|(_, size)| size.strip_suffix(']'));
            size.and_then(|s| s.parse().ok()).map(Param::Struct).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let text = ".version 8.1\n.visible .entry f(\n\t.param .u64 f_param_0,\n\t.param .u32 f_param_1,\n\
                    \t.param .align 4 .b8 f_param_2[68],\n\t.param .f32 f_param_3\n)\n{ ret; }\n\
                    .visible .entry g()\n.maxntid 256, 1, 1\n{ ret; }";
        let found = kernels(text).unwrap();
        let f = [Param::Pointer, Param::Word, Param::Struct(68), Param::Float];
        assert_eq!((found.len(), found["f"].as_slice(), found["g"].len()), (2, &f[..], 0));
        assert!(kernels(".entry h(.param .u16 x)").is_err());
        assert!(kernels(".entry h(.param .u64 x").is_err());
    }
}
