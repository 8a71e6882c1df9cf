// Memory for columns that is used again: fresh pages cost more than decoding into them, and whether
// malloc keeps them depends on its thresholds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace saccade {

struct ReturnBlock {
  void operator()(std::uint8_t* block) const;
};

// At least the bytes that were asked for, uninitialised, on a boundary of 64; given back by its
// end.
using MemoryBlock = std::unique_ptr<std::uint8_t[], ReturnBlock>;

// Throws std::bad_alloc where there is no memory. Any thread may take and give back.
MemoryBlock take_block(std::size_t n_bytes);

}  // namespace saccade
