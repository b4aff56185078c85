// Between types of storage, to nearest even.
#include "gan_common.cuh"

#define CAST(S, s, T, t)                                             \
    GAN_KERNEL cast_##s##_##t(const S* x, T* y, unsigned n) {        \
        unsigned i = global_index();                                 \
        if (i < n) store(&y[i], to_float(x[i]));                     \
    }                                                                \
    GAN_REGISTER(cast_##s##_##t)

CAST(float, f32, f16, f16)
CAST(float, f32, bf16, bf16)
CAST(f16, f16, float, f32)
CAST(f16, f16, bf16, bf16)
CAST(bf16, bf16, float, f32)
CAST(bf16, bf16, f16, f16)
