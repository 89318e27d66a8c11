// A stream for the timed simulation: bounded, and every word has the time at which it is there.
#ifndef CODESIGN_HLS_STREAM_H
#define CODESIGN_HLS_STREAM_H

#include <queue>

#include "timed.hpp"

namespace hls {

template <typename Word>
class stream {
  public:
    explicit stream(const char* name, size_t depth = 0) : traffic_() {
        traffic_.name = name;
        traffic_.depth = depth;
    }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    void write(const Word& word) {
        if (traffic_.depth) {
            codesign::Process& process = codesign::Simulation::instance().running();
            if (traffic_.writes >= traffic_.depth) {
                const size_t before = traffic_.writes - traffic_.depth;
                while (traffic_.taken.size() <= before) wait("room in ");
                process.not_before(traffic_.taken[before] + 2 - process.latency());
            }
            process.written.push_back(&traffic_);
        }
        ++traffic_.writes;
        words_.push(word);
    }

    Word read() {
        if (traffic_.depth) {
            codesign::Process& process = codesign::Simulation::instance().running();
            while (traffic_.ready.size() <= traffic_.reads) wait("words in ");
            process.not_before(traffic_.ready[traffic_.reads]);
            process.read.push_back(&traffic_);
        } else if (words_.empty()) {
            printf("FAIL: %s is read while empty\n", traffic_.name.c_str());
            exit(1);
        }
        const bool ahead = !traffic_.depth && codesign::Simulation::instance().running().loading;
        ++(ahead ? traffic_.loaded : traffic_.reads);
        Word word = words_.front();
        words_.pop();
        return word;
    }

    bool empty() const { return words_.empty(); }
    const codesign::Traffic& traffic() const { return traffic_; }

  private:
    void wait(const char* what) { codesign::Simulation::instance().wait(what + traffic_.name); }

    codesign::Traffic traffic_;
    std::queue<Word> words_;
};

}  // namespace hls

#endif
