#include "options.h"

#include <cstdlib>
#include <map>
#include <mutex>

namespace options {

namespace {

std::mutex mutex;
std::map<std::string, std::string> overrides;

std::string value(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = overrides.find(name);
    if (found != overrides.end()) return found->second;
    const char* text = std::getenv(name.c_str());
    return text ? text : "";
}

}  // namespace

void set(const std::string& name, const char* value) {
    std::lock_guard<std::mutex> lock(mutex);
    if (value) overrides[name] = value;
    else overrides.erase(name);
}

int devices() {
    std::string text = value("GAN_EMUL_DEVICES");
    return text.empty() ? 2 : std::atoi(text.c_str());
}

size_t memory() {
    std::string text = value("GAN_EMUL_MEMORY");
    return text.empty() ? size_t{4} << 30 : std::strtoull(text.c_str(), nullptr, 10);
}

int version() {
    std::string text = value("GAN_EMUL_VERSION");
    return text.empty() ? 13000 : std::atoi(text.c_str());
}

emul::Schedule schedule() {
    std::string text = value("GAN_EMUL_SCHEDULE");
    if (text == "reverse") return {emul::Schedule::REVERSE, 1};
    if (text.rfind("random", 0) != 0) return {emul::Schedule::FORWARD, 1};
    size_t colon = text.find(':');
    return {emul::Schedule::RANDOM, colon == std::string::npos ? 1 : std::strtoull(&text[colon + 1], nullptr, 10)};
}

int fault(const std::string& name) {
    std::string text = "," + value("GAN_EMUL_FAULT");
    size_t found = text.find("," + name + "=");
    return found == std::string::npos ? 0 : std::atoi(&text[found + name.size() + 2]);
}

}  // namespace options
