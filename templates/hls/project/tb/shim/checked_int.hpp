// Integers of a declared width for the plain C simulation: a value that does not fit stops it.
// They lie in the next native integer, whose range tells the compiler which checks cannot fail.
#ifndef CODESIGN_CHECKED_INT_HPP
#define CODESIGN_CHECKED_INT_HPP

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <type_traits>

namespace codesign {

inline void out_of_range(long long value, int bits, bool is_signed) {
    fprintf(stderr, "FAIL: %lld does not fit %s integer of %d bits\n", value,
            is_signed ? "a signed" : "an unsigned", bits);
    exit(1);
}

template <int Bits, typename Native>
class Checked {
    static_assert(Bits >= 1 && Bits <= 63, "checked integers have 1 to 63 bits");

  public:
    constexpr Checked() : value_(0) {}
    constexpr Checked(int64_t value) : value_(Native(value)) {
        if (value < low() || value > high()) out_of_range(value, Bits, IsSigned);
    }
    template <int OtherBits, typename OtherNative>
    constexpr Checked(const Checked<OtherBits, OtherNative>& other) : Checked(int64_t(other)) {}

    constexpr operator int64_t() const { return value_; }
    Checked& operator+=(int64_t other) { return *this = Checked(value_ + other); }
    Checked& operator-=(int64_t other) { return *this = Checked(value_ - other); }

  private:
    static constexpr bool IsSigned = std::is_signed<Native>::value;
    static constexpr int64_t low() { return IsSigned ? -(int64_t(1) << (Bits - 1)) : 0; }
    static constexpr int64_t high() { return (int64_t(1) << (IsSigned ? Bits - 1 : Bits)) - 1; }

    Native value_;
};

}  // namespace codesign

#endif
