// What a test may ask of the stand-in driver, by environment variables or by `gan_emul_set`, which goes before them.
#pragma once

#include <string>

#include "run.h"

namespace options {

/// GAN_EMUL_DEVICES: how many there are; 2 unless told.
int devices();
/// GAN_EMUL_MEMORY: bytes of each; 4 GiB unless told.
size_t memory();
/// GAN_EMUL_VERSION: what the driver says of itself, 13000 unless told.
int version();
/// GAN_EMUL_SCHEDULE: `forward`, `reverse`, `random` or `random:SEED`.
emul::Schedule schedule();
/// GAN_EMUL_FAULT: `name=code,...`. A driver function of that name returns the code; a kernel of that name leaves its
/// context with it.
int fault(const std::string& name);

void set(const std::string& name, const char* value);

}  // namespace options
