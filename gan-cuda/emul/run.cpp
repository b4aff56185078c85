#include "run.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <numeric>

#include "fiber.h"

namespace emul {

thread_local Index thread, block, block_size, grid_size;

namespace {

// Not a power of two, whose stacks would all compete for the same lines of the cache.
constexpr size_t STACK_BYTES = (64 << 10) + 320;
constexpr size_t SHARED_BYTES = 48 << 10;
constexpr int POISON = 0xff;

enum class Wait { NOTHING, BARRIER, WARP, END };

/// A copy that has been started.
struct Copy {
    void* to;
    const void* from;
    size_t bytes;
    bool inside;
    size_t group;
};

/// A thread of the block.
struct Fiber {
    Context context;
    Wait wait;
    const char* file;
    int line;
    unsigned mask;
    /// Exchanges so far; their values use two places in turn, as a lane may be one exchange ahead of another.
    unsigned exchanges;
    std::vector<Copy> copies;
    size_t groups;
};

/// The block that runs.
struct Block {
    const Kernel* kernel = nullptr;
    void** args = nullptr;
    std::vector<Fiber> fibers;
    std::vector<uint32_t> exchanged[2];
    std::unique_ptr<char[]> stacks;
    size_t stack_count = 0;
    Context scheduler;
    unsigned running = 0;
    std::unique_ptr<char[]> shared{new char[SHARED_BYTES]};
    size_t shared_used = 0;
    std::map<const void*, char*> shared_arrays;
    Fault fault;
    sigjmp_buf escape;
    bool in_kernel = false;
};

/// What this thread of the host runs. A pointer, since thread-local storage that is cheap to reach is scarce in a
/// library.
thread_local Block* the = nullptr;

/// Blocks between launches: their stacks are used again.
std::mutex spare_mutex;
std::vector<std::unique_ptr<Block>> spare;

std::unique_ptr<Block> take_block() {
    std::lock_guard<std::mutex> lock(spare_mutex);
    if (spare.empty()) return std::make_unique<Block>();
    std::unique_ptr<Block> block = std::move(spare.back());
    spare.pop_back();
    return block;
}

void give_back(std::unique_ptr<Block> block) {
    std::lock_guard<std::mutex> lock(spare_mutex);
    spare.push_back(std::move(block));
}

std::string here(const char* file, int line) {
    std::string path = file;
    return path.substr(path.rfind('/') + 1) + ":" + std::to_string(line);
}

Fiber& self() {
    return the->fibers[the->running];
}

void yield() {
    self().context.switch_to(the->scheduler);
}

/// Ends the launch from within a fiber.
[[noreturn]] void fail(Fault::Kind kind, const std::string& what) {
    the->fault = {kind, "thread " + std::to_string(thread.x) + " of block " + std::to_string(block.x) + ": " + what};
    the->in_kernel = false;
    for (;;) yield();
}

void entry() {
    the->kernel->call(the->kernel->function, the->args);
    if (!self().copies.empty()) fail(Fault::HANG, "ends with copies that it has not waited for");
    self().wait = Wait::END;
    for (;;) yield();
}

/// Lets fibers run until all of them wait, each round in the order of the schedule.
bool run_ready(std::vector<unsigned>& order, const Schedule& schedule, std::minstd_rand& random) {
    bool progress = false;
    if (schedule.order == Schedule::RANDOM) std::shuffle(order.begin(), order.end(), random);
    for (unsigned t : order) {
        if (the->fibers[t].wait != Wait::NOTHING) continue;
        progress = true;
        the->running = t;
        thread = {t, 0, 0};
        the->scheduler.switch_to(self().context);
        if (the->fault.kind != Fault::NONE) return false;
    }
    return progress;
}

/// Lets every warp go on of which all lanes that an operation names have come to it.
bool release_warps() {
    bool progress = false;
    for (size_t t = 0; t < the->fibers.size(); ++t) {
        const Fiber& first = the->fibers[t];
        if (first.wait != Wait::WARP) continue;
        size_t start = t / 32 * 32;
        unsigned mask = first.mask;
        bool met = true;
        for (unsigned i = 0; i < 32; ++i) {
            if (!(mask >> i & 1)) continue;
            const Fiber* other = start + i < the->fibers.size() ? &the->fibers[start + i] : nullptr;
            met = met && other && other->wait == Wait::WARP && other->mask == mask && other->line == first.line &&
                  other->file == first.file && other->exchanges == first.exchanges;
        }
        if (!met) continue;
        progress = true;
        for (unsigned i = 0; i < 32; ++i) {
            if (mask >> i & 1) the->fibers[start + i].wait = Wait::NOTHING;
        }
    }
    return progress;
}

/// Lets the block go on if all its threads have come to the same barrier.
bool release_barrier() {
    const Fiber& first = the->fibers[0];
    for (const Fiber& f : the->fibers) {
        if (f.wait != Wait::BARRIER || f.line != first.line || f.file != first.file) return false;
    }
    for (Fiber& f : the->fibers) f.wait = Wait::NOTHING;
    return true;
}

/// Names a thread that waits in vain, and one that does not come.
std::string hang() {
    auto waits = [](const Fiber& f) { return f.wait != Wait::END; };
    const Fiber& first = *std::find_if(the->fibers.begin(), the->fibers.end(), waits);
    auto differs = [&](const Fiber& f) { return f.wait != first.wait || f.line != first.line || f.file != first.file; };
    auto other = std::find_if(the->fibers.begin(), the->fibers.end(), differs);
    std::string what = "hangs: thread " + std::to_string(&first - the->fibers.data()) + " of block " +
                       std::to_string(block.x) + " waits at " + here(first.file, first.line);
    if (other == the->fibers.end()) return what + " for lanes that do not exist";
    what += ", thread " + std::to_string(other - the->fibers.begin());
    return what + (other->wait == Wait::END ? " has ended" : " waits at " + here(other->file, other->line));
}

void run_block(const Schedule& schedule, std::minstd_rand& random) {
    size_t threads = the->fibers.size();
    std::memset(the->shared.get(), POISON, std::max(the->shared_used, size_t{1}));
    the->shared_used = 0;
    the->shared_arrays.clear();
    for (size_t t = 0; t < threads; ++t) {
        Fiber& f = the->fibers[t];
        f.wait = Wait::NOTHING;
        f.exchanges = 0;
        f.copies.clear();
        f.groups = 0;
        f.context.prepare(the->stacks.get() + t * STACK_BYTES, STACK_BYTES, entry);
    }
    std::vector<unsigned> order(threads);
    std::iota(order.begin(), order.end(), 0u);
    if (schedule.order == Schedule::REVERSE) std::reverse(order.begin(), order.end());
    for (;;) {
        if (run_ready(order, schedule, random)) continue;
        if (the->fault.kind != Fault::NONE) return;
        auto ended = [](const Fiber& f) { return f.wait == Wait::END; };
        if (std::all_of(the->fibers.begin(), the->fibers.end(), ended)) return;
        bool warps = release_warps(), all = release_barrier();
        if (!warps && !all) {
            the->fault = {Fault::HANG, hang()};
            return;
        }
    }
}

struct sigaction previous[2];
constexpr int SIGNALS[2] = {SIGSEGV, SIGILL};

/// A kernel that leaves its memory ends its launch; for anybody else the signal is what it was.
void on_signal(int signal, siginfo_t* info, void*) {
    if (the && the->in_kernel) {
        the->in_kernel = false;
        the->fault = {signal == SIGSEGV ? Fault::ADDRESS : Fault::ALIGNMENT, ""};
        siglongjmp(the->escape, 1);
    }
    // Nobody else's signal is ours: the handler before gets it when the instruction runs again.
    (void)info;
    for (size_t i = 0; i < 2; ++i) {
        if (SIGNALS[i] == signal) sigaction(signal, &previous[i], nullptr);
    }
}

void catch_signals() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (size_t i = 0; i < 2; ++i) sigaction(SIGNALS[i], &action, &previous[i]);
    });
}

std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

}  // namespace

void Registration::add(Kernel kernel) {
    kernels().emplace(kernel.name, kernel);
}

const Kernel* find(const std::string& name) {
    auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second;
}

Fault run(const Kernel& kernel, Index grid, Index block_dim, void** args, Schedule schedule) {
    catch_signals();
    std::minstd_rand random(static_cast<unsigned>(schedule.seed));
    std::unique_ptr<Block> owner = take_block();
    the = owner.get();
    the->kernel = &kernel;
    the->args = args;
    the->fault = {};
    the->shared_used = SHARED_BYTES;
    grid_size = grid;
    block_size = block_dim;
    the->fibers.resize(block_dim.x);
    for (auto& values : the->exchanged) values.assign(block_dim.x, 0);
    if (the->stack_count < block_dim.x) {
        the->stacks.reset(new char[block_dim.x * STACK_BYTES]);
        the->stack_count = block_dim.x;
    }
    std::vector<unsigned> blocks(grid.x);
    std::iota(blocks.begin(), blocks.end(), 0u);
    if (schedule.order == Schedule::REVERSE) std::reverse(blocks.begin(), blocks.end());
    if (schedule.order == Schedule::RANDOM) std::shuffle(blocks.begin(), blocks.end(), random);
    if (sigsetjmp(the->escape, 1) == 0) {
        the->in_kernel = true;
        for (unsigned b : blocks) {
            block = {b, 0, 0};
            run_block(schedule, random);
            if (the->fault.kind != Fault::NONE) break;
        }
    } else {
        the->fault.what = "thread " + std::to_string(thread.x) + " of block " + std::to_string(block.x) +
                         (the->fault.kind == Fault::ADDRESS ? ": illegal address"
                                                           : ": misaligned address, or an array's end was passed");
    }
    the->in_kernel = false;
    Fault fault = the->fault;
    the = nullptr;
    give_back(std::move(owner));
    return fault;
}

void* shared(const void* key, size_t bytes) {
    char*& array = the->shared_arrays[key];
    if (!array) {
        if (the->shared_used + bytes > SHARED_BYTES) fail(Fault::HANG, "too much shared memory");
        array = the->shared.get() + the->shared_used;
        the->shared_used += (bytes + 15) / 16 * 16;
    }
    return array;
}

void barrier(const char* file, int line) {
    Fiber& f = self();
    f.wait = Wait::BARRIER;
    f.file = file;
    f.line = line;
    yield();
}

unsigned lane() {
    return the->running % 32;
}

uint32_t exchange(unsigned mask, uint32_t value, unsigned from, const char* file, int line) {
    Fiber& f = self();
    if (!(mask >> lane() & 1)) fail(Fault::HANG, "is not in the mask of its own warp operation at " + here(file, line));
    std::vector<uint32_t>& values = the->exchanged[f.exchanges % 2];
    ++f.exchanges;
    values[the->running] = value;
    f.wait = Wait::WARP;
    f.file = file;
    f.line = line;
    f.mask = mask;
    yield();
    // What a lane outside the mask holds is undefined.
    return mask >> from & 1 ? values[the->running / 32 * 32 + from] : ~0u;
}

void copy_async(void* to, const void* from, size_t bytes, bool inside) {
    std::memset(to, POISON, bytes);
    self().copies.push_back({to, from, bytes, inside, self().groups});
}

void end_copy_group() {
    ++self().groups;
}

void wait_for_copies(size_t under_way) {
    Fiber& f = self();
    auto landed = [&](const Copy& c) { return c.group + under_way < f.groups; };
    for (const Copy& c : f.copies) {
        if (!landed(c)) continue;
        if (c.inside) std::memcpy(c.to, c.from, c.bytes);
        else std::memset(c.to, 0, c.bytes);
    }
    f.copies.erase(std::remove_if(f.copies.begin(), f.copies.end(), landed), f.copies.end());
}

}  // namespace emul
