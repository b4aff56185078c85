// A stand-in for libcuda.so.1: the driver functions that gan-cuda and cudarc call, over host memory and the emulator.
//
// Every call is done when it returns, so streams and events are only handles. A kernel's mistake leaves its context
// with an error that every later call returns, as on a GPU. Nothing here is a measure of anything that a GPU does.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "memory.h"
#include "options.h"
#include "ptx.h"
#include "run.h"

namespace {

enum Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX_VERSION = 222,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
    MISALIGNED_ADDRESS = 716,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
};

const std::map<int, const char*> NAMES = {
    {SUCCESS, "CUDA_SUCCESS"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX"},
    {UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"},
};

struct Context {
    int device;
    /// What a kernel left: every later call returns it.
    int sticky = SUCCESS;
};

struct Stream {
    Context* context;
};

struct Event {
    std::chrono::steady_clock::time_point at;
};

struct Function {
    const emul::Kernel* kernel;
    Entry entry;
};

struct Module {
    std::map<std::string, Entry> entries;
    std::map<std::string, Function> functions;
};

std::mutex mutex;
bool initialized = false;
std::map<int, Context> contexts;
std::map<std::string, uint64_t> launches;
std::string last_message;
Memory memory;
thread_local Context* current = nullptr;

void report(const std::string& what) {
    std::lock_guard<std::mutex> lock(mutex);
    last_message = what;
    std::fprintf(stderr, "stand-in driver: %s\n", what.c_str());
}

/// Result of a call that needs no context.
int ready(const char* function) {
    if (int code = options::fault(function)) return code;
    return initialized ? SUCCESS : NOT_INITIALIZED;
}

/// Result of a call that needs one.
int usable(const char* function) {
    if (int code = ready(function)) return code;
    return current ? current->sticky : INVALID_CONTEXT;
}

int allocate(uint64_t* address, size_t bytes) {
    if (bytes == 0) return INVALID_VALUE;
    size_t used = memory.used(current->device), total = options::memory();
    if (used > total || bytes > total - used) return OUT_OF_MEMORY;
    void* start = memory.allocate(current->device, bytes);
    *address = reinterpret_cast<uint64_t>(start);
    return start ? SUCCESS : OUT_OF_MEMORY;
}

int copy(uint64_t to, uint64_t from, size_t bytes, bool to_device, bool from_device) {
    if (to_device && !memory.contains(to, bytes)) return INVALID_VALUE;
    if (from_device && !memory.contains(from, bytes)) return INVALID_VALUE;
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    return SUCCESS;
}

/// Kernels see nothing of other devices' memory.
bool foreign_pointer(const Entry& entry, void** args) {
    for (size_t i = 0; i < entry.sizes.size(); ++i) {
        uint64_t value = 0;
        if (entry.sizes[i] != sizeof value) continue;
        std::memcpy(&value, args[i], sizeof value);
        int device = memory.device_of(value);
        if (device != -1 && device != current->device) return true;
    }
    return false;
}

int code_of(emul::Fault::Kind kind) {
    switch (kind) {
        case emul::Fault::NONE: return SUCCESS;
        case emul::Fault::ADDRESS: return ILLEGAL_ADDRESS;
        case emul::Fault::ALIGNMENT: return MISALIGNED_ADDRESS;
        default: return LAUNCH_FAILED;
    }
}

/// Runs a kernel and looks whether it kept to its memory.
int execute(const emul::Kernel& kernel, unsigned grid, unsigned block, void** args, emul::Schedule schedule, int device,
            std::string& what) {
    emul::Fault fault = emul::run(kernel, {grid, 1, 1}, {block, 1, 1}, args, schedule);
    if (fault.kind == emul::Fault::NONE) {
        std::string damage = memory.damage(device);
        if (!damage.empty()) fault = {emul::Fault::ADDRESS, damage};
    }
    if (fault.kind != emul::Fault::NONE) what = std::string(kernel.name) + ": " + fault.what;
    return code_of(fault.kind);
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int
#define READY                                  \
    if (int code = ready(__func__)) return code
#define USABLE                                  \
    if (int code = usable(__func__)) return code

// Errors, version, devices.

API cuInit(unsigned) {
    if (int code = options::fault(__func__)) return code;
    if (options::devices() <= 0) return NO_DEVICE;
    initialized = true;
    return SUCCESS;
}

API cuGetErrorName(int code, const char** text) {
    auto found = NAMES.find(code);
    *text = found == NAMES.end() ? nullptr : found->second;
    return found == NAMES.end() ? INVALID_VALUE : SUCCESS;
}

API cuGetErrorString(int code, const char** text) {
    return cuGetErrorName(code, text);
}

API cuDriverGetVersion(int* version) {
    if (int code = options::fault(__func__)) return code;
    *version = options::version();
    return SUCCESS;
}

API cuDeviceGetCount(int* count) {
    READY;
    *count = options::devices();
    return SUCCESS;
}

API cuDeviceGet(int* device, int ordinal) {
    READY;
    if (ordinal < 0 || ordinal >= options::devices()) return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}

API cuDeviceGetName(char* name, int bytes, int device) {
    READY;
    std::snprintf(name, static_cast<size_t>(bytes), "stand-in %d (emulated on the CPU)", device);
    return SUCCESS;
}

API cuDeviceGetUuid_v2(char* uuid, int device) {
    READY;
    std::memset(uuid, 0, 16);
    uuid[0] = static_cast<char>(device);
    return SUCCESS;
}

API cuDeviceTotalMem_v2(size_t* bytes, int) {
    READY;
    *bytes = options::memory();
    return SUCCESS;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
    READY;
    // Those that differ from zero and that anybody has asked for.
    static const std::map<int, int> values = {
        {1, 1024},        {2, 1024},  {3, 1024}, {4, 64},    {5, 0x7fffffff}, {6, 65535}, {7, 65535}, {8, 48 << 10},
        {10, 32},         {12, 65536}, {13, 1000000}, {16, 4}, {39, 2048},    {41, 1},    {75, 8},    {76, 0},
        {81, 100 << 10},  {97, 99 << 10}, {115, 1},
    };
    auto found = values.find(attribute);
    *value = found == values.end() ? 0 : found->second;
    return SUCCESS;
}

// Contexts.

API cuDevicePrimaryCtxRetain(Context** context, int device) {
    READY;
    if (device < 0 || device >= options::devices()) return INVALID_DEVICE;
    std::lock_guard<std::mutex> lock(mutex);
    *context = &contexts.try_emplace(device, Context{device}).first->second;
    return SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(int) {
    READY;
    return SUCCESS;
}

/// Unlike a real one it leaves memory and modules alone: it only forgets the error.
API cuDevicePrimaryCtxReset_v2(int device) {
    READY;
    std::lock_guard<std::mutex> lock(mutex);
    contexts.try_emplace(device, Context{device}).first->second.sticky = SUCCESS;
    return SUCCESS;
}

API cuCtxSetCurrent(Context* context) {
    READY;
    current = context;
    return SUCCESS;
}

API cuCtxGetCurrent(Context** context) {
    READY;
    *context = current;
    return SUCCESS;
}

API cuCtxGetDevice(int* device) {
    USABLE;
    *device = current->device;
    return SUCCESS;
}

API cuCtxSynchronize() {
    USABLE;
    return SUCCESS;
}

API cuCtxSetFlags(unsigned) {
    USABLE;
    return SUCCESS;
}

// Memory.

API cuMemGetInfo_v2(size_t* free, size_t* total) {
    USABLE;
    size_t used = memory.used(current->device);
    *total = options::memory();
    *free = used < *total ? *total - used : 0;
    return SUCCESS;
}

API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    USABLE;
    return allocate(address, bytes);
}

API cuMemAllocAsync(uint64_t* address, size_t bytes, Stream*) {
    USABLE;
    return allocate(address, bytes);
}

API cuMemAllocFromPoolAsync(uint64_t* address, size_t bytes, void*, Stream*) {
    USABLE;
    return allocate(address, bytes);
}

/// After a kernel's mistake a driver frees nothing, but tests have the memory back.
API cuMemFree_v2(uint64_t address) {
    if (int code = ready(__func__)) return code;
    bool known = address == 0 || memory.free(address);
    USABLE;
    return known ? SUCCESS : INVALID_VALUE;
}

API cuMemFreeAsync(uint64_t address, Stream*) {
    if (int code = ready(__func__)) return code;
    return cuMemFree_v2(address);
}

API cuDeviceGetDefaultMemPool(void** pool, int) {
    READY;
    static char only;
    *pool = &only;
    return SUCCESS;
}

API cuDeviceGetMemPool(void** pool, int device) {
    READY;
    return cuDeviceGetDefaultMemPool(pool, device);
}

API cuMemPoolSetAttribute(void*, int, void*) {
    READY;
    return SUCCESS;
}

API cuMemPoolGetAttribute(void*, int, void* value) {
    READY;
    uint64_t used = current ? memory.used(current->device) : 0;
    std::memcpy(value, &used, sizeof used);
    return SUCCESS;
}

API cuMemPoolTrimTo(void*, size_t) {
    READY;
    return SUCCESS;
}

API cuMemHostAlloc(void** host, size_t bytes, unsigned) {
    USABLE;
    *host = std::malloc(bytes);
    return *host ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFreeHost(void* host) {
    READY;
    std::free(host);
    return SUCCESS;
}

API cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
    USABLE;
    return copy(to, reinterpret_cast<uint64_t>(from), bytes, true, false);
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, Stream*) {
    USABLE;
    return copy(to, reinterpret_cast<uint64_t>(from), bytes, true, false);
}

API cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
    USABLE;
    return copy(reinterpret_cast<uint64_t>(to), from, bytes, false, true);
}

API cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, Stream*) {
    USABLE;
    return copy(reinterpret_cast<uint64_t>(to), from, bytes, false, true);
}

API cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    USABLE;
    return copy(to, from, bytes, true, true);
}

API cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Stream*) {
    USABLE;
    return copy(to, from, bytes, true, true);
}

API cuMemsetD8_v2(uint64_t to, unsigned char value, size_t count) {
    USABLE;
    if (!memory.contains(to, count)) return INVALID_VALUE;
    std::memset(reinterpret_cast<void*>(to), value, count);
    return SUCCESS;
}

API cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, Stream*) {
    USABLE;
    return cuMemsetD8_v2(to, value, count);
}

API cuMemsetD32_v2(uint64_t to, unsigned value, size_t count) {
    USABLE;
    if (!memory.contains(to, count * sizeof value) || to % sizeof value != 0) return INVALID_VALUE;
    std::fill_n(reinterpret_cast<unsigned*>(to), count, value);
    return SUCCESS;
}

API cuMemsetD32Async(uint64_t to, unsigned value, size_t count, Stream*) {
    USABLE;
    return cuMemsetD32_v2(to, value, count);
}

// Streams and events.

API cuStreamCreate(Stream** stream, unsigned) {
    USABLE;
    *stream = new Stream{current};
    return SUCCESS;
}

API cuStreamCreateWithPriority(Stream** stream, unsigned flags, int) {
    USABLE;
    return cuStreamCreate(stream, flags);
}

API cuStreamDestroy_v2(Stream* stream) {
    READY;
    delete stream;
    return SUCCESS;
}

API cuStreamSynchronize(Stream*) {
    USABLE;
    return SUCCESS;
}

API cuStreamQuery(Stream*) {
    USABLE;
    return SUCCESS;
}

API cuStreamWaitEvent(Stream*, Event*, unsigned) {
    USABLE;
    return SUCCESS;
}

API cuStreamIsCapturing(Stream*, int* status) {
    USABLE;
    *status = 0;
    return SUCCESS;
}

API cuEventCreate(Event** event, unsigned) {
    USABLE;
    *event = new Event{};
    return SUCCESS;
}

API cuEventDestroy_v2(Event* event) {
    READY;
    delete event;
    return SUCCESS;
}

API cuEventRecord(Event* event, Stream*) {
    USABLE;
    event->at = std::chrono::steady_clock::now();
    return SUCCESS;
}

API cuEventQuery(Event*) {
    USABLE;
    return SUCCESS;
}

API cuEventSynchronize(Event*) {
    USABLE;
    return SUCCESS;
}

API cuEventElapsedTime_v2(float* milliseconds, Event* from, Event* to) {
    USABLE;
    *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return SUCCESS;
}

API cuEventElapsedTime(float* milliseconds, Event* from, Event* to) {
    USABLE;
    return cuEventElapsedTime_v2(milliseconds, from, to);
}

// Modules and kernels.

API cuModuleLoadData(Module** module, const void* image) {
    USABLE;
    std::string text = static_cast<const char*>(image);
    auto parsed = std::make_unique<Module>();
    parsed->entries = parse_ptx(text);
    if (text.find(".version") == std::string::npos || parsed->entries.empty()) return INVALID_PTX;
    *module = parsed.release();
    return SUCCESS;
}

API cuModuleLoadDataEx(Module** module, const void* image, unsigned, int*, void**) {
    USABLE;
    return cuModuleLoadData(module, image);
}

API cuModuleUnload(Module* module) {
    READY;
    delete module;
    return SUCCESS;
}

API cuModuleGetFunction(Function** function, Module* module, const char* name) {
    USABLE;
    auto entry = module->entries.find(name);
    if (entry == module->entries.end()) return NOT_FOUND;
    const emul::Kernel* kernel = emul::find(name);
    // A driver would run the PTX; this one runs what the sources say, so both must be the same kernel.
    if (!kernel || kernel->sizes != entry->second.sizes) {
        report(std::string(name) + ": the PTX is not that of the sources");
        return INVALID_IMAGE;
    }
    std::lock_guard<std::mutex> lock(mutex);
    *function = &module->functions.try_emplace(name, Function{kernel, entry->second}).first->second;
    return SUCCESS;
}

API cuFuncGetAttribute(int* value, int attribute, Function* function) {
    USABLE;
    *value = attribute == 0 ? static_cast<int>(function->entry.max_threads) : 0;
    return SUCCESS;
}

API cuFuncSetAttribute(Function*, int, int) {
    USABLE;
    return SUCCESS;
}

API cuLaunchKernel(Function* f, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned shared, Stream* stream, void** args, void** extra) {
    USABLE;
    bool sized = grid_x > 0 && grid_x <= 0x7fffffff && block_x > 0 && block_x <= f->entry.max_threads;
    if (!sized || (stream && stream->context != current) || (!args && !f->entry.sizes.empty())) return INVALID_VALUE;
    // The kernels of this library use none of these.
    if (grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1 || shared != 0 || extra) return NOT_SUPPORTED;
    {
        std::lock_guard<std::mutex> lock(mutex);
        ++launches[f->kernel->name];
    }
    int code = options::fault(f->kernel->name);
    std::string what = std::string(f->kernel->name) + ": asked to fail";
    if (code == SUCCESS && foreign_pointer(f->entry, args)) {
        code = ILLEGAL_ADDRESS;
        what = std::string(f->kernel->name) + ": an argument is memory of another device";
    }
    if (code == SUCCESS) code = execute(*f->kernel, grid_x, block_x, args, options::schedule(), current->device, what);
    if (code != SUCCESS) {
        report(what);
        current->sticky = code;
    }
    // As on a GPU, the caller hears of what happens in a kernel from a later call.
    return SUCCESS;
}

// What only tests call.

/// Sets an option of options.h by the name of its environment variable; null goes back to that variable.
API gan_emul_set(const char* name, const char* value) {
    options::set(name, value);
    return SUCCESS;
}

/// Launches so far of a kernel, or of all if null.
extern "C" __attribute__((visibility("default"))) uint64_t gan_emul_launches(const char* kernel) {
    std::lock_guard<std::mutex> lock(mutex);
    if (kernel) return launches[kernel];
    uint64_t sum = 0;
    for (const auto& [name, count] : launches) sum += count;
    return sum;
}

/// Copies what was last reported, with its terminating zero, and returns how long it is without.
extern "C" __attribute__((visibility("default"))) size_t gan_emul_message(char* text, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    std::snprintf(text, bytes, "%s", last_message.c_str());
    return last_message.size();
}

/// Runs a kernel without module or stream, with arguments whose sizes are checked. The order is 0 forward, 1 reverse, 2
/// random.
API gan_emul_launch(const char* name, unsigned grid, unsigned block, void** args, const size_t* sizes, size_t count,
                    int order, uint64_t seed) {
    USABLE;
    const emul::Kernel* kernel = emul::find(name);
    if (!kernel) return NOT_FOUND;
    if (std::vector<size_t>(sizes, sizes + count) != kernel->sizes) {
        report(std::string(name) + ": wrong number or size of arguments");
        return INVALID_VALUE;
    }
    std::string what;
    emul::Schedule schedule{static_cast<emul::Schedule::Order>(order), seed};
    int code = execute(*kernel, grid, block, args, schedule, current->device, what);
    if (code != SUCCESS) report(what);
    return code;
}
