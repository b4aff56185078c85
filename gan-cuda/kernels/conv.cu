// Convolution and its two adjoints, straight from the definition: `y[n, co, oy, ox] = sum x[n, ci, iy, ix] * w[co, c,
// ky, kx]` with `iy = oy * stride_h + ky - pad_h`.
#include "gan_common.cuh"
#include "reduction.cuh"

/// Geometry of the forward convolution, for its adjoints too.
struct Conv {
    unsigned images, inputs, in_h, in_w;
    unsigned outputs, out_h, out_w;
    unsigned kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, groups;
};

/// An index of a [_, channels, height, width] array.
struct Index4 {
    unsigned n, c, y, x;

    __device__ Index4(unsigned i, unsigned channels, unsigned height, unsigned width)
        : n(i / width / height / channels), c(i / width / height % channels), y(i / width % height), x(i % width) {}
};

__device__ inline unsigned place4(unsigned n, unsigned c, unsigned y, unsigned x, unsigned channels, unsigned height,
                                  unsigned width) {
    return ((n * channels + c) * height + y) * width + x;
}

template <class T>
__device__ void conv2d(const T* x, const T* w, T* y, unsigned n, const Conv& v) {
    unsigned i = global_index();
    if (i >= n) return;
    Index4 out(i, v.outputs, v.out_h, v.out_w);
    unsigned group_inputs = v.inputs / v.groups, group_outputs = v.outputs / v.groups;
    unsigned first = out.c / group_outputs * group_inputs;
    float sum = 0.0f;
    for (unsigned c = 0; c < group_inputs; ++c) {
        for (unsigned ky = 0; ky < v.kernel_h; ++ky) {
            // Above the first row wraps around, to below the last one.
            unsigned iy = out.y * v.stride_h + ky - v.pad_h;
            if (iy >= v.in_h) continue;
            for (unsigned kx = 0; kx < v.kernel_w; ++kx) {
                unsigned ix = out.x * v.stride_w + kx - v.pad_w;
                if (ix >= v.in_w) continue;
                sum += to_float(x[place4(out.n, first + c, iy, ix, v.inputs, v.in_h, v.in_w)]) *
                       to_float(w[place4(out.c, c, ky, kx, group_inputs, v.kernel_h, v.kernel_w)]);
            }
        }
    }
    store(&y[i], sum);
}

template <class T>
__device__ void conv_input(const T* g, const T* w, T* x, unsigned n, const Conv& v) {
    unsigned i = global_index();
    if (i >= n) return;
    Index4 in(i, v.inputs, v.in_h, v.in_w);
    unsigned group_inputs = v.inputs / v.groups, group_outputs = v.outputs / v.groups;
    unsigned first = in.c / group_inputs * group_outputs, c = in.c % group_inputs;
    float sum = 0.0f;
    for (unsigned co = first; co < first + group_outputs; ++co) {
        for (unsigned ky = 0; ky < v.kernel_h; ++ky) {
            // The output row that the tap takes to this pixel, if there is one.
            unsigned down = in.y + v.pad_h - ky, oy = down / v.stride_h;
            if (ky > in.y + v.pad_h || down % v.stride_h != 0 || oy >= v.out_h) continue;
            for (unsigned kx = 0; kx < v.kernel_w; ++kx) {
                unsigned right = in.x + v.pad_w - kx, ox = right / v.stride_w;
                if (kx > in.x + v.pad_w || right % v.stride_w != 0 || ox >= v.out_w) continue;
                sum += to_float(g[place4(in.n, co, oy, ox, v.outputs, v.out_h, v.out_w)]) *
                       to_float(w[place4(co, c, ky, kx, group_inputs, v.kernel_h, v.kernel_w)]);
            }
        }
    }
    store(&x[i], sum);
}

/// One block a weight: the sum runs over all pixels of all images.
template <class T>
__device__ void conv_weight(const T* x, const T* g, T* w, const Conv& v) {
    unsigned group_inputs = v.inputs / v.groups, group_outputs = v.outputs / v.groups;
    Index4 tap(blockIdx.x, group_inputs, v.kernel_h, v.kernel_w);
    unsigned ci = tap.n / group_outputs * group_inputs + tap.c;
    float sum = 0.0f;
    for (unsigned j = threadIdx.x; j < v.images * v.out_h * v.out_w; j += blockDim.x) {
        Index4 out(j, 1, v.out_h, v.out_w);
        unsigned iy = out.y * v.stride_h + tap.y - v.pad_h, ix = out.x * v.stride_w + tap.x - v.pad_w;
        if (iy >= v.in_h || ix >= v.in_w) continue;
        sum += to_float(x[place4(out.n, ci, iy, ix, v.inputs, v.in_h, v.in_w)]) *
               to_float(g[place4(out.n, tap.n, out.y, out.x, v.outputs, v.out_h, v.out_w)]);
    }
    sum = block_reduce<Sum>(sum);
    if (threadIdx.x == 0) store(&w[blockIdx.x], sum);
}

#define CONV(T, S)                                                                   \
    GAN_KERNEL conv2d_##S(const T* x, const T* w, T* y, unsigned n, Conv c) {        \
        conv2d(x, w, y, n, c);                                                       \
    }                                                                                \
    GAN_KERNEL conv_input_##S(const T* g, const T* w, T* x, unsigned n, Conv c) {    \
        conv_input(g, w, x, n, c);                                                   \
    }                                                                                \
    GAN_KERNEL conv_weight_##S(const T* x, const T* g, T* w, unsigned n, Conv c) {   \
        if (blockIdx.x < n) conv_weight(x, g, w, c);                                 \
    }                                                                                \
    GAN_REGISTER(conv2d_##S)                                                         \
    GAN_REGISTER(conv_input_##S)                                                     \
    GAN_REGISTER(conv_weight_##S)

GAN_EACH_TYPE(CONV)
