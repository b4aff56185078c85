// Sums and maxima over a warp and over a block, in an order that depends on the number of threads alone.
#pragma once

struct Sum {
    static __device__ float identity() {
        return 0.0f;
    }

    static __device__ float combine(float a, float b) {
        return a + b;
    }
};

struct Max {
    /// Minus infinity.
    static __device__ float identity() {
        return __uint_as_float(0xff800000u);
    }

    /// NaN wins, as in the reference.
    static __device__ float combine(float a, float b) {
        return b > a || b != b ? b : a;
    }
};

/// Of a warp's values; the result is the first lane's.
template <class Op>
__device__ inline float warp_reduce(float value) {
    for (int distance = 16; distance > 0; distance /= 2) {
        value = Op::combine(value, __shfl_down_sync(0xffffffffu, value, distance));
    }
    return value;
}

/// Of the values of a block of whole warps, at most eight; the result is the first thread's. Once a kernel: a second
/// call would need another barrier.
template <class Op>
__device__ inline float block_reduce(float value) {
    GAN_SHARED(float, warps, [8]);
    value = warp_reduce<Op>(value);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) value = Op::combine(value, warps[warp]);
    }
    return value;
}
