#include "processes.hpp"

// Maximum of 4 pixels, 4 channels per cycle.
void pool0_reduce(hls::stream<Word<UInt<5>, 4> >& patches, hls::stream<Word<UInt<5>, 4> >& results) {
#pragma HLS INLINE off
    Word<Int<6>, 4> running[1];
#pragma HLS AGGREGATE variable=running
#pragma HLS ARRAY_PARTITION variable=running type=complete
position:
    for (int pixel = 0; pixel < 4; ++pixel) {
        for (int place = 0; place < 4; ++place) {
            for (int word = 0; word < 1; ++word) {
#pragma HLS PIPELINE II=1
                COUNT_TRIP();
                const Word<UInt<5>, 4> inputs = patches.read();
                Word<Int<6>, 4> state = running[word];
                Word<UInt<5>, 4> outputs;
                for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
                    const Int<6> input = inputs.lane[i];
                    if (place == 0 || input > state.lane[i]) {
                        state.lane[i] = input;
                    }
                    if (place == 3) {
                        outputs.lane[i] = state.lane[i];
                    }
                }
                running[word] = state;
                if (place == 3) {
                    results.write(outputs);
                }
            }
        }
    }
}
