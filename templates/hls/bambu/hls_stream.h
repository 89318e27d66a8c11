// The C simulation's stream, which also leaves the words it carried in a file of its name.
// A stream of the same name that comes later starts the file anew.
#ifndef CODESIGN_RECORDING_STREAM_H
#define CODESIGN_RECORDING_STREAM_H

#include <stdio.h>
#include <stdlib.h>

#include <string>

#define stream plain_stream
#include "plain_stream.h"
#undef stream

namespace hls {

template <typename Word>
class stream : public plain_stream<Word> {
  public:
    stream() {}
    explicit stream(const char* name) : plain_stream<Word>(name), name_(name) {}
    ~stream() {
        if (file_) fclose(file_);
    }

    void write(const Word& word) {
        record(word.lane, sizeof(word.lane) / sizeof(word.lane[0]));
        plain_stream<Word>::write(word);
    }

  private:
    template <typename Element>
    void record(const Element* lanes, int count) {
        if (!file_) file_ = fopen((std::string(WORDS_FOLDER) + "/" + name_ + ".txt").c_str(), "w");
        if (!file_) abort();
        for (int i = 0; i < count; ++i) fprintf(file_, "%lld ", (long long)(lanes[i]));
        fprintf(file_, "\n");
    }

    std::string name_;
    FILE* file_ = nullptr;
};

// AXI4-Stream beats pass unrecorded.
template <int Bits>
class stream<ap_axiu<Bits, 0, 0, 0> > : public plain_stream<ap_axiu<Bits, 0, 0, 0> > {
    using plain_stream<ap_axiu<Bits, 0, 0, 0> >::plain_stream;
};

}  // namespace hls

#endif
