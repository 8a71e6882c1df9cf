// One LZ4 block. Copies are 16 or 32 bytes wide whatever is wanted, which is why the output has
// slack; every length is checked before it is copied, so that nothing in a block leads outside.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu.hpp"
#include "expand.hpp"
#ifdef SACCADE_X86
#include <immintrin.h>
#endif

namespace saccade {

inline constexpr std::size_t kLz4Slack = 64;  // bytes past the output that a copy may write

enum class Lz4Block { good, damaged, full };

struct Lz4Cursor {
  const std::uint8_t *in, *in_end;
  std::uint8_t *out, *out_end;  // kLz4Slack bytes follow out_end
  const std::uint8_t* first;    // the earliest byte that a match may copy
};

// A length's further bytes; false where they run past the end.
SACCADE_INLINE bool lengthen(std::size_t& length, const std::uint8_t*& in,
                             const std::uint8_t* end) {
  std::uint8_t more;
  do {
    if (in == end) return false;
    length += more = *in++;
  } while (more == 255);
  return true;
}

// At least n bytes, in steps of 16 from at least 16 bytes before.
SACCADE_INLINE void copy_wide(std::uint8_t* to, const std::uint8_t* from, std::size_t n) {
  std::size_t at = 0;
  do {
    std::memcpy(to + at, from + at, 16);
    std::memcpy(to + at + 16, from + at + 16, 16);
    at += 32;
  } while (at < n);
}

// The period of a match less than 16 bytes back, repeated over 16 bytes.
struct PlainPeriod {
  SACCADE_INLINE static void repeat(std::uint8_t* to, const std::uint8_t* from, std::size_t back,
                                    std::size_t n) {
    std::uint8_t period[16];
    for (std::size_t i = 0, j = 0; i < 16; ++i) {
      period[i] = from[j];
      j = j + 1 == back ? 0 : j + 1;
    }
    const std::size_t step = 16 - 16 % back;
    for (std::size_t at = 0; at < n; at += step) std::memcpy(to + at, period, 16);
  }
};

#ifdef SACCADE_X86
struct alignas(64) Lz4Periods {
  std::uint8_t of[16][16] = {};
  constexpr Lz4Periods() {
    for (unsigned back = 1; back < 16; ++back)
      for (unsigned i = 0; i < 16; ++i) of[back][i] = static_cast<std::uint8_t>(i % back);
  }
};
inline constexpr Lz4Periods kLz4Periods;

struct ShuffledPeriod {
  SACCADE_AVX2 static inline void repeat(std::uint8_t* to, const std::uint8_t* from,
                                         std::size_t back, std::size_t n) {
    const auto* order = reinterpret_cast<const __m128i*>(kLz4Periods.of[back]);
    const __m128i period = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)),
                                            _mm_load_si128(order));
    const std::size_t step = 16 - 16 % back;
    for (std::size_t at = 0; at < n; at += step)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), period);
  }
};
#endif

template <typename Period>
SACCADE_INLINE Lz4Block unfold_block(Lz4Cursor& cursor) {
  const std::uint8_t *in = cursor.in, *const in_end = cursor.in_end;
  std::uint8_t *out = cursor.out, *const out_end = cursor.out_end;
  for (;;) {
    if (in == in_end) return Lz4Block::damaged;
    const std::size_t token = *in++;
    std::size_t literals = token >> 4, match = token & 15;
    // Most sequences are short, and far from both ends: one check, and copies of a fixed size. They
    // are 8 bytes wide: records of 16 bytes repeat what was stored just now, and a load waits for
    // the cache where it spans two such stores.
    if (literals < 15 && in_end - in >= 18 && out_end - out >= 34) {
      std::memcpy(out, in, 8);
      if (literals > 8) std::memcpy(out + 8, in + 8, 8);
      out += literals;
      in += literals;
      const std::size_t near = in[0] | static_cast<std::size_t>(in[1]) << 8;
      if (match < 15 && near >= 8 && near <= static_cast<std::size_t>(out - cursor.first)) {
        std::memcpy(out, out - near, 8);
        std::memcpy(out + 8, out - near + 8, 8);
        std::memcpy(out + 16, out - near + 16, 2);
        out += match + 4;
        in += 2;
        continue;
      }
    } else {
      if (literals == 15 && !lengthen(literals, in, in_end)) return Lz4Block::damaged;
      const auto left = static_cast<std::size_t>(in_end - in);
      if (literals > left) return Lz4Block::damaged;
      if (literals > static_cast<std::size_t>(out_end - out)) return Lz4Block::full;
      if (left - literals >= 32) {
        copy_wide(out, in, literals);
      } else if (literals > 0) {
        std::memcpy(out, in, literals);
      }
      out += literals;
      in += literals;
      if (in == in_end) break;  // the last sequence has literals alone
      if (in_end - in < 2) return Lz4Block::damaged;
    }
    const std::size_t back = in[0] | static_cast<std::size_t>(in[1]) << 8;
    in += 2;
    if (back == 0 || back > static_cast<std::size_t>(out - cursor.first)) return Lz4Block::damaged;
    const std::uint8_t* from = out - back;
    if (match == 15 && !lengthen(match, in, in_end)) return Lz4Block::damaged;
    match += 4;
    if (match > static_cast<std::size_t>(out_end - out)) return Lz4Block::full;
    if (back >= 32) {
      copy_wide(out, from, match);
    } else if (back >= 16) {
      for (std::size_t at = 0; at < match; at += 16) std::memcpy(out + at, from + at, 16);
    } else {
      Period::repeat(out, from, back, match);
    }
    out += match;
  }
  cursor.in = in;
  cursor.out = out;
  return Lz4Block::good;
}

}  // namespace saccade
