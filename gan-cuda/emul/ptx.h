// What a driver has to know of a PTX text: its kernels, their parameters' sizes and their largest block.
#pragma once

#include <map>
#include <string>
#include <vector>

struct Entry {
    std::vector<size_t> sizes;
    unsigned max_threads = 1024;
};

/// The kernels of a PTX text by name; none if it is not PTX.
std::map<std::string, Entry> parse_ptx(const std::string& text);
