// AXI4-Stream beats for C simulation with g++ alone; Vitis brings its own ap_axi_sdata.h.
#ifndef CODESIGN_AP_AXI_SDATA_H
#define CODESIGN_AP_AXI_SDATA_H

#include <stdint.h>

template <int DataBits, int UserBits, int IdBits, int DestBits>
struct ap_axiu {
    static_assert(DataBits <= 64, "a beat of this simulation holds up to 64 bits");
    uint64_t data = 0;
    uint8_t keep = 0;
    uint8_t strb = 0;
    bool last = false;
};

#endif
