// Counts what runs: trips of every loop and multiplications of every group, by process.
#ifndef CODESIGN_COUNTERS_HPP
#define CODESIGN_COUNTERS_HPP

#include <map>
#include <string>

namespace codesign {

inline std::map<std::string, long long>& counters() {
    static std::map<std::string, long long> all;
    return all;
}

inline void count(const char* process, const char* what) {
    ++counters()[std::string(process) + " " + what];
}

}  // namespace codesign

#endif
