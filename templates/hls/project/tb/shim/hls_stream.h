// A stream for C simulation with g++ alone: an unbounded queue that knows its name.
// Vitis brings its own hls_stream.h; this folder is on g++'s include path only.
#ifndef CODESIGN_HLS_STREAM_H
#define CODESIGN_HLS_STREAM_H

#include <stdio.h>
#include <stdlib.h>

#include <queue>
#include <string>

namespace hls {

template <typename Word>
class stream {
  public:
    stream() : name_("a stream") {}
    explicit stream(const char* name) : name_(name) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() {
        if (!words_.empty()) {
            printf("FAIL: %s still holds %zu unread words\n", name_.c_str(), words_.size());
            fflush(stdout);
            _Exit(1);
        }
    }

    void write(const Word& word) { words_.push(word); }

    Word read() {
        if (words_.empty()) {
            printf("FAIL: %s is read while empty\n", name_.c_str());
            exit(1);
        }
        Word word = words_.front();
        words_.pop();
        return word;
    }

    bool empty() const { return words_.empty(); }

  private:
    std::string name_;
    std::queue<Word> words_;
};

}  // namespace hls

#endif
