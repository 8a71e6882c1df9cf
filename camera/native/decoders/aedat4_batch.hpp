// AEDAT4's packets of events as they lie in the file, many in one call.
#pragma once
#include <string>
#include <vector>

#include "aedat4.hpp"
#include "lz4.hpp"

namespace saccade {

// Each packet has a header of its own: i32 stream, i32 bytes that follow.
constexpr std::size_t kAedat4PacketHeader = 8;

// Bytes of the packets at the start of `bytes` that are whole: up to the first that is cut off, of
// none of `streams`, or states a size below 0 or (one of `wanted`) above `limit`.
std::size_t whole_aedat4_packets(const std::uint8_t* bytes, std::size_t n_bytes,
                                 const std::vector<std::int32_t>& streams, std::int32_t wanted,
                                 std::size_t limit);

struct Aedat4Batch {
  Aedat4Events found;        // of all packets taken, in order
  std::uint64_t others = 0;  // packets of other streams among them
  std::size_t taken = 0;     // bytes
  std::string damage;        // what is wrong with the packet at `taken`; empty: nothing
};

class Aedat4BatchDecoder {
 public:
  Aedat4BatchDecoder(std::int32_t stream, bool lz4, std::uint32_t width, std::uint32_t height)
      : stream_(stream), lz4_(lz4), width_(width), height_(height) {}

  // Takes packets from `bytes`, all of them whole, while they unfold to no more than `limit` bytes
  // together; the first may unfold to `first_limit`. Ends before one that is damaged. Throws
  // std::invalid_argument where one is not whole.
  Aedat4Batch decode(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit,
                     std::size_t first_limit);

 private:
  struct Records {
    std::size_t first, n;  // where in the packets or, with LZ4, in what they unfold to
  };

  bool take(const std::uint8_t* packet, std::size_t size, std::size_t at, std::size_t limit);

  std::int32_t stream_;
  bool lz4_;
  std::uint32_t width_, height_;
  Unfolded content_;
  std::vector<Records> records_;
  std::size_t unfolded_ = 0, events_ = 0;
};

}  // namespace saccade
