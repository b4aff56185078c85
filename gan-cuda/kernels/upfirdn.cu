// FIR resampling: zeros between pixels, padding, a correlation with the taps, every so many pixels of the result.
#include "gan_common.cuh"

/// Geometry; `pad_h`, `pad_w` are the padding before, negative to crop.
struct UpFirDn {
    unsigned in_h, in_w, out_h, out_w;
    unsigned taps_h, taps_w, up_h, up_w, down_h, down_w;
    int pad_h, pad_w;
};

/// Where the window of an output pixel meets the input along one axis: the first pixel in or after its start, and the
/// tap that lies on it. The taps between two pixels meet inserted zeros, so one steps by `up`.
struct Window {
    int pixel;
    unsigned tap;

    __device__ Window(unsigned out, unsigned up, unsigned down, int pad) {
        int start = (int)(out * down) - pad, step = (int)up;
        // Rounded up, for negative numbers as well.
        pixel = start > 0 ? (start + step - 1) / step : start / step;
        tap = (unsigned)(pixel * step - start);
    }
};

template <class T>
__device__ void upfirdn(const T* x, const float* taps, T* y, unsigned n, const UpFirDn& u) {
    unsigned i = global_index();
    if (i >= n) return;
    unsigned plane = i / u.out_w / u.out_h;
    Window rows(i / u.out_w % u.out_h, u.up_h, u.down_h, u.pad_h);
    Window columns(i % u.out_w, u.up_w, u.down_w, u.pad_w);
    float sum = 0.0f;
    for (unsigned a = rows.tap, iy = (unsigned)rows.pixel; a < u.taps_h; a += u.up_h, ++iy) {
        // Above the first row is beyond the last one.
        if (iy >= u.in_h) continue;
        for (unsigned b = columns.tap, ix = (unsigned)columns.pixel; b < u.taps_w; b += u.up_w, ++ix) {
            if (ix >= u.in_w) continue;
            sum += taps[a * u.taps_w + b] * to_float(x[(plane * u.in_h + iy) * u.in_w + ix]);
        }
    }
    store(&y[i], sum);
}

/// Output pixels of a tile, and the most taps and the largest step down that its patch of the input has room for.
constexpr unsigned TILE_H = 16, TILE_W = 32, MOST_TAPS = 8, MOST_DOWN = 2;
constexpr unsigned PATCH_H = (TILE_H - 1) * MOST_DOWN + MOST_TAPS, PATCH_W = (TILE_W - 1) * MOST_DOWN + MOST_TAPS;

/// One block a tile: the part of the input that it sees is read once, and each thread computes two pixels from it.
template <class T>
__device__ void upfirdn_tile(const T* x, const float* taps, T* y, const UpFirDn& u) {
    GAN_SHARED(float, patch, [PATCH_H][PATCH_W + 1]);
    GAN_SHARED(float, filter, [MOST_TAPS * MOST_TAPS]);
    unsigned tiles_h = (u.out_h + TILE_H - 1) / TILE_H, tiles_w = (u.out_w + TILE_W - 1) / TILE_W;
    unsigned plane = blockIdx.x / tiles_w / tiles_h;
    unsigned top = blockIdx.x / tiles_w % tiles_h * TILE_H, left = blockIdx.x % tiles_w * TILE_W;
    Window first_row(top, u.up_h, u.down_h, u.pad_h), first_column(left, u.up_w, u.down_w, u.pad_w);
    x += plane * u.in_h * u.in_w;

    unsigned patch_h = ((TILE_H - 1) * u.down_h + u.taps_h + u.up_h - 1) / u.up_h;
    unsigned patch_w = ((TILE_W - 1) * u.down_w + u.taps_w + u.up_w - 1) / u.up_w;
    for (unsigned i = threadIdx.x; i < patch_h * patch_w; i += blockDim.x) {
        unsigned r = i / patch_w, c = i % patch_w;
        unsigned iy = (unsigned)first_row.pixel + r, ix = (unsigned)first_column.pixel + c;
        patch[r][c] = iy < u.in_h && ix < u.in_w ? to_float(x[iy * u.in_w + ix]) : 0.0f;
    }
    for (unsigned i = threadIdx.x; i < u.taps_h * u.taps_w; i += blockDim.x) filter[i] = taps[i];
    __syncthreads();

    unsigned j = left + threadIdx.x % TILE_W;
    Window columns(j, u.up_w, u.down_w, u.pad_w);
    unsigned first_c = (unsigned)(columns.pixel - first_column.pixel);
    for (unsigned i = top + threadIdx.x / TILE_W; i < top + TILE_H; i += blockDim.x / TILE_W) {
        if (i >= u.out_h || j >= u.out_w) continue;
        Window rows(i, u.up_h, u.down_h, u.pad_h);
        unsigned first_r = (unsigned)(rows.pixel - first_row.pixel);
        float sum = 0.0f;
        for (unsigned a = rows.tap, r = first_r; a < u.taps_h; a += u.up_h, ++r) {
            for (unsigned b = columns.tap, c = first_c; b < u.taps_w; b += u.up_w, ++c) {
                sum += filter[a * u.taps_w + b] * patch[r][c];
            }
        }
        store(&y[(plane * u.out_h + i) * u.out_w + j], sum);
    }
}

#define UPFIRDN(T, S)                                                                                    \
    GAN_KERNEL upfirdn_##S(const T* x, const float* taps, T* y, unsigned n, UpFirDn u) {                 \
        upfirdn(x, taps, y, n, u);                                                                       \
    }                                                                                                    \
    GAN_KERNEL upfirdn_tile_##S(const T* x, const float* taps, T* y, unsigned planes, UpFirDn u) {       \
        upfirdn_tile(x, taps, y, u);                                                                     \
    }                                                                                                    \
    GAN_REGISTER(upfirdn_##S)                                                                            \
    GAN_REGISTER(upfirdn_tile_##S)

GAN_EACH_TYPE(UPFIRDN)
