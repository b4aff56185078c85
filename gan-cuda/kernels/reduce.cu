// Sums and maxima over some of the axes.
#include "gan_common.cuh"
#include "reduction.cuh"

/// One block a result.
template <class Op, class T>
__device__ void reduce(const T* x, T* y, unsigned len, const Strided& kept, const Strided& reduced) {
    const T* from = x + place(kept, blockIdx.x);
    float value = Op::identity();
    for (unsigned j = threadIdx.x; j < len; j += blockDim.x) {
        value = Op::combine(value, to_float(from[place(reduced, j)]));
    }
    value = block_reduce<Op>(value);
    if (threadIdx.x == 0) store(&y[blockIdx.x], value);
}

/// One thread a result.
template <class Op, class T>
__device__ void reduce_few(const T* x, T* y, unsigned n, unsigned len, const Strided& kept, const Strided& reduced) {
    unsigned i = global_index();
    if (i >= n) return;
    const T* from = x + place(kept, i);
    float value = Op::identity();
    for (unsigned j = 0; j < len; ++j) value = Op::combine(value, to_float(from[place(reduced, j)]));
    store(&y[i], value);
}

#define REDUCE(T, S, NAME, OP)                                                                                  \
    GAN_KERNEL NAME##_##S(const T* x, T* y, unsigned n, unsigned len, GAN_STRUCT(Strided) kept,                 \
                          GAN_STRUCT(Strided) reduced) {                                                        \
        if (blockIdx.x < n) reduce<OP>(x, y, len, kept, reduced);                                               \
    }                                                                                                           \
    GAN_KERNEL NAME##_few_##S(const T* x, T* y, unsigned n, unsigned len, GAN_STRUCT(Strided) kept,             \
                              GAN_STRUCT(Strided) reduced) {                                                    \
        reduce_few<OP>(x, y, n, len, kept, reduced);                                                            \
    }                                                                                                           \
    GAN_REGISTER(NAME##_##S)                                                                                    \
    GAN_REGISTER(NAME##_few_##S)

#define REDUCTIONS(T, S)     \
    REDUCE(T, S, sum, Sum)   \
    REDUCE(T, S, max, Max)

GAN_EACH_TYPE(REDUCTIONS)
