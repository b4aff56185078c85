// Device memory that is host memory, laid out so that leaving an allocation shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

/// Each allocation has pages of its own and ends where an inaccessible page begins: a kernel that goes on reading or
/// writing stops there. The few bytes that alignment leaves on either side are poisoned and looked at after every
/// launch. What nobody has written holds NaN.
class Memory {
public:
    /// Null if it cannot be had.
    void* allocate(int device, size_t bytes);
    /// False if there is no such allocation.
    bool free(uint64_t address);
    /// Whether all of these bytes belong to one allocation.
    bool contains(uint64_t address, size_t bytes);
    /// The device of the allocation that an address lies in; -1 for none.
    int device_of(uint64_t address);
    size_t used(int device);
    /// Says where a byte beside an allocation of the device was written since the last call; empty if none was.
    std::string damage(int device);

private:
    struct Allocation {
        int device;
        size_t bytes;
        char* pages;
        size_t page_bytes;
    };

    const Allocation* find(uint64_t address);

    std::mutex mutex;
    std::map<uint64_t, Allocation> all;
    std::map<int, size_t> in_use;
};
