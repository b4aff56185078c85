// Demodulation, noise, bias, activation, gain and clamp in one pass, and the gradient from the result's sign.
#include "gan_common.cuh"

enum Act { LINEAR, RELU, LRELU, TANH, SIGMOID, ELU, SELU, SOFTPLUS, SWISH };

__device__ inline float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

__device__ inline float activate(int act, float x, float alpha) {
    switch (act) {
        case RELU: return x > 0.0f ? x : 0.0f;
        case LRELU: return x > 0.0f ? x : alpha * x;
        case TANH: return tanhf(x);
        case SIGMOID: return sigmoid(x);
        case ELU: return x > 0.0f ? x : expm1f(x);
        // The constants of Klambauer et al. 2017.
        case SELU: return 1.0507009873554805f * (x > 0.0f ? x : 1.6732632423543772f * expm1f(x));
        case SOFTPLUS: return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
        case SWISH: return x * sigmoid(x);
        default: return x;
    }
}

/// Written so that NaN stays NaN, and a bound of NaN bounds nothing.
__device__ inline float clamped(float x, float bound) {
    return x > bound ? bound : x < -bound ? -bound : x;
}

template <class T>
__device__ void bias_act(const T* x, const float* bias, const float* noise, const float* demod, T* y, unsigned n,
                         unsigned channels, unsigned inner, unsigned noise_stride, int act, float alpha, float gain,
                         float clamp) {
    unsigned i = global_index();
    if (i >= n) return;
    unsigned row = i / inner, pixel = i % inner;
    unsigned image = row / channels, channel = row % channels;
    float v = to_float(x[i]);
    if (demod) v *= demod[row];
    if (noise) v += noise[image * noise_stride + pixel];
    if (bias) v += bias[channel];
    store(&y[i], clamped(gain * activate(act, v, alpha), clamp));
}

template <class T>
__device__ void bias_act_grad(const T* g, const T* y, T* dx, unsigned n, int act, float alpha, float gain,
                              float clamp) {
    unsigned i = global_index();
    if (i >= n) return;
    float out = to_float(y[i]);
    float slope = out > 0.0f || act == LINEAR ? gain : act == LRELU ? gain * alpha : 0.0f;
    // What the clamp or the activation stopped gets a zero even where the gradient is not finite.
    store(&dx[i], fabsf(out) >= clamp || slope == 0.0f ? 0.0f : to_float(g[i]) * slope);
}

#define BIAS_ACT(T, S)                                                                                              \
    GAN_KERNEL bias_act_##S(const T* x, const float* bias, const float* noise, const float* demod, T* y, unsigned n, \
                            unsigned channels, unsigned inner, unsigned noise_stride, int act, float alpha,         \
                            float gain, float clamp) {                                                              \
        bias_act(x, bias, noise, demod, y, n, channels, inner, noise_stride, act, alpha, gain, clamp);              \
    }                                                                                                               \
    GAN_KERNEL bias_act_grad_##S(const T* g, const T* y, T* dx, unsigned n, int act, float alpha, float gain,       \
                                 float clamp) {                                                                     \
        bias_act_grad(g, y, dx, n, act, alpha, gain, clamp);                                                        \
    }                                                                                                               \
    GAN_REGISTER(bias_act_##S)                                                                                      \
    GAN_REGISTER(bias_act_grad_##S)

GAN_EACH_TYPE(BIAS_ACT)
