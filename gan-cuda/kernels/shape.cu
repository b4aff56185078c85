// Copies that change the shape. Arrays are seen as [outer, length, inner] around the axis that changes.
#include "gan_common.cuh"

/// An element's place in [outer, length, inner].
struct Around {
    unsigned outer, at, inner;

    __device__ Around(unsigned i, unsigned length, unsigned inner_length)
        : outer(i / inner_length / length), at(i / inner_length % length), inner(i % inner_length) {}
};

template <class T>
__device__ void strided_copy(const T* x, T* y, unsigned n, unsigned offset, const Strided& at) {
    unsigned i = global_index();
    if (i >= n) return;
    y[i] = x[offset + place(at, i)];
}

template <class T>
__device__ void pad(const T* x, T* y, unsigned n, unsigned inner, unsigned before, unsigned len_in, unsigned len_out) {
    unsigned i = global_index();
    if (i >= n) return;
    Around a(i, len_out, inner);
    // Left of the first entry wraps around, to right of the last one.
    unsigned from = a.at - before;
    if (from < len_in) {
        y[i] = x[(a.outer * len_in + from) * inner + a.inner];
    } else {
        store(&y[i], 0.0f);
    }
}

template <class T>
__device__ void concat_part(const T* x, T* y, unsigned n, unsigned inner, unsigned before, unsigned len_in,
                            unsigned len_out) {
    unsigned i = global_index();
    if (i >= n) return;
    Around a(i, len_in, inner);
    y[(a.outer * len_out + before + a.at) * inner + a.inner] = x[i];
}

template <class T>
__device__ void gather(const T* x, const unsigned* index, T* y, unsigned n, unsigned inner, unsigned len_in,
                       unsigned len_out) {
    unsigned i = global_index();
    if (i >= n) return;
    Around a(i, len_out, inner);
    y[i] = x[(a.outer * len_in + index[a.at]) * inner + a.inner];
}

/// The host has sorted the arguments' entries by where they go, so that each sum has one thread and a fixed order.
template <class T>
__device__ void scatter_add(const T* x, const unsigned* start, const unsigned* entries, T* y, unsigned n,
                            unsigned inner, unsigned len_in, unsigned len_out) {
    unsigned i = global_index();
    if (i >= n) return;
    Around a(i, len_out, inner);
    float sum = 0.0f;
    for (unsigned e = start[a.at]; e < start[a.at + 1]; ++e) {
        sum += to_float(x[(a.outer * len_in + entries[e]) * inner + a.inner]);
    }
    store(&y[i], sum);
}

#define SHAPE(T, S)                                                                                                 \
    GAN_KERNEL strided_copy_##S(const T* x, T* y, unsigned n, unsigned offset, GAN_STRUCT(Strided) at) {            \
        strided_copy(x, y, n, offset, at);                                                                          \
    }                                                                                                               \
    GAN_KERNEL pad_##S(const T* x, T* y, unsigned n, unsigned inner, unsigned before, unsigned len_in,              \
                       unsigned len_out) {                                                                          \
        pad(x, y, n, inner, before, len_in, len_out);                                                               \
    }                                                                                                               \
    GAN_KERNEL concat_part_##S(const T* x, T* y, unsigned n, unsigned inner, unsigned before, unsigned len_in,      \
                               unsigned len_out) {                                                                  \
        concat_part(x, y, n, inner, before, len_in, len_out);                                                       \
    }                                                                                                               \
    GAN_KERNEL gather_##S(const T* x, const unsigned* index, T* y, unsigned n, unsigned inner, unsigned len_in,     \
                          unsigned len_out) {                                                                       \
        gather(x, index, y, n, inner, len_in, len_out);                                                             \
    }                                                                                                               \
    GAN_KERNEL scatter_add_##S(const T* x, const unsigned* start, const unsigned* entries, T* y, unsigned n,        \
                               unsigned inner, unsigned len_in, unsigned len_out) {                                 \
        scatter_add(x, start, entries, y, n, inner, len_in, len_out);                                               \
    }                                                                                                               \
    GAN_REGISTER(strided_copy_##S)                                                                                  \
    GAN_REGISTER(pad_##S)                                                                                           \
    GAN_REGISTER(concat_part_##S)                                                                                   \
    GAN_REGISTER(gather_##S)                                                                                        \
    GAN_REGISTER(scatter_add_##S)

GAN_EACH_TYPE(SHAPE)
