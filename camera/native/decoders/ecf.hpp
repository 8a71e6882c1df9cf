// Prophesee ECF, the codec of Metavision's HDF5 files (filter 0x8ECF): one chunk of events at once.
//
//   u32 header: events << 2 | all_packed << 1 | x_packed        (little-endian throughout)
//   u64 first time, then time bytes until all events have one: step << 4 | run; a run of 15 is
//     followed by the run as u16; steps of 15 carry 4 bits of a longer step each, lowest first
//   all_packed: groups of 4 events in 3 u32 (24 bits each: y 11, x 11, p 1)
//   otherwise y runs: u16 y << 5 | run; a run of 31 is followed by the run as u16; then
//     x_packed: groups of 4 events in 3 u16 (12 bits each: x 11, p 1)
//     otherwise x: u16 x << 5 | mask of which of x+1..x+5 follow (highest bit first), then
//     p runs: u8 p << 7 | run; a run of 127 is followed by the run as u16
//
// A packed group that is not full holds anything in its last places, and so does the last mask.
#pragma once
#include "decoder.hpp"

namespace saccade {

struct EcfEvents {
  EventColumns events{0};                              // none where there is damage
  std::uint64_t out_of_bounds = 0, negative_time = 0;  // dropped
  std::uint64_t stated = 0;                            // events that the header states
  std::optional<Damage> damage;                        // offset: bytes into the chunk
};

constexpr std::size_t kEcfMaxEvents = 65535;  // what the format's encoder writes at most

// The first `limit` events of one chunk (the last chunk of a file is padded to the others' size);
// those outside the sensor are dropped.
EcfEvents decode_ecf(const std::uint8_t* bytes, std::size_t n_bytes, std::uint32_t width,
                     std::uint32_t height, std::size_t limit);

}  // namespace saccade
