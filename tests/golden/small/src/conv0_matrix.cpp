#include "processes.hpp"

// 36 weight words of 2: 2 outputs x 1 inputs per cycle.
void conv0_matrix(hls::stream<Word<UInt<8>, 1> >& vectors, hls::stream<Word<UInt<4>, 2> >& results) {
#pragma HLS INLINE off
    static const StoredInt<4> weights[36][2] = {
#include "parameters/conv0_matrix_weights.inc"
    };
#pragma HLS ARRAY_RESHAPE variable=weights type=complete dim=2
#pragma HLS BIND_STORAGE variable=weights type=rom_1p impl=lutram
    static const StoredInt<18> bias[2][2] = {
#include "parameters/conv0_matrix_bias.inc"
    };
#pragma HLS ARRAY_RESHAPE variable=bias type=complete dim=2
#pragma HLS BIND_STORAGE variable=bias type=rom_1p impl=lutram
    static const StoredUInt<8> multiplier[2][2] = {
#include "parameters/conv0_matrix_multiplier.inc"
    };
#pragma HLS ARRAY_RESHAPE variable=multiplier type=complete dim=2
#pragma HLS BIND_STORAGE variable=multiplier type=rom_1p impl=lutram
    Word<UInt<8>, 1> vector[18];
#pragma HLS AGGREGATE variable=vector
#pragma HLS BIND_STORAGE variable=vector type=ram_s2p impl=lutram
    Int<18> sums[2];
#pragma HLS ARRAY_PARTITION variable=sums type=complete
    Int<7> address = 0;
product:
    for (int pixel = 0; pixel < 16; ++pixel) {
        for (int fold = 0; fold < 2; ++fold) {
            for (int step = 0; step < 18; ++step) {
#pragma HLS PIPELINE II=1
                COUNT_TRIP();
                Word<UInt<8>, 1> inputs;
                if (fold == 0) {
                    inputs = vectors.read();
                    vector[step] = inputs;
                } else {
                    inputs = vector[step];
                }
                for (int q = 0; q < 1; ++q) {
#pragma HLS UNROLL
                    Int<18> lower = step == 0 ? Int<18>(bias[fold][2 * q]) : sums[2 * q];
                    Int<18> upper = step == 0 ? Int<18>(bias[fold][2 * q + 1]) : sums[2 * q + 1];
                    Int<40> both = 0;
                    for (int s = 0; s < 1; ++s) {
#pragma HLS UNROLL
                        const Int<25> pair = Int<4>(weights[address][(2 * q + 1) * 1 + s]) * (1 << 20) + Int<4>(weights[address][2 * q * 1 + s]);
                        const Int<33> terms = inputs.lane[s] * pair;
#pragma HLS BIND_OP variable=terms op=mul impl=dsp
                        COUNT_MULTIPLICATION(products);
                        both += terms;
                        if (s % 257 == 256 || s == 0) {
                            lower += int64_t(uint64_t(both) << 44) >> 44;
                            upper += (both >> 20) + ((both >> 19) & 1);
                            both = 0;
                        }
                    }
                    sums[2 * q] = lower;
                    sums[2 * q + 1] = upper;
                }
                Word<UInt<4>, 2> outputs;
                for (int p = 0; p < 2; ++p) {
#pragma HLS UNROLL
                    if (step == 17) {
                        const Int<27> scaled = sums[p] * UInt<8>(multiplier[fold][p]);
#pragma HLS BIND_OP variable=scaled op=mul impl=dsp
                        COUNT_MULTIPLICATION(scaling);
                        outputs.lane[p] = clip<UInt<4>, 0, 15>(round_half_even<16>(scaled));
                    }
                }
                if (step == 17) {
                    results.write(outputs);
                }
                address = address == 35 ? 0 : int(address) + 1;
            }
        }
    }
}
