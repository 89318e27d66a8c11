#include "processes.hpp"

// Patches of 3 rows from a circle of 32 words; pad with 0.
void conv0_window(hls::stream<Word<UInt<8>, 1> >& source, hls::stream<Word<UInt<8>, 1> >& patches) {
#pragma HLS INLINE off
    Word<UInt<8>, 1> lines[32];
#pragma HLS AGGREGATE variable=lines
#pragma HLS BIND_STORAGE variable=lines type=ram_s2p impl=bram
    // a word is read back after 20 iterations at the earliest
#pragma HLS DEPENDENCE variable=lines type=inter dependent=false
    Int<7> fill_address = 0;  // where the next word of the map goes
    Int<6> missing = 16;  // words of the map still to come
    Int<8> row_time = 0;  // cycles since this row of patches began
    Int<5> incoming = 0;  // words that come in during this row
    Int<9> read_credit = 0;  // spreads the reads of a row evenly
    Int<4> word = 0;  // position in the patch
    Int<3> kernel_row = 0;
    Int<4> column = 0;
    Int<5> top_row = -1;  // map row under the patch's first row
    Int<8> top_base = 24;  // its place in the circle
    Int<8> base = 24;
    Int<6> left = -2;  // the patch's first word in a row
    Int<6> offset = -2;
step:
    for (int t = 0; t < 304; ++t) {
#pragma HLS PIPELINE II=1
        COUNT_TRIP();
        bool reading = true;
        bool writing = false;
        if (t >= 16) {
            if (row_time == 0) {
                incoming = missing < 8 ? int(missing) : 8;
                read_credit = 0;
            }
            reading = read_credit < incoming;
            read_credit += incoming;
            if (read_credit >= 72) {
                read_credit -= 72;
            }
            writing = true;
            if (reading) {
                missing -= 1;
            }
            row_time = row_time == 71 ? 0 : int(row_time) + 1;
        }
        if (writing) {
            const bool inside = top_row + kernel_row >= 0 && top_row + kernel_row < 4 && offset >= 0 && offset < 8;
            Word<UInt<8>, 1> patch;
            for (int i = 0; i < 1; ++i) {
#pragma HLS UNROLL
                patch.lane[i] = 0;
            }
            if (inside) {
                patch = lines[base + offset];
            }
            patches.write(patch);
            offset += 1;
            word += 1;
            if (word == 6) {
                word = 0;
                offset = left;
                kernel_row += 1;
                base += 8;
                if (base >= 32) {
                    base -= 32;
                }
                if (kernel_row == 3) {
                    kernel_row = 0;
                    base = top_base;
                    left += 2;
                    offset = left;
                    column += 1;
                    if (column == 4) {
                        column = 0;
                        left = -2;
                        offset = -2;
                        top_row += 1;
                        top_base += 8;
                        if (top_base >= 32) {
                            top_base -= 32;
                        }
                        base = top_base;
                    }
                }
            }
        }
        if (reading) {
            lines[fill_address] = source.read();
            fill_address = fill_address == 31 ? 0 : int(fill_address) + 1;
        }
    }
}
