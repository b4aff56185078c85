// Conversions to and from 16-bit floats, to nearest even, as the hardware's.
#include "emul.h"

#include <algorithm>

namespace emul {

float f16_to_float(uint16_t bits) {
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
    if (exponent == 31) return bits_to_float(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * std::ldexp(static_cast<float>(mantissa), -24);
    return bits_to_float(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t f16_bits(float x) {
    uint16_t sign = float_to_bits(x) >> 16 & 0x8000;
    if (std::isnan(x)) return 0x7fff;
    float magnitude = std::fabs(x);
    // Halfway between the largest and the power of two that there is no room for.
    if (magnitude >= 65520.0f) return sign | 0x7c00;
    int exponent = std::max(std::ilogb(magnitude == 0.0f ? 1e-30f : magnitude), -14);
    // In units of the last place; `nearbyint` rounds to even. A carry into the next exponent is right as it is.
    auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
    return sign | static_cast<uint16_t>(((exponent + 14) << 10) + units);
}

uint16_t bf16_bits(float x) {
    uint32_t bits = float_to_bits(x);
    if (std::isnan(x)) return 0x7fff;
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

}  // namespace emul
