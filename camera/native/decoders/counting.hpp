// Words to counters without columns between: what a decoder's wide path counts at once, and the
// rest through a few events at a time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "slice_counter.hpp"

namespace saccade {

// Counts until a slice is due or the bytes end; returns how many bytes it took. Needs !to.due().
//
// `Decoder` has count_wide(words, n_words, to), which counts whole words as far as it can without
// a look at each and returns how many; kWord, the bytes of one; and decode() and pending_bytes() as
// all have.
template <typename Decoder>
std::size_t count_words(Decoder& decoder, const std::uint8_t* bytes, std::size_t n_bytes,
                        SliceCounter& to) {
  constexpr std::size_t kWord = Decoder::kWord, kFew = 32, kMany = 2048;
  std::size_t at = 0;
  const auto decode = [&](std::size_t n) {
    to.add(decoder.decode(bytes + at, n));
    at += n;
  };
  if (decoder.pending_bytes() > 0) decode(std::min(kWord - decoder.pending_bytes(), n_bytes));
  while (!to.due() && n_bytes - at >= kWord) {
    const std::size_t n_words = (n_bytes - at) / kWord;
    const std::size_t wide = decoder.count_wide(bytes + at, n_words, to);
    at += wide * kWord;
    const std::size_t few = decoder.counts_wide(to) ? kFew : kMany;
    if (wide < n_words) decode(std::min(n_words - wide, few) * kWord);
  }
  if (!to.due() && at < n_bytes) decode(n_bytes - at);
  return at;
}

}  // namespace saccade
