// Processes with clocks of their own, which run side by side and wait for each other.
//
// Every process is a fiber. An iteration starts `ii` cycles after the one before, when the words
// that it reads are there and the streams that it writes have room, whichever is last. Blocking
// reads and writes make a Kahn process network, so the times do not depend on which fiber runs
// first. What stands still for ever is reported with the stream that it waits for.
#ifndef CODESIGN_TIMED_HPP
#define CODESIGN_TIMED_HPP

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace codesign {

typedef long long Cycles;

// The words of one stream: when each could be read, and when each was.
struct Traffic {
    std::string name;
    size_t depth;   // words that it holds; 0 for a port of the accelerator, which never waits
    size_t writes;  // words written, the running iteration's included
    size_t reads;
    size_t loaded;  // words read from a port of the accelerator before the first image
    std::vector<Cycles> ready, taken;  // those of finished iterations

    // The most words held at once. A place is free two cycles after its word was read.
    size_t occupancy() const {
        size_t most = 0, read_before = 0;
        for (size_t n = 0; n < ready.size(); ++n) {
            while (read_before < taken.size() && taken[read_before] < ready[n] - 1) ++read_before;
            most = std::max(most, n + 1 - std::min(read_before, n + 1));
        }
        return most;
    }
};

struct Process {
    std::string name;
    int ii, stages, gap;  // cycles: between iterations, through the pipeline, between frames
    int load_stages, load_gap;  // of loops that run before the first frame, an iteration a cycle
    std::function<void()> frame;
    int frames;
    ucontext_t context;
    std::string waits_for;
    bool done, moved;
    bool started, in_iteration, frame_begins, loading;
    Cycles start, loaded;
    long long trips;
    std::map<std::string, long long> counts, expected;  // of all frames; of one, by the model
    std::map<std::string, long long> once, expected_once;  // before the first frame
    std::vector<Cycles> ends;
    std::vector<Traffic*> read, written;

    void not_before(Cycles time) { start = std::max(start, time); }

    int latency() const { return loading ? load_stages : stages; }

    // A loop that runs before the first frame.
    void start_load() {
        finish_iteration();
        loading = frame_begins = true;
    }

    void begin_load() {
        finish_iteration();
        ++once["loads"];
        start = started ? start + (frame_begins ? load_gap : 1) : 0;
        started = in_iteration = true;
        frame_begins = false;
    }

    void begin_iteration() {
        finish_iteration();
        if (loading) {
            // the clock of the images starts when all weights are in their places
            loaded = start + load_stages;
            loading = started = false;
        }
        ++trips;
        start = started ? start + (frame_begins ? gap : ii) : 0;
        started = in_iteration = true;
        frame_begins = false;
    }

    void finish_iteration() {
        if (!in_iteration) return;
        for (Traffic* traffic : read) traffic->taken.push_back(start);
        for (Traffic* traffic : written) traffic->ready.push_back(start + latency());
        read.clear();
        written.clear();
        in_iteration = false;
        moved = true;
    }

    void run() {
        for (int n = 0; n < frames; ++n) {
            frame_begins = true;
            frame();
            finish_iteration();
            ends.push_back(start + stages);
        }
        counts["trips"] = trips;
        done = true;
    }
};

class Simulation {
  public:
    static Simulation& instance() {
        static Simulation only;
        return only;
    }

    Process& running() { return *running_; }
    const std::deque<Process>& processes() const { return processes_; }

    void add(const char* name, int ii, int stages, int gap, int frames, std::function<void()> frame) {
        processes_.emplace_back();
        Process& process = processes_.back();
        process.name = name;
        process.ii = ii;
        process.stages = stages;
        process.gap = gap;
        process.frame = frame;
        process.frames = frames;
        process.trips = 0;
        process.done = process.started = process.in_iteration = process.loading = false;
        process.load_stages = process.load_gap = 0;
        process.loaded = 0;
        // untouched pages of a stack cost nothing
        void* stack = mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED) {
            printf("FAIL: no memory for the stack of %s\n", name);
            exit(1);
        }
        getcontext(&process.context);
        process.context.uc_stack.ss_sp = stack;
        process.context.uc_stack.ss_size = STACK;
        process.context.uc_link = &scheduler_;
        makecontext(&process.context, &Simulation::enter, 0);
    }

    // Run everything to its end, or until nothing moves.
    void run() {
        bool moved = true;
        while (moved) {
            moved = false;
            for (Process& process : processes_) {
                if (process.done) continue;
                process.moved = false;
                running_ = &process;
                swapcontext(&scheduler_, &process.context);
                moved = moved || process.moved || process.done;
            }
        }
        std::string stuck;
        for (const Process& process : processes_) {
            if (!process.done) stuck += (stuck.empty() ? "" : "; ") + process.name + " waits for " + process.waits_for;
        }
        if (stuck.empty()) return;
        printf("FAIL: deadlock: %s\n", stuck.c_str());
        fflush(stdout);
        _Exit(1);
    }

    Process& process(const std::string& name) {
        for (Process& process : processes_) {
            if (process.name == name) return process;
        }
        printf("FAIL: there is no process %s\n", name.c_str());
        exit(1);
    }

    // When the last weight was in its place; 0 if none is loaded.
    Cycles loaded() const {
        Cycles last = 0;
        for (const Process& process : processes_) last = std::max(last, process.loaded);
        return last;
    }

    // Compare what each process counted with what the model says of one frame.
    void compare_counts() const {
        for (const Process& process : processes_) {
            std::map<std::string, long long> all = process.counts;
            for (const auto& count : process.expected) all[count.first];
            for (const auto& count : all) {
                const auto found = process.expected.find(count.first);
                const long long expected = found == process.expected.end() ? 0 : found->second;
                printf("count %s %lld %s\n", process.name.c_str(), count.second / process.frames, count.first.c_str());
                if (count.second == expected * process.frames) continue;
                printf("FAIL: %s counted %lld %s in %d images, the model says %lld in each\n", process.name.c_str(),
                       count.second, count.first.c_str(), process.frames, expected);
                exit(1);
            }
            all = process.once;
            for (const auto& count : process.expected_once) all[count.first];
            for (const auto& count : all) {
                const auto found = process.expected_once.find(count.first);
                const long long expected = found == process.expected_once.end() ? 0 : found->second;
                printf("once %s %lld %s\n", process.name.c_str(), count.second, count.first.c_str());
                if (count.second == expected) continue;
                printf("FAIL: %s counted %lld %s before the first image, the model says %lld\n", process.name.c_str(),
                       count.second, count.first.c_str(), expected);
                exit(1);
            }
        }
    }

    // Let the others go on; the running process is called again later.
    void wait(const std::string& what) {
        running_->waits_for = what;
        swapcontext(&running_->context, &scheduler_);
    }

  private:
    static const size_t STACK = size_t(1) << 26;

    static void enter() { instance().running().run(); }

    std::deque<Process> processes_;
    Process* running_;
    ucontext_t scheduler_;
};

}  // namespace codesign

#endif
