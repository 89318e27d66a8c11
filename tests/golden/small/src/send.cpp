#include "processes.hpp"

// One image's outputs to AXI4-Stream, one element per beat; the last beat closes the packet.
void send(hls::stream<Word<Int<20>, 1> >& outputs, hls::stream<Beat<32> >& beats) {
#pragma HLS INLINE off
pack:
    for (int word = 0; word < 3; ++word) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        const Word<Int<20>, 1> value = outputs.read();
        Beat<32> beat;
        beat.data = uint32_t(int64_t(value.lane[0]));
        beat.keep = -1;
        beat.strb = -1;
        beat.last = word == 2;
        beats.write(beat);
    }
}
