// LZ4 blocks without a wait for the store buffer, and their hash on the way.
//
// Records of 16 bytes make most sequences a copy of what lies 16 bytes back, which was stored by
// several narrower stores just now: a load across them waits until all have reached the cache, and
// so would every sequence for the one before it. So the last 16 bytes are kept in a register too.
#include "lz4_block.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {
namespace {

SACCADE_AVX2 SACCADE_INLINE __m128i load(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

SACCADE_AVX2 SACCADE_INLINE void store(std::uint8_t* to, __m128i bytes) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}

constexpr std::uint8_t kNone = 0x80;  // of a shuffle's order: a zero

struct alignas(64) Orders {
  std::uint8_t period[16][16] = {};  // i modulo the first index
  std::uint8_t shift[48] = {};       // none, 0 to 15, none
  std::uint8_t choice[32] = {};      // a mask of nothing, one of all
  constexpr Orders() {
    for (unsigned i = 0; i < 16; ++i) {
      for (unsigned back = 1; back < 16; ++back)
        period[back][i] = static_cast<std::uint8_t>(i % back);
      shift[16 + i] = static_cast<std::uint8_t>(i);
      shift[i] = shift[32 + i] = kNone;
      choice[16 + i] = 0xff;
    }
  }
};
constexpr Orders kOrders;

struct ShuffledPeriod {
  SACCADE_AVX2 static inline void repeat(std::uint8_t* to, const std::uint8_t* from,
                                         std::size_t back, std::size_t n) {
    const __m128i period = _mm_shuffle_epi8(load(from), load(kOrders.period[back]));
    const std::size_t step = 16 - 16 % back;
    for (std::size_t at = 0; at < n; at += step) store(to + at, period);
  }
};

// The last 16 bytes of `tail` followed by the first n (at most 16) of `more`.
SACCADE_AVX2 SACCADE_INLINE __m128i append(__m128i tail, __m128i more, std::size_t n) {
  return _mm_or_si128(_mm_shuffle_epi8(tail, load(kOrders.shift + 16 + n)),
                      _mm_shuffle_epi8(more, load(kOrders.shift + n)));
}

// The 16 bytes before the next; where there are fewer, zeros before those.
SACCADE_AVX2 SACCADE_INLINE __m128i last16(const Lz4Cursor& cursor) {
  const auto n = static_cast<std::size_t>(cursor.out - cursor.first);
  if (n >= 16) return load(cursor.out - 16);
  std::uint8_t bytes[16] = {};
  if (n > 0) std::memcpy(bytes + 16 - n, cursor.first, n);
  return load(bytes);
}

// Short sequences, one after the other.
struct Short {
  const std::uint8_t *in, *in_end, *out_end, *first;
  std::uint8_t* out;
  __m128i tail;  // the last 16 bytes before `out`

  SACCADE_AVX2 SACCADE_INLINE explicit Short(const Lz4Cursor& cursor)
      : in(cursor.in),
        in_end(cursor.in_end),
        out_end(cursor.out_end),
        first(cursor.first),
        out(cursor.out),
        tail(last16(cursor)) {}

  // False, and nothing done, where the next is long, near an end, or copies from less than 16 back.
  SACCADE_AVX2 SACCADE_INLINE bool step() {
    if (in_end - in < 18 || out_end - out < 32) return false;
    const std::size_t token = *in, literals = token >> 4, match = (token & 15) + 4;
    if (literals == 15 || match > 16) return false;
    const std::size_t back = in[1 + literals] | static_cast<std::size_t>(in[2 + literals]) << 8;
    std::uint8_t* const to = out + literals;
    if (back < 16 || back > static_cast<std::size_t>(to - first)) return false;
    const __m128i written = load(in + 1);
    store(out, written);
    tail = append(tail, written, literals);
    // The tail or what is loaded, without a branch, which would be wrong every fourth time.
    std::uintptr_t last = back == 16;
#ifdef __GNUC__
    __asm__("" : "+r"(last));  // a compiler makes a branch of it
#endif
    const __m128i mask = load(kOrders.choice + 16 * last);
    const std::uintptr_t from = reinterpret_cast<std::uintptr_t>(to - back);
    const std::uintptr_t safe = reinterpret_cast<std::uintptr_t>(kOrders.choice);
    const std::uintptr_t at = from ^ ((from ^ safe) & (0 - last));
    const __m128i copied =
        _mm_blendv_epi8(load(reinterpret_cast<const std::uint8_t*>(at)), tail, mask);
    store(to, copied);
    tail = append(tail, copied, match);
    in += literals + 3;
    out = to + match;
    return true;
  }
};

// The four lanes of a hash in one register.
struct Lanes {
  const std::uint8_t* at;  // the next stripe
  __m128i lanes;

  SACCADE_AVX2 SACCADE_INLINE void step() {
    const __m128i in = _mm_mullo_epi32(load(at), _mm_set1_epi32(static_cast<int>(Xxh32::kPrime2)));
    const __m128i sum = _mm_add_epi32(lanes, in);
    const __m128i turned = _mm_or_si128(_mm_slli_epi32(sum, 13), _mm_srli_epi32(sum, 19));
    lanes = _mm_mullo_epi32(turned, _mm_set1_epi32(static_cast<int>(Xxh32::kPrime1)));
    at += 16;
  }
};

constexpr unsigned kRun = 64;           // sequences
constexpr std::ptrdiff_t kAged = 1024;  // bytes back that stores have reached the cache

// Runs of short sequences up to one that is none. A stripe is hashed with each sequence of a run
// where so many are far enough back: neither chain of instructions waits for the other.
SACCADE_AVX2 SACCADE_INLINE void unfold_short_ones(Lz4Cursor& cursor, Lanes* hash) {
  Short sequences(cursor);
  unsigned left;
  do {
    left = kRun;
    if (hash && sequences.out - hash->at >= kAged + 16 * std::ptrdiff_t{kRun}) {
      Lanes lanes = *hash;
      for (; left > 0 && sequences.step(); --left) lanes.step();
      *hash = lanes;
    } else {
      while (left > 0 && sequences.step()) --left;
    }
  } while (left == 0);
  cursor.in = sequences.in;
  cursor.out = sequences.out;
}

}  // namespace

SACCADE_AVX2 Lz4Block unfold_avx2(Lz4Cursor cursor, std::uint8_t*& out, Lz4Hash* hash) {
  Lanes lanes{nullptr, _mm_setzero_si128()};
  if (hash)
    lanes = {hash->content + hash->state.done,
             _mm_loadu_si128(reinterpret_cast<const __m128i*>(hash->state.lane))};
  Lz4Step step;
  do {
    unfold_short_ones(cursor, hash ? &lanes : nullptr);
    step = unfold_sequence<ShuffledPeriod>(cursor);
  } while (step == Lz4Step::more);
  if (hash) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(hash->state.lane), lanes.lanes);
    hash->state.done = static_cast<std::size_t>(lanes.at - hash->content);
  }
  out = cursor.out;
  return lz4_block(step);
}

}  // namespace saccade
#endif
