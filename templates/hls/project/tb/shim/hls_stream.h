// A stream for C simulation with g++ alone: an unbounded queue that knows its name.
// Vitis brings its own hls_stream.h; this folder is on g++'s include path only.
#ifndef CODESIGN_HLS_STREAM_H
#define CODESIGN_HLS_STREAM_H

#include <stdio.h>
#include <stdlib.h>

namespace hls {

template <typename Word>
class stream {
  public:
    stream() : name_("a stream") {}
    explicit stream(const char* name) : name_(name) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() {
        if (count_) {
            printf("FAIL: %s still holds %zu unread words\n", name_, count_);
            fflush(stdout);
            _Exit(1);
        }
        delete[] words_;
    }

    void write(const Word& word) {
        if (count_ == room_) grow();
        words_[(first_ + count_++) % room_] = word;
    }

    Word read() {
        if (!count_) {
            printf("FAIL: %s is read while empty\n", name_);
            exit(1);
        }
        const Word& word = words_[first_];
        first_ = (first_ + 1) % room_;
        --count_;
        return word;
    }

    bool empty() const { return !count_; }

  private:
    void grow() {
        Word* const larger = new Word[2 * room_ + 1];
        for (size_t i = 0; i < count_; ++i) larger[i] = words_[(first_ + i) % room_];
        delete[] words_;
        words_ = larger;
        first_ = 0;
        room_ = 2 * room_ + 1;
    }

    const char* name_;
    Word* words_ = nullptr;  // a circle of `room_` words; without the headers of a container
    size_t room_ = 0, first_ = 0, count_ = 0;
};

}  // namespace hls

#endif
