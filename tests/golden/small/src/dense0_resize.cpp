#include "processes.hpp"

// Words of 4 to words of 8, 4 elements per cycle.
void dense0_resize(hls::stream<Word<UInt<5>, 4> >& source, hls::stream<Word<UInt<5>, 8> >& regrouped) {
#pragma HLS INLINE off
    UInt<5> held[4];
#pragma HLS ARRAY_PARTITION variable=held type=complete
    UInt<5> built[8];
#pragma HLS ARRAY_PARTITION variable=built type=complete
    Int<2> chunks_left = 0;
    Int<3> chunks_built = 0;
move:
    for (int t = 0; t < 4; ++t) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        if (chunks_left == 0) {
            const Word<UInt<5>, 4> next = source.read();
            for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
                held[i] = next.lane[i];
            }
            chunks_left = 1;
        }
        for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
            built[i] = built[i + 4];
        }
        for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
            built[i + 4] = held[i];
        }
        chunks_left -= 1;
        chunks_built += 1;
        if (chunks_built == 2) {
            chunks_built = 0;
            Word<UInt<5>, 8> full;
            for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
                full.lane[i] = built[i];
            }
            regrouped.write(full);
        }
    }
}
