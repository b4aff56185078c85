//! The network as a table: what each block is made of, under the names of torchvision.

/// A convolution, batch normalisation and ReLU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) kernel: [usize; 2],
    pub(super) size: Size,
}

/// How large the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// As the input.
    Same,
    /// What the kernel sees without padding.
    Inner,
    /// Every second of these pixels.
    Half,
}

/// What a branch does to its features.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Conv(Form),
    /// Two convolutions of the same features, one result behind the other.
    Fork([Form; 2]),
    /// The mean of 3x3 neighbours, of those inside the image.
    Mean,
    /// The maximum of 3x3 neighbours.
    Max,
    /// The maximum of 3x3 neighbours, of every second pixel, without padding.
    MaxHalf,
}

/// A block: the results of its branches are put one behind the other.
pub(super) struct BlockForm {
    pub(super) name: &'static str,
    pub(super) branches: &'static [&'static [Step]],
}

const fn same(name: &'static str, kernel: [usize; 2]) -> Form {
    Form { name, kernel, size: Size::Same }
}

const fn conv(name: &'static str, kernel: [usize; 2]) -> Step {
    Step::Conv(same(name, kernel))
}

const fn half(name: &'static str) -> Step {
    Step::Conv(Form { name, kernel: [3, 3], size: Size::Half })
}

const fn inner(name: &'static str) -> Step {
    Step::Conv(Form { name, kernel: [3, 3], size: Size::Inner })
}

/// Before the blocks.
pub(super) const STEM: &[Step] = &[
    half("Conv2d_1a_3x3"),
    inner("Conv2d_2a_3x3"),
    conv("Conv2d_2b_3x3", [3, 3]),
    Step::MaxHalf,
    conv("Conv2d_3b_1x1", [1, 1]),
    inner("Conv2d_4a_3x3"),
    Step::MaxHalf,
];

const FIVE: &[&[Step]] = &[
    &[conv("branch1x1", [1, 1])],
    &[conv("branch5x5_1", [1, 1]), conv("branch5x5_2", [5, 5])],
    &[
        conv("branch3x3dbl_1", [1, 1]),
        conv("branch3x3dbl_2", [3, 3]),
        conv("branch3x3dbl_3", [3, 3]),
    ],
    &[Step::Mean, conv("branch_pool", [1, 1])],
];

const SIX_A: &[&[Step]] = &[
    &[half("branch3x3")],
    &[conv("branch3x3dbl_1", [1, 1]), conv("branch3x3dbl_2", [3, 3]), half("branch3x3dbl_3")],
    &[Step::MaxHalf],
];

const SIX: &[&[Step]] = &[
    &[conv("branch1x1", [1, 1])],
    &[conv("branch7x7_1", [1, 1]), conv("branch7x7_2", [1, 7]), conv("branch7x7_3", [7, 1])],
    &[
        conv("branch7x7dbl_1", [1, 1]),
        conv("branch7x7dbl_2", [7, 1]),
        conv("branch7x7dbl_3", [1, 7]),
        conv("branch7x7dbl_4", [7, 1]),
        conv("branch7x7dbl_5", [1, 7]),
    ],
    &[Step::Mean, conv("branch_pool", [1, 1])],
];

const SEVEN_A: &[&[Step]] = &[
    &[conv("branch3x3_1", [1, 1]), half("branch3x3_2")],
    &[
        conv("branch7x7x3_1", [1, 1]),
        conv("branch7x7x3_2", [1, 7]),
        conv("branch7x7x3_3", [7, 1]),
        half("branch7x7x3_4"),
    ],
    &[Step::MaxHalf],
];

const WIDE: &[Step] = &[
    conv("branch3x3_1", [1, 1]),
    Step::Fork([same("branch3x3_2a", [1, 3]), same("branch3x3_2b", [3, 1])]),
];

const DEEP: &[Step] = &[
    conv("branch3x3dbl_1", [1, 1]),
    conv("branch3x3dbl_2", [3, 3]),
    Step::Fork([same("branch3x3dbl_3a", [1, 3]), same("branch3x3dbl_3b", [3, 1])]),
];

const SEVEN_B: &[&[Step]] =
    &[&[conv("branch1x1", [1, 1])], WIDE, DEEP, &[Step::Mean, conv("branch_pool", [1, 1])]];

/// As the block before, but for a maximum: so are the published weights.
const SEVEN_C: &[&[Step]] =
    &[&[conv("branch1x1", [1, 1])], WIDE, DEEP, &[Step::Max, conv("branch_pool", [1, 1])]];

/// After the stem.
pub(super) const BLOCKS: &[BlockForm] = &[
    BlockForm { name: "Mixed_5b", branches: FIVE },
    BlockForm { name: "Mixed_5c", branches: FIVE },
    BlockForm { name: "Mixed_5d", branches: FIVE },
    BlockForm { name: "Mixed_6a", branches: SIX_A },
    BlockForm { name: "Mixed_6b", branches: SIX },
    BlockForm { name: "Mixed_6c", branches: SIX },
    BlockForm { name: "Mixed_6d", branches: SIX },
    BlockForm { name: "Mixed_6e", branches: SIX },
    BlockForm { name: "Mixed_7a", branches: SEVEN_A },
    BlockForm { name: "Mixed_7b", branches: SEVEN_B },
    BlockForm { name: "Mixed_7c", branches: SEVEN_C },
];
