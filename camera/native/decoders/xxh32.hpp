// xxHash's 32-bit hash with seed 0, with which LZ4 frames check themselves (xxHash's
// doc/xxhash_spec.md), over bytes that become known little by little but stay where they are: a
// block is hashed while the cache still holds it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace saccade {

class Xxh32 {
 public:
  static constexpr std::uint32_t kPrime1 = 2654435761u, kPrime2 = 2246822519u;

  // What the stripes so far leave: who hashes some by other means goes on from here.
  struct State {
    std::uint32_t lane[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    std::size_t done = 0;  // bytes in the lanes
  };

  // Takes the whole stripes of `bytes`, of which the first n are known by now.
  void advance(const std::uint8_t* bytes, std::size_t n) {
    auto [a, b, c, d] = state_.lane;  // kept in registers
    std::size_t at = state_.done;
    for (; n - at >= kStripe; at += kStripe) {
      a = mix(a, word(bytes + at));
      b = mix(b, word(bytes + at + 4));
      c = mix(c, word(bytes + at + 8));
      d = mix(d, word(bytes + at + 12));
    }
    state_ = {{a, b, c, d}, at};
  }

  State& state() { return state_; }

  // The hash of all n bytes.
  std::uint32_t finish(const std::uint8_t* bytes, std::size_t n) {
    advance(bytes, n);
    std::uint32_t hash = n < kStripe ? kPrime5
                                     : rotate(state_.lane[0], 1) + rotate(state_.lane[1], 7) +
                                           rotate(state_.lane[2], 12) + rotate(state_.lane[3], 18);
    hash += static_cast<std::uint32_t>(n);
    std::size_t at = state_.done;
    for (; n - at >= 4; at += 4) hash = rotate(hash + word(bytes + at) * kPrime3, 17) * kPrime4;
    for (; at < n; ++at) hash = rotate(hash + bytes[at] * kPrime5, 11) * kPrime1;
    hash = (hash ^ (hash >> 15)) * kPrime2;
    hash = (hash ^ (hash >> 13)) * kPrime3;
    return hash ^ (hash >> 16);
  }

 private:
  static constexpr std::size_t kStripe = 16;
  static constexpr std::uint32_t kPrime3 = 3266489917u, kPrime4 = 668265263u, kPrime5 = 374761393u;

  static std::uint32_t rotate(std::uint32_t v, unsigned by) { return v << by | v >> (32 - by); }
  static std::uint32_t mix(std::uint32_t lane, std::uint32_t in) {
    return rotate(lane + in * kPrime2, 13) * kPrime1;
  }
  static std::uint32_t word(const std::uint8_t* bytes) {
    std::uint32_t v;
    std::memcpy(&v, bytes, 4);
    return v;
  }

  State state_;
};

inline std::uint32_t xxh32(const std::uint8_t* bytes, std::size_t n) {
  return Xxh32().finish(bytes, n);
}

}  // namespace saccade
