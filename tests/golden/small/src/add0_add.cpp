#include "processes.hpp"

// Both inputs are brought to one scale, added, and rescaled once.
void add0_add(hls::stream<Word<UInt<4>, 2> >& left, hls::stream<Word<UInt<4>, 2> >& right, hls::stream<Word<UInt<5>, 2> >& results) {
#pragma HLS INLINE off
sum:
    for (int word = 0; word < 32; ++word) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        const Word<UInt<4>, 2> left_word = left.read();
        const Word<UInt<4>, 2> right_word = right.read();
        Word<UInt<5>, 2> outputs;
        for (int i = 0; i < 2; ++i) {
#pragma HLS UNROLL
            const Int<8> total = left_word.lane[i] * 1 + right_word.lane[i] * 2;
            outputs.lane[i] = clip<UInt<5>, 0, 31>(round_half_even<0>(total));
        }
        results.write(outputs);
    }
}
