#include "processes.hpp"

// 4 of 2 x 2 positions per cycle, 4 channels each.
void pool0_sliding(hls::stream<Word<UInt<5>, 4> >& source, hls::stream<Word<UInt<5>, 16> >& patches) {
#pragma HLS INLINE off
    Word<UInt<5>, 4> lines[4];
#pragma HLS AGGREGATE variable=lines
#pragma HLS BIND_STORAGE variable=lines type=ram_s2p impl=lutram
#pragma HLS DEPENDENCE variable=lines type=inter direction=RAW distance=4 dependent=true
    Int<4> line = 0;
    Word<UInt<5>, 8> columns[1];
#pragma HLS AGGREGATE variable=columns
#pragma HLS ARRAY_PARTITION variable=columns type=complete
    Int<2> place = 0;
    Int<2> word = 0;
    Int<6> missing = 16;  // words of the map still to come
    Int<5> wait = 5;  // places before that of the next patch
    Int<3> output_column = 0;
step:
    for (int t = 0; t < 16; ++t) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        Word<UInt<5>, 16> patch;  // by kernel column, then row
        const Word<UInt<5>, 8> before = columns[place];
        for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
            patch.lane[i] = before.lane[i];
        }
        const Word<UInt<5>, 4> above = lines[line];
        for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
            patch.lane[8 + i] = above.lane[i];
        }
        if (missing > 0) {
            const Word<UInt<5>, 4> pixel = source.read();
            for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
                patch.lane[12 + i] = pixel.lane[i];
            }
            missing -= 1;
        }
        Word<UInt<5>, 4> below;
        for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
            below.lane[i] = patch.lane[12 + i];
        }
        lines[line] = below;
        line = line == 3 ? 0 : int(line) + 1;
        Word<UInt<5>, 8> after;
        for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
            after.lane[i] = patch.lane[8 + i];
        }
        columns[place] = after;
        if (wait == 0) {
            Word<UInt<5>, 16> ordered;  // by kernel row, then column
            for (int i = 0; i < 2; ++i) {
#pragma HLS UNROLL
                for (int j = 0; j < 2; ++j) {
#pragma HLS UNROLL
                    for (int l = 0; l < 4; ++l) {
#pragma HLS UNROLL
                        ordered.lane[(i * 2 + j) * 4 + l] = patch.lane[(j * 2 + i) * 4 + l];
                    }
                }
            }
            patches.write(ordered);
        }
        place = place == 0 ? 0 : int(place) + 1;
        word += 1;
        if (word == 1) {
            word = 0;
            if (wait > 0) {
                wait -= 1;
            } else {
                output_column += 1;
                wait = 1;
                if (output_column == 2) {
                    output_column = 0;
                    wait = 5;
                }
            }
        }
    }
}
