// Products of batches of matrices, by tiles of 16 x 16 in shared memory.
#include "gan_common.cuh"
#include "async_copy.cuh"

constexpr unsigned TILE = 16;

/// Both operands' tiles of one step; the padding keeps threads of a column in different banks.
template <class T>
struct Tiles {
    T a[TILE][TILE + 1];
    T b[TILE][TILE + 1];
};

/// Starts to copy `tile[r][c] = x[row + r][column + c]` of a matrix of `rows x columns`, which may be stored
/// transposed.
template <class T>
__device__ inline void start_tile(T (&tile)[TILE][TILE + 1], const T* x, unsigned row, unsigned column, unsigned rows,
                                  unsigned columns, int transposed) {
    unsigned slow = threadIdx.x / TILE, fast = threadIdx.x % TILE;
    // Neighbouring threads read neighbours in memory.
    unsigned r = transposed ? fast : slow, c = transposed ? slow : fast;
    bool inside = row + r < rows && column + c < columns;
    unsigned at = transposed ? (column + c) * rows + row + r : (row + r) * columns + column + c;
    copy_async(&tile[r][c], x + (inside ? at : 0), inside);
}

template <class T>
__device__ void matmul(const T* a, const T* b, T* y, unsigned m, unsigned n, unsigned k, int trans_a, int trans_b) {
    GAN_SHARED(Tiles<T>, tiles, [2]);
    unsigned tiles_m = (m + TILE - 1) / TILE, tiles_n = (n + TILE - 1) / TILE;
    unsigned batch = blockIdx.x / tiles_n / tiles_m;
    unsigned row = blockIdx.x / tiles_n % tiles_m * TILE, column = blockIdx.x % tiles_n * TILE;
    a += batch * m * k;
    b += batch * k * n;
    y += batch * m * n;

    unsigned r = threadIdx.x / TILE, c = threadIdx.x % TILE;
    unsigned steps = (k + TILE - 1) / TILE;
    float sum = 0.0f;
    // While one pair of tiles is multiplied, the next is on its way.
    start_tile(tiles[0].a, a, row, 0, m, k, trans_a);
    start_tile(tiles[0].b, b, 0, column, k, n, trans_b);
    end_copy_group();
    for (unsigned step = 0; step < steps; ++step) {
        if (step + 1 < steps) {
            Tiles<T>& next = tiles[(step + 1) % 2];
            start_tile(next.a, a, row, (step + 1) * TILE, m, k, trans_a);
            start_tile(next.b, b, (step + 1) * TILE, column, k, n, trans_b);
        }
        end_copy_group();
        wait_for_copies<1>();
        __syncthreads();
        const Tiles<T>& now = tiles[step % 2];
        for (unsigned i = 0; i < TILE; ++i) sum += to_float(now.a[r][i]) * to_float(now.b[i][c]);
        // The step after the next writes over what is read here.
        __syncthreads();
    }
    if (row + r < m && column + c < n) store(&y[(row + r) * n + column + c], sum);
}

#define MATMUL(T, S)                                                                                                 \
    GAN_KERNEL matmul_##S(const T* a, const T* b, T* y, unsigned batch, unsigned m, unsigned n, unsigned k,          \
                          int trans_a, int trans_b) {                                                                \
        matmul(a, b, y, m, n, k, trans_a, trans_b);                                                                  \
    }                                                                                                                \
    GAN_REGISTER(matmul_##S)

GAN_EACH_TYPE(MATMUL)
