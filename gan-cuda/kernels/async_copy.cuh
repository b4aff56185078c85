// Copies from global to shared memory that go on while the thread computes (cp.async, from sm_80 on).
//
// A thread's copies form groups; one is there for that thread once it has waited, and for its block after a barrier
// too. The emulator carries a copy out only when it is waited for, so that a missing wait shows.
#pragma once

#ifdef GAN_EMUL
inline void copy_async(float* shared, const float* global, bool inside) {
    emul::copy_async(shared, global, sizeof(float), inside);
}

inline void end_copy_group() {
    emul::end_copy_group();
}

template <int N>
inline void wait_for_copies() {
    emul::wait_for_copies(N);
}
#else
/// Zero where not `inside`; then `global` is not read.
__device__ inline void copy_async(float* shared, const float* global, bool inside) {
    unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(global), "r"(inside ? 4 : 0) : "memory");
}

/// All copies since the last call are one group.
__device__ inline void end_copy_group() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most the `N` youngest groups are under way.
template <int N>
__device__ inline void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
#endif

/// Two bytes are too few for the hardware: an ordinary copy, which needs the barrier alone.
template <class T>
__device__ inline void copy_async(T* shared, const T* global, bool inside) {
    static_assert(sizeof(T) == 2, "an asynchronous copy has at least four bytes");
    *shared = inside ? *global : T{0};
}
