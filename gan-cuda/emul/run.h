// Runs a kernel on the emulator.
#pragma once

#include <string>

#include "emul.h"

namespace emul {

/// In which order threads and blocks run. A kernel whose result depends on it has a race, and every mistake has an
/// order that hides it: tests use all three.
struct Schedule {
    enum Order { FORWARD, REVERSE, RANDOM } order = FORWARD;
    uint64_t seed = 1;
};

/// What went wrong in a kernel.
struct Fault {
    enum Kind { NONE, ADDRESS, ALIGNMENT, HANG } kind = NONE;
    std::string what;
};

/// The kernel of that name, or null.
const Kernel* find(const std::string& name);

Fault run(const Kernel& kernel, Index grid, Index block, void** args, Schedule schedule);

}  // namespace emul
