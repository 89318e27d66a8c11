// The processes of accelerator `small`, in the order of the data.
#ifndef CODESIGN_PROCESSES_HPP
#define CODESIGN_PROCESSES_HPP

#include "types.hpp"

void receive(hls::stream<Beat<16> >& beats, hls::stream<Word<UInt<8>, 2> >& image);
void conv0_resize(hls::stream<Word<UInt<8>, 2> >& source, hls::stream<Word<UInt<8>, 1> >& regrouped);
void conv0_window(hls::stream<Word<UInt<8>, 1> >& source, hls::stream<Word<UInt<8>, 1> >& patches);
void conv0_matrix(hls::stream<Word<UInt<8>, 1> >& vectors, hls::stream<Word<UInt<4>, 2> >& results);
void conv0_fork(hls::stream<Word<UInt<4>, 2> >& source, hls::stream<Word<UInt<4>, 2> >& first, hls::stream<Word<UInt<4>, 2> >& second);
void conv1_matrix(hls::stream<Word<UInt<4>, 2> >& vectors, hls::stream<Word<UInt<4>, 4> >& results);
void add0_in1_resize(hls::stream<Word<UInt<4>, 4> >& source, hls::stream<Word<UInt<4>, 2> >& regrouped);
void add0_add(hls::stream<Word<UInt<4>, 2> >& left, hls::stream<Word<UInt<4>, 2> >& right, hls::stream<Word<UInt<5>, 2> >& results);
void pool0_resize(hls::stream<Word<UInt<5>, 2> >& source, hls::stream<Word<UInt<5>, 4> >& regrouped);
void pool0_sliding(hls::stream<Word<UInt<5>, 4> >& source, hls::stream<Word<UInt<5>, 16> >& patches);
void pool0_reduce(hls::stream<Word<UInt<5>, 16> >& patches, hls::stream<Word<UInt<5>, 4> >& results);
void dense0_resize(hls::stream<Word<UInt<5>, 4> >& source, hls::stream<Word<UInt<5>, 8> >& regrouped);
void dense0_matrix(hls::stream<Word<UInt<5>, 8> >& vectors, hls::stream<Word<Int<20>, 1> >& results);
void send(hls::stream<Word<Int<20>, 1> >& outputs, hls::stream<Beat<32> >& beats);

#endif
