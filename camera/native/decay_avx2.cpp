// The decay of a row, eight pixels at a time.
#include "decay.hpp"

#ifdef SACCADE_X86
namespace saccade {

SACCADE_AVX2 void decay_row_avx2(const std::uint32_t* last, std::size_t n, const Decay& d,
                                 float* out) {
  decay_row(last, n, d, out);
}

}  // namespace saccade
#endif
