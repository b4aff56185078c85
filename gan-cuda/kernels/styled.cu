// What a synthesis network computes from its styles, for all layers in one launch each.
//
// Demodulation is `d = 1/sqrt(sum_i W2[o, i] s[i]^2 + eps)` with the weight's squares summed over its taps beforehand,
// which needs a vector for each layer where a modulated weight would need a whole tensor (StyleGAN2, section 2.2).
#include "gan_common.cuh"
#include "reduction.cuh"

/// One layer's demodulation.
struct DemodJob {
    const float* weight2;
    const float* style;
    float* demod;
    unsigned first_row, rows, inputs, style_stride, demod_stride, unused;
};

/// One layer's affine map.
struct AffineJob {
    const float* weight;
    const float* bias;
    const float* x;
    float* y;
    unsigned first_row, rows, inputs, x_stride, y_stride;
    float weight_gain, bias_gain;
    unsigned unused;
};

/// The job that a row belongs to: there are a few dozen, in ascending order.
template <class Job>
__device__ inline const Job& job_of(const Job* jobs, unsigned count, unsigned row) {
    unsigned job = 0;
    while (job + 1 < count && jobs[job + 1].first_row <= row) ++job;
    return jobs[job];
}

/// One warp a row: rows are short, and need neither shared memory nor a barrier.
__device__ inline unsigned warp_index() {
    return global_index() / 32;
}

GAN_KERNEL demod_table_f32(const DemodJob* jobs, unsigned count, unsigned rows, unsigned batch, float epsilon) {
    unsigned row = warp_index(), lane = threadIdx.x % 32;
    if (row >= rows) return;
    const DemodJob& job = job_of(jobs, count, row);
    unsigned r = row - job.first_row;
    const float* weight2 = job.weight2 + r * job.inputs;
    for (unsigned image = 0; image < batch; ++image) {
        const float* style = job.style + image * job.style_stride;
        float sum = 0.0f;
        for (unsigned i = lane; i < job.inputs; i += 32) sum += weight2[i] * (style[i] * style[i]);
        sum = warp_reduce<Sum>(sum);
        if (lane == 0) job.demod[image * job.demod_stride + r] = 1.0f / sqrtf(sum + epsilon);
    }
}

GAN_KERNEL affine_table_f32(const AffineJob* jobs, unsigned count, unsigned rows, unsigned batch) {
    unsigned row = warp_index(), lane = threadIdx.x % 32;
    if (row >= rows) return;
    const AffineJob& job = job_of(jobs, count, row);
    unsigned r = row - job.first_row;
    const float* weight = job.weight + r * job.inputs;
    float bias = job.bias ? job.bias_gain * job.bias[r] : 0.0f;
    for (unsigned image = 0; image < batch; ++image) {
        const float* x = job.x + image * job.x_stride;
        float sum = 0.0f;
        for (unsigned i = lane; i < job.inputs; i += 32) sum += weight[i] * x[i];
        sum = warp_reduce<Sum>(sum);
        if (lane == 0) job.y[image * job.y_stride + r] = job.weight_gain * sum + bias;
    }
}

GAN_REGISTER(demod_table_f32)
GAN_REGISTER(affine_table_f32)
