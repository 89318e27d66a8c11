// AXI4-Stream beats for C simulation with g++ alone; Vitis brings its own ap_axi_sdata.h.
#ifndef CODESIGN_AP_AXI_SDATA_H
#define CODESIGN_AP_AXI_SDATA_H

#include <stdint.h>

#include <type_traits>

namespace codesign {

// As much of ap_uint as beats of more than 64 bits need: slices that lie within a 64-bit word.
template <int Bits>
class Data {
  public:
    class Slice {
      public:
        Slice(uint64_t& word, int low, int bits)
            : word_(word), low_(low), mask_(bits < 64 ? (uint64_t(1) << bits) - 1 : ~uint64_t(0)) {}
        uint64_t to_uint64() const { return word_ >> low_ & mask_; }
        void operator=(uint64_t value) { word_ = (word_ & ~(mask_ << low_)) | (value & mask_) << low_; }

      private:
        uint64_t& word_;
        int low_;
        uint64_t mask_;
    };

    Data(uint64_t value = 0) : words_() { words_[0] = value; }
    Slice range(int high, int low) const { return Slice(words_[low / 64], low % 64, high - low + 1); }

  private:
    mutable uint64_t words_[(Bits + 63) / 64];
};

}  // namespace codesign

template <int DataBits, int UserBits, int IdBits, int DestBits>
struct ap_axiu {
    static_assert(DataBits <= 512, "a port has at most 512 bits");
    typename std::conditional<(DataBits > 64), codesign::Data<DataBits>, uint64_t>::type data = 0;
    uint64_t keep = 0;
    uint64_t strb = 0;
    bool last = false;
};

#endif
