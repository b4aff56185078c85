// What every kernel file shares: how a kernel is declared, the types of storage, and strided indices.
//
// Nothing here or in a kernel needs a CUDA header: the compiler's built-ins do, so a kernel is a function of this
// folder and of the compiler's version alone. With GAN_EMUL the same files are C++ for the emulator.
#pragma once

#ifdef GAN_EMUL
#include "emul.h"
#else
/// No kernel is launched with more threads a block; the compiler may use the registers that this leaves.
#define GAN_KERNEL extern "C" __global__ void __launch_bounds__(256)
/// A struct argument that is indexed: read in place, where a plain parameter would be copied to the stack.
#define GAN_STRUCT(type) const __grid_constant__ type
/// Names a kernel to the emulator.
#define GAN_REGISTER(name)
/// Memory of the block: `GAN_SHARED(float, tile, [16][17]);`
#define GAN_SHARED(type, name, dims) __shared__ type name dims
#endif

/// 16-bit IEEE float, as stored.
struct f16 {
    unsigned short bits;
};

/// The upper half of a 32-bit float, as stored.
struct bf16 {
    unsigned short bits;
};

/// Instantiates `M(type, suffix)` for every type of storage.
#define GAN_EACH_TYPE(M) M(float, f32) M(f16, f16) M(bf16, bf16)

__device__ inline float to_float(float x) {
    return x;
}

__device__ inline float to_float(bf16 x) {
    return __uint_as_float((unsigned)x.bits << 16);
}

#ifdef GAN_EMUL
inline float to_float(f16 x) {
    return emul::f16_to_float(x.bits);
}

inline void store(f16* to, float x) {
    to->bits = emul::f16_bits(x);
}

inline void store(bf16* to, float x) {
    to->bits = emul::bf16_bits(x);
}
#else
__device__ inline float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

__device__ inline void store(f16* to, float x) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to->bits) : "f"(x));
}

__device__ inline void store(bf16* to, float x) {
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to->bits) : "f"(x));
}
#endif

__device__ inline void store(float* to, float x) {
    *to = x;
}

/// The element that a thread computes where each has one.
__device__ inline unsigned global_index() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

/// Where the elements of an array with axes of any order and repetition lie.
struct Strided {
    unsigned rank;
    unsigned size[8];
    unsigned stride[8];
};

/// The place of the element with row-major index `i`.
__device__ inline unsigned place(const Strided& s, unsigned i) {
    unsigned at = 0;
    // The first axis takes what is left of the index: an array of one axis costs no division.
    for (unsigned d = s.rank; d > 1; --d) {
        at += i % s.size[d - 1] * s.stride[d - 1];
        i /= s.size[d - 1];
    }
    return s.rank > 0 ? at + i * s.stride[0] : 0;
}
