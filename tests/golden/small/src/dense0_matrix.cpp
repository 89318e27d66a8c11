#include "processes.hpp"

// 6 weight words of 8: 1 outputs x 8 inputs per cycle.
void dense0_matrix(hls::stream<Word<UInt<5>, 8> >& vectors, hls::stream<Word<Int<20>, 1> >& results) {
#pragma HLS INLINE off
    static const StoredInt<4> weights[6][8] = {
#include "parameters/dense0_matrix_weights.inc"
    };
#pragma HLS ARRAY_RESHAPE variable=weights type=complete dim=2
#pragma HLS BIND_STORAGE variable=weights type=rom_1p impl=lutram
    static const StoredInt<14> bias[3][1] = {
#include "parameters/dense0_matrix_bias.inc"
    };
#pragma HLS ARRAY_RESHAPE variable=bias type=complete dim=2
#pragma HLS BIND_STORAGE variable=bias type=rom_1p impl=lutram
    Word<UInt<5>, 8> vector[2];
#pragma HLS AGGREGATE variable=vector
#pragma HLS BIND_STORAGE variable=vector type=ram_s2p impl=lutram
    Int<14> sums[1];
#pragma HLS ARRAY_PARTITION variable=sums type=complete
    Int<4> address = 0;
product:
    for (int pixel = 0; pixel < 1; ++pixel) {
        for (int fold = 0; fold < 3; ++fold) {
            for (int step = 0; step < 2; ++step) {
#pragma HLS PIPELINE II=1
                COUNT_TRIP();
                Word<UInt<5>, 8> inputs;
                if (fold == 0) {
                    inputs = vectors.read();
                    vector[step] = inputs;
                } else {
                    inputs = vector[step];
                }
                for (int p = 0; p < 1; ++p) {
#pragma HLS UNROLL
                    Int<14> sum = step == 0 ? Int<14>(bias[fold][p]) : sums[p];
                    for (int s = 0; s < 8; ++s) {
#pragma HLS UNROLL
                        const Int<9> term = inputs.lane[s] * Int<4>(weights[address][p * 8 + s]);
#pragma HLS BIND_OP variable=term op=mul impl=dsp
                        COUNT_MULTIPLICATION(products);
                        sum += term;
                    }
                    sums[p] = sum;
                }
                Word<Int<20>, 1> outputs;
                for (int p = 0; p < 1; ++p) {
#pragma HLS UNROLL
                    outputs.lane[p] = sums[p];
                }
                if (step == 1) {
                    results.write(outputs);
                }
                address = address == 5 ? 0 : int(address) + 1;
            }
        }
    }
}
