#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace {

constexpr size_t PAGE = 4096, ALIGNMENT = 16;
constexpr int POISON = 0xff;

size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

bool poisoned(const char* from, size_t bytes) {
    // All alike, and the first as it should be.
    return bytes == 0 || (static_cast<unsigned char>(*from) == POISON && std::memcmp(from, from + 1, bytes - 1) == 0);
}

}  // namespace

void* Memory::allocate(int device, size_t bytes) {
    size_t rounded = round_up(std::max(bytes, size_t{1}), ALIGNMENT), page_bytes = round_up(rounded, PAGE);
    if (bytes > (size_t{1} << 46)) return nullptr;
    // An inaccessible page on either side.
    void* mapped = mmap(nullptr, page_bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* pages = static_cast<char*>(mapped) + PAGE;
    if (mprotect(pages, page_bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapped, page_bytes + 2 * PAGE);
        return nullptr;
    }
    std::memset(pages, POISON, page_bytes);
    char* start = pages + page_bytes - rounded;
    std::lock_guard<std::mutex> lock(mutex);
    all[reinterpret_cast<uint64_t>(start)] = {device, bytes, pages, page_bytes};
    in_use[device] += bytes;
    return start;
}

bool Memory::free(uint64_t address) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = all.find(address);
    if (found == all.end()) return false;
    munmap(found->second.pages - PAGE, found->second.page_bytes + 2 * PAGE);
    in_use[found->second.device] -= found->second.bytes;
    all.erase(found);
    return true;
}

const Memory::Allocation* Memory::find(uint64_t address) {
    auto after = all.upper_bound(address);
    if (after == all.begin()) return nullptr;
    --after;
    return address < after->first + after->second.bytes ? &after->second : nullptr;
}

bool Memory::contains(uint64_t address, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    auto after = all.upper_bound(address);
    if (after == all.begin()) return false;
    --after;
    return address - after->first <= after->second.bytes && bytes <= after->second.bytes - (address - after->first);
}

int Memory::device_of(uint64_t address) {
    std::lock_guard<std::mutex> lock(mutex);
    const Allocation* found = find(address);
    return found ? found->device : -1;
}

size_t Memory::used(int device) {
    std::lock_guard<std::mutex> lock(mutex);
    return in_use[device];
}

std::string Memory::damage(int device) {
    std::lock_guard<std::mutex> lock(mutex);
    std::string what;
    for (const auto& [address, a] : all) {
        if (a.device != device) continue;
        char* start = reinterpret_cast<char*>(address);
        size_t before = start - a.pages, after = a.page_bytes - before - a.bytes;
        bool intact_before = poisoned(a.pages, before), intact_after = poisoned(start + a.bytes, after);
        if (intact_before && intact_after) continue;
        what = std::string("a write ") + (intact_before ? "after" : "before") + " an allocation of " +
               std::to_string(a.bytes) + " bytes";
        std::memset(a.pages, POISON, before);
        std::memset(start + a.bytes, POISON, after);
    }
    return what;
}
