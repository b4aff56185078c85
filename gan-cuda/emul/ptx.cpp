#include "ptx.h"

#include <cstdlib>

namespace {

/// Bytes of `.param .u64 name` or `.param .align 4 .b8 name[68]`.
size_t bytes(const std::string& line) {
    size_t bracket = line.find('[');
    if (bracket != std::string::npos) return std::strtoul(&line[bracket + 1], nullptr, 10);
    size_t type = line.find('.', line.find(".param") + 1);
    return type == std::string::npos ? 0 : std::strtoul(&line[type + 2], nullptr, 10) / 8;
}

}  // namespace

std::map<std::string, Entry> parse_ptx(const std::string& text) {
    std::map<std::string, Entry> entries;
    Entry* entry = nullptr;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find('\n', at), text.size());
        std::string line = text.substr(at, end - at);
        at = end + 1;
        if (size_t found = line.find(".entry "); found != std::string::npos) {
            std::string rest = line.substr(found + 7);
            entry = &entries[rest.substr(0, rest.find('('))];
        } else if (!entry || line == "{") {
            entry = nullptr;
        } else if (line.find(".param") != std::string::npos) {
            entry->sizes.push_back(bytes(line));
        } else if (line.rfind(".maxntid", 0) == 0) {
            entry->max_threads = static_cast<unsigned>(std::strtoul(&line[9], nullptr, 10));
        }
    }
    return entries;
}
