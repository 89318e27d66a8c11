#include "processes.hpp"

// One stream for two readers.
void conv0_fork(hls::stream<Word<UInt<4>, 2> >& source, hls::stream<Word<UInt<4>, 2> >& first, hls::stream<Word<UInt<4>, 2> >& second) {
#pragma HLS INLINE off
copy:
    for (int word = 0; word < 32; ++word) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        const Word<UInt<4>, 2> value = source.read();
        first.write(value);
        second.write(value);
    }
}
