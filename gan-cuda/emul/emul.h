// The CUDA words that the kernels use, in C++: a kernel file compiled with GAN_EMUL is an ordinary translation unit.
//
// The threads of a block are fibers of one thread of the host, run in an order that a schedule chooses; barriers and
// warp operations are where they change. So it is the logic that this tests (indices, barriers, waits, order of
// summation), never timing or the memory model.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define GAN_KERNEL extern "C" void
#define GAN_STRUCT(type) const type
#define GAN_REGISTER(name) static const emul::Registration registered_##name(#name, name);
// Arrays of a block live in an arena that is poisoned before each block, so that reading what nobody wrote shows.
#define GAN_SHARED(type, name, dims)    \
    using name##_shared = type dims;    \
    static char name##_key;             \
    auto& name = *static_cast<name##_shared*>(emul::shared(&name##_key, sizeof(name##_shared)))

namespace emul {

struct Index {
    unsigned x, y, z;
};

/// Of the fiber that runs.
extern thread_local Index thread, block, block_size, grid_size;

void* shared(const void* key, size_t bytes);
void barrier(const char* file, int line);
/// The value of another lane, once all lanes of `mask` have come to this place.
uint32_t exchange(unsigned mask, uint32_t value, unsigned from, const char* file, int line);
unsigned lane();

void copy_async(void* to, const void* from, size_t bytes, bool inside);
void end_copy_group();
void wait_for_copies(size_t under_way);

inline float bits_to_float(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline uint32_t float_to_bits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

float f16_to_float(uint16_t bits);
uint16_t f16_bits(float x);
uint16_t bf16_bits(float x);

inline float shuffle_down(unsigned mask, float value, unsigned distance, const char* file, int line) {
    // As on a GPU, lanes that have no partner keep their own value.
    unsigned from = lane() + distance < 32 ? lane() + distance : lane();
    return bits_to_float(exchange(mask, float_to_bits(value), from, file, line));
}

/// A kernel with its arguments' sizes, and a way to call it as `cuLaunchKernel` does: by an array of pointers to
/// arguments.
struct Kernel {
    const char* name;
    void (*function)();
    void (*call)(void (*function)(), void** args);
    std::vector<size_t> sizes;
};

/// Adds a kernel to those that can be found.
struct Registration {
    template <class... A>
    Registration(const char* name, void (*kernel)(A...)) {
        add({name, reinterpret_cast<void (*)()>(kernel), call<A...>, {sizeof(A)...}});
    }

private:
    static void add(Kernel kernel);

    template <class... A>
    static void call(void (*function)(), void** args) {
        spread<A...>(function, args, std::index_sequence_for<A...>{});
    }

    template <class... A, size_t... I>
    static void spread(void (*function)(), void** args, std::index_sequence<I...>) {
        reinterpret_cast<void (*)(A...)>(function)(*static_cast<A*>(args[I])...);
    }
};

}  // namespace emul

#define threadIdx emul::thread
#define blockIdx emul::block
#define blockDim emul::block_size
#define gridDim emul::grid_size
#define __syncthreads() emul::barrier(__FILE__, __LINE__)
#define __shfl_down_sync(mask, value, distance) emul::shuffle_down(mask, value, distance, __FILE__, __LINE__)
#define __uint_as_float(bits) emul::bits_to_float(bits)
