// What src/types.hpp is for the other tools, for Bambu: native integers, whose needless bits its own
// analysis removes, and stream words that travel as one packed integer. Beyond 16 bits they have 64,
// so that a product has room for all bits of its factors.
#ifndef CODESIGN_BAMBU_TYPES_HPP
#define CODESIGN_BAMBU_TYPES_HPP

#include <stdint.h>

#include "ap_int.h"
#include "hls_stream.h"

namespace codesign {

constexpr int native_bits(int bits) { return bits <= 8 ? 8 : bits <= 16 ? 16 : 64; }

template <int Bits, bool Signed>
struct Native;
template <>
struct Native<8, true> { typedef int8_t type; };
template <>
struct Native<16, true> { typedef int16_t type; };
template <>
struct Native<64, true> { typedef int64_t type; };
template <>
struct Native<8, false> { typedef uint8_t type; };
template <>
struct Native<16, false> { typedef uint16_t type; };
template <>
struct Native<64, false> { typedef uint64_t type; };

}  // namespace codesign

template <int Bits>
using Int = typename codesign::Native<codesign::native_bits(Bits), true>::type;
template <int Bits>
using UInt = typename codesign::Native<codesign::native_bits(Bits), false>::type;
template <int Bits>
using StoredInt = Int<Bits>;
template <int Bits>
using StoredUInt = UInt<Bits>;

#define COUNT_TRIP()
#define START_LOAD()
#define COUNT_LOAD()
#define COUNT_MULTIPLICATION(group)

template <typename Element, int Lanes>
struct Word {
    static const int LANE_BITS = 8 * sizeof(Element);
    typedef ap_uint<LANE_BITS * Lanes> Packed;
    Element lane[Lanes];

    Word() {}
    Word(const Packed& packed) {
#pragma unroll
        for (int i = 0; i < Lanes; ++i) {
            lane[i] = Element(packed.template slc<LANE_BITS>(i * LANE_BITS).to_uint64());
        }
    }
    operator Packed() const {
        Packed packed = 0;
#pragma unroll
        for (int i = 0; i < Lanes; ++i) {
            packed.set_slc(i * LANE_BITS, ap_uint<LANE_BITS>(uint64_t(lane[i])));
        }
        return packed;
    }
};

template <int Shift, typename Value>
inline int64_t round_half_even(const Value& value) {
    const int64_t wide = value;
    const int64_t below_half = Shift > 0 ? (int64_t(1) << (Shift > 0 ? Shift - 1 : 0)) - 1 : 0;
    return Shift > 0 ? (wide + below_half + ((wide >> Shift) & 1)) >> Shift : wide;
}

template <typename Out, int Low, int High>
inline Out clip(int64_t value) {
    return value < Low ? Out(Low) : value > High ? Out(High) : Out(value);
}

#endif
