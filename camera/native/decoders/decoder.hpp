// What every stream decoder offers, so that one binding and one fuzz target serve them all.
//
//   EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);  any chunking, same events
//   Counts dropped() const;             events left out so far, by class
//   Counts skipped() const;             what was no event so far, by class
//   std::size_t pending_bytes() const;  of an unfinished word, waiting for the next chunk
//   std::optional<Damage> damage() const;  after which decode() gives nothing more
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "columns.hpp"

namespace saccade {

using Counts = std::vector<std::pair<const char*, std::uint64_t>>;

struct Damage {
  std::string what;
  std::uint64_t offset;  // bytes since the first that was decoded
};

}  // namespace saccade
