// The dataflow: one process per engine part, a FIFO between any two.
#include "accelerator.hpp"

#include "processes.hpp"

void accelerator(hls::stream<Beat<16> >& input_stream, hls::stream<Beat<32> >& output_stream) {
#pragma HLS INTERFACE mode=axis port=input_stream
#pragma HLS INTERFACE mode=axis port=output_stream
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS DATAFLOW

    hls::stream<Word<UInt<8>, 2> > conv0_resize_in("conv0_resize_in");
#pragma HLS STREAM variable=conv0_resize_in depth=2
#pragma HLS BIND_STORAGE variable=conv0_resize_in type=fifo impl=srl
    hls::stream<Word<UInt<8>, 1> > conv0_in("conv0_in");
#pragma HLS STREAM variable=conv0_in depth=2
#pragma HLS BIND_STORAGE variable=conv0_in type=fifo impl=srl
    hls::stream<Word<UInt<8>, 1> > conv0_window_out("conv0_window_out");
#pragma HLS STREAM variable=conv0_window_out depth=2
#pragma HLS BIND_STORAGE variable=conv0_window_out type=fifo impl=srl
    hls::stream<Word<UInt<4>, 2> > conv0_fork_in("conv0_fork_in");
#pragma HLS STREAM variable=conv0_fork_in depth=2
#pragma HLS BIND_STORAGE variable=conv0_fork_in type=fifo impl=srl
    hls::stream<Word<UInt<4>, 2> > conv1_in("conv1_in");
#pragma HLS STREAM variable=conv1_in depth=2
#pragma HLS BIND_STORAGE variable=conv1_in type=fifo impl=srl
    hls::stream<Word<UInt<4>, 2> > add0_in0("add0_in0");
#pragma HLS STREAM variable=add0_in0 depth=40
#pragma HLS BIND_STORAGE variable=add0_in0 type=fifo impl=srl
    hls::stream<Word<UInt<4>, 4> > add0_in1_resize_in("add0_in1_resize_in");
#pragma HLS STREAM variable=add0_in1_resize_in depth=2
#pragma HLS BIND_STORAGE variable=add0_in1_resize_in type=fifo impl=srl
    hls::stream<Word<UInt<4>, 2> > add0_in1("add0_in1");
#pragma HLS STREAM variable=add0_in1 depth=2
#pragma HLS BIND_STORAGE variable=add0_in1 type=fifo impl=srl
    hls::stream<Word<UInt<5>, 2> > pool0_resize_in("pool0_resize_in");
#pragma HLS STREAM variable=pool0_resize_in depth=2
#pragma HLS BIND_STORAGE variable=pool0_resize_in type=fifo impl=srl
    hls::stream<Word<UInt<5>, 4> > pool0_in("pool0_in");
#pragma HLS STREAM variable=pool0_in depth=2
#pragma HLS BIND_STORAGE variable=pool0_in type=fifo impl=srl
    hls::stream<Word<UInt<5>, 16> > pool0_sliding_out("pool0_sliding_out");
#pragma HLS STREAM variable=pool0_sliding_out depth=2
#pragma HLS BIND_STORAGE variable=pool0_sliding_out type=fifo impl=srl
    hls::stream<Word<UInt<5>, 4> > dense0_resize_in("dense0_resize_in");
#pragma HLS STREAM variable=dense0_resize_in depth=2
#pragma HLS BIND_STORAGE variable=dense0_resize_in type=fifo impl=srl
    hls::stream<Word<UInt<5>, 8> > dense0_in("dense0_in");
#pragma HLS STREAM variable=dense0_in depth=2
#pragma HLS BIND_STORAGE variable=dense0_in type=fifo impl=srl
    hls::stream<Word<Int<20>, 1> > send_in("send_in");
#pragma HLS STREAM variable=send_in depth=2
#pragma HLS BIND_STORAGE variable=send_in type=fifo impl=srl

    receive(input_stream, conv0_resize_in);
    conv0_resize(conv0_resize_in, conv0_in);
    conv0_window(conv0_in, conv0_window_out);
    conv0_matrix(conv0_window_out, conv0_fork_in);
    conv0_fork(conv0_fork_in, conv1_in, add0_in0);
    conv1_matrix(conv1_in, add0_in1_resize_in);
    add0_in1_resize(add0_in1_resize_in, add0_in1);
    add0_add(add0_in0, add0_in1, pool0_resize_in);
    pool0_resize(pool0_resize_in, pool0_in);
    pool0_sliding(pool0_in, pool0_sliding_out);
    pool0_reduce(pool0_sliding_out, dense0_resize_in);
    dense0_resize(dense0_resize_in, dense0_in);
    dense0_matrix(dense0_in, send_in);
    send(send_in, output_stream);
}
