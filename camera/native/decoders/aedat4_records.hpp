// The wide path over AEDAT4's event records.
#pragma once
#include "columns.hpp"
#include "cpu.hpp"

namespace saccade {

class SliceCounter;

#ifdef SACCADE_X86
// Appends events of 16 bytes (i64 t, i16 x, i16 y, u8 on, padding) to columns with room for n more;
// stops before the first eight that are not all good. Returns how many it took.
std::size_t read_records_avx2(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                              std::uint32_t height, EventColumns& to);

// Counts them up to the first eight that are not all good, or not all of the slice. Returns how
// many it took.
std::size_t count_records_avx2(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                               std::uint32_t height, SliceCounter& to);
// The same, sixteen at a time; needs takes_sixteens() of the counters.
std::size_t count_records_avx512(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                                 std::uint32_t height, SliceCounter& to);
#endif

}  // namespace saccade
