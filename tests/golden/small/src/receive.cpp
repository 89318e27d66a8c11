#include "processes.hpp"

// One image from AXI4-Stream: 2 x 8 bits per beat.
void receive(hls::stream<Beat<16> >& beats, hls::stream<Word<UInt<8>, 2> >& image) {
#pragma HLS INLINE off
unpack:
    for (int word = 0; word < 16; ++word) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        const uint64_t data = beats.read().data;
        Word<UInt<8>, 2> value;
        for (int i = 0; i < 2; ++i) {
#pragma HLS UNROLL
            value.lane[i] = UInt<8>(uint8_t(data >> (i * 8)));
        }
        image.write(value);
    }
}
