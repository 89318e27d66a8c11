#include "processes.hpp"

// Maximum of 4 pixels: 4 of them, 4 channels each, per cycle.
void pool0_reduce(hls::stream<Word<UInt<5>, 16> >& patches, hls::stream<Word<UInt<5>, 4> >& results) {
#pragma HLS INLINE off
position:
    for (int pixel = 0; pixel < 4; ++pixel) {
        for (int part = 0; part < 1; ++part) {
            for (int word = 0; word < 1; ++word) {
#pragma HLS PIPELINE II=1
                COUNT_TRIP();
                const Word<UInt<5>, 16> inputs = patches.read();
                Word<UInt<5>, 4> outputs;
                for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
                    Int<6> reduced = inputs.lane[i];
                    for (int k = 0; k < 3; ++k) {
#pragma HLS UNROLL
                        const Int<6> input = inputs.lane[(k + 1) * 4 + i];
                        if (input > reduced) {
                            reduced = input;
                        }
                    }
                    if (part == 0) {
                        outputs.lane[i] = reduced;
                    }
                }
                if (part == 0) {
                    results.write(outputs);
                }
            }
        }
    }
}
