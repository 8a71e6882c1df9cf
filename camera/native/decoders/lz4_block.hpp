// One LZ4 block. Copies are 16 or 32 bytes wide whatever is wanted, which is why the output has
// slack; every length is checked before it is copied, so that nothing in a block leads outside.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu.hpp"
#include "expand.hpp"
#include "xxh32.hpp"

namespace saccade {

inline constexpr std::size_t kLz4Slack = 64;  // bytes past the output that a copy may write

enum class Lz4Block { good, damaged, full };

struct Lz4Cursor {
  const std::uint8_t *in, *in_end;
  std::uint8_t *out, *out_end;  // kLz4Slack bytes follow out_end
  const std::uint8_t* first;    // the earliest byte that a match may copy
};

// The hash of content that a block is part of: whole stripes of what is written are hashed by and
// by, some of them already by who unfolds the block.
struct Lz4Hash {
  const std::uint8_t* content;
  Xxh32::State& state;
};

// Unfolds a block, of which `out` is the end, and hashes unless `hash` is nullptr.
Lz4Block unfold_avx2(Lz4Cursor cursor, std::uint8_t*& out, Lz4Hash* hash);

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

enum class Lz4Step { more, end, damaged, full };

SACCADE_INLINE Lz4Block lz4_block(Lz4Step last) {
  if (last == Lz4Step::full) return Lz4Block::full;
  return last == Lz4Step::end ? Lz4Block::good : Lz4Block::damaged;
}

// One sequence, whatever it holds. `Period::repeat` writes n bytes and what a wide store writes
// past them: the `back` bytes (1 to 15) at `from`, again and again.
template <typename Period>
SACCADE_INLINE Lz4Step unfold_sequence(Lz4Cursor& cursor) {
  const std::uint8_t *in = cursor.in, *const in_end = cursor.in_end;
  std::uint8_t *out = cursor.out, *const out_end = cursor.out_end;
  if (in == in_end) return Lz4Step::damaged;
  const std::size_t token = *in++;
  std::size_t literals = token >> 4, match = token & 15;
  if (literals == 15 && !lengthen(literals, in, in_end)) return Lz4Step::damaged;
  const auto left = static_cast<std::size_t>(in_end - in);
  if (literals > left) return Lz4Step::damaged;
  if (literals > static_cast<std::size_t>(out_end - out)) return Lz4Step::full;
  if (left - literals >= 32) {
    copy_wide(out, in, literals);
  } else if (literals > 0) {
    std::memcpy(out, in, literals);
  }
  out += literals;
  in += literals;
  cursor.in = in;
  cursor.out = out;
  if (in == in_end) return Lz4Step::end;  // the last sequence has literals alone
  if (in_end - in < 2) return Lz4Step::damaged;
  const std::size_t back = in[0] | static_cast<std::size_t>(in[1]) << 8;
  in += 2;
  if (back == 0 || back > static_cast<std::size_t>(out - cursor.first)) return Lz4Step::damaged;
  const std::uint8_t* from = out - back;
  if (match == 15 && !lengthen(match, in, in_end)) return Lz4Step::damaged;
  match += 4;
  if (match > static_cast<std::size_t>(out_end - out)) return Lz4Step::full;
  if (back >= 32) {
    copy_wide(out, from, match);
  } else if (back >= 16) {
    for (std::size_t at = 0; at < match; at += 16) std::memcpy(out + at, from + at, 16);
  } else {
    Period::repeat(out, from, back, match);
  }
  cursor.in = in;
  cursor.out = out + match;
  return Lz4Step::more;
}

}  // namespace saccade
