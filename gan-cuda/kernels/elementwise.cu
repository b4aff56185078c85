// Functions of values at the same place.
#include "gan_common.cuh"

__device__ inline float softplus(float x) {
    // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), whose exponential cannot overflow.
    return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
}

__device__ inline float unary_value(int op, float x, float mul, float add) {
    switch (op) {
        case 0: return -x;
        case 1: return 1.0f / x;
        case 2: return expf(x);
        case 3: return logf(x);
        case 4: return sqrtf(x);
        case 5: return tanhf(x);
        case 6: return 1.0f / (1.0f + expf(-x));
        case 7: return softplus(x);
        case 8: return x > 0.0f ? 1.0f : 0.0f;
        default: return mul * x + add;
    }
}

template <class T>
__device__ void unary(const T* x, T* y, unsigned n, int op, float mul, float add) {
    unsigned i = global_index();
    if (i >= n) return;
    store(&y[i], unary_value(op, to_float(x[i]), mul, add));
}

__device__ inline float binary_value(int op, float a, float b) {
    switch (op) {
        case 0: return a + b;
        case 1: return a - b;
        case 2: return a * b;
        case 3: return a / b;
        default: return a == b ? 1.0f : 0.0f;
    }
}

template <class T>
__device__ void binary(const T* a, const T* b, T* y, unsigned n, int op, const Strided& a_at, const Strided& b_at) {
    unsigned i = global_index();
    if (i >= n) return;
    store(&y[i], binary_value(op, to_float(a[place(a_at, i)]), to_float(b[place(b_at, i)])));
}

template <class T>
__device__ void select(const T* mask, const T* a, const T* b, T* y, unsigned n) {
    unsigned i = global_index();
    if (i >= n) return;
    y[i] = to_float(mask[i]) != 0.0f ? a[i] : b[i];
}

#define ELEMENTWISE(T, S)                                                                                        \
    GAN_KERNEL unary_##S(const T* x, T* y, unsigned n, int op, float mul, float add) {                           \
        unary(x, y, n, op, mul, add);                                                                            \
    }                                                                                                            \
    GAN_KERNEL binary_##S(const T* a, const T* b, T* y, unsigned n, int op, GAN_STRUCT(Strided) a_at,            \
                          GAN_STRUCT(Strided) b_at) {                                                            \
        binary(a, b, y, n, op, a_at, b_at);                                                                      \
    }                                                                                                            \
    GAN_KERNEL select_##S(const T* mask, const T* a, const T* b, T* y, unsigned n) {                             \
        select(mask, a, b, y, n);                                                                                \
    }                                                                                                            \
    GAN_REGISTER(unary_##S)                                                                                      \
    GAN_REGISTER(binary_##S)                                                                                     \
    GAN_REGISTER(select_##S)

GAN_EACH_TYPE(ELEMENTWISE)
