// Exact-width integers, stream words, and the two functions every engine ends in.
//
// Synthesis (and -DCODESIGN_AP_INT) takes ap_int. The plain C simulation takes integers that
// stop the program when a value leaves its declared width: it proves the widths, too.
#ifndef CODESIGN_TYPES_HPP
#define CODESIGN_TYPES_HPP

#include <stdint.h>

#include "ap_axi_sdata.h"
#include "hls_stream.h"

#if defined(__SYNTHESIS__) || defined(CODESIGN_AP_INT)
#include "ap_int.h"
template <int Bits>
using Int = ap_int<Bits>;
template <int Bits>
using UInt = ap_uint<Bits>;
#endif

// An element of a table. To a simulation it is the next native integer: a table of those compiles
// 20 times faster than one of objects. Who reads it, converts it to its own width.
#if defined(__SYNTHESIS__)
template <int Bits>
using StoredInt = ap_int<Bits>;
template <int Bits>
using StoredUInt = ap_uint<Bits>;
#else
#include <type_traits>
template <int Bits>
using StoredInt = std::conditional_t<
    (Bits <= 16), std::conditional_t<(Bits <= 8), int8_t, int16_t>,
    std::conditional_t<(Bits <= 32), int32_t, int64_t> >;
template <int Bits>
using StoredUInt = std::make_unsigned_t<StoredInt<Bits> >;
#endif

#if !defined(__SYNTHESIS__) && !defined(CODESIGN_AP_INT)
#include "checked_int.hpp"
template <int Bits>
using Int = codesign::Checked<Bits, StoredInt<Bits> >;
template <int Bits>
using UInt = codesign::Checked<Bits, StoredUInt<Bits> >;
#endif

#if defined(CODESIGN_TIMED)
#define COUNT_TRIP() codesign::Simulation::instance().running().begin_iteration()
#define START_LOAD() codesign::Simulation::instance().running().start_load()
#define COUNT_LOAD() codesign::Simulation::instance().running().begin_load()
#define COUNT_MULTIPLICATION(group) \
    do { \
        static long long& counter = codesign::Simulation::instance().running().counts[#group]; \
        ++counter; \
    } while (0)
#elif defined(CODESIGN_COUNT)
#include "counters.hpp"
#define COUNT_TRIP() codesign::count(__func__, "trips")
#define START_LOAD()
#define COUNT_LOAD() codesign::count(__func__, "loads")
#define COUNT_MULTIPLICATION(group) codesign::count(__func__, #group)
#else
#define COUNT_TRIP()
#define START_LOAD()
#define COUNT_LOAD()
#define COUNT_MULTIPLICATION(group)
#endif

// What a stream carries in one cycle: `Lanes` elements side by side.
template <typename Element, int Lanes>
struct Word {
    Element lane[Lanes];
};

// One transfer of an AXI4-Stream port, with TKEEP, TSTRB and TLAST.
template <int Bits>
using Beat = ap_axiu<Bits, 0, 0, 0>;

// value / 2^Shift to the nearest integer, half to even, without a comparison.
template <int Shift, typename Value>
inline int64_t round_half_even(const Value& value) {
#pragma HLS INLINE
    const int64_t wide = value;
    const int64_t below_half = Shift > 0 ? (int64_t(1) << (Shift > 0 ? Shift - 1 : 0)) - 1 : 0;
    return Shift > 0 ? (wide + below_half + ((wide >> Shift) & 1)) >> Shift : wide;
}

// The nearest value between Low and High.
template <typename Out, int Low, int High>
inline Out clip(int64_t value) {
#pragma HLS INLINE
    return value < Low ? Out(Low) : value > High ? Out(High) : Out(value);
}

#endif
