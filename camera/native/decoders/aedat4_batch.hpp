// AEDAT4's packets of events as they lie in the file, many in one call.
#pragma once
#include <string>
#include <vector>

#include "aedat4.hpp"
#include "aedat4_packet.hpp"
#include "lz4.hpp"
#include "slice_counter.hpp"

namespace saccade {

// Bytes of the packets at the start of `bytes` that are whole: up to the first that is cut off, of
// none of `streams`, or states a size below 0 or (one of `wanted`) above `limit`.
std::size_t whole_aedat4_packets(const std::uint8_t* bytes, std::size_t n_bytes,
                                 const std::vector<std::int32_t>& streams, std::int32_t wanted,
                                 std::size_t limit);

struct Aedat4Batch {
  std::size_t taken = 0;     // bytes of packets
  std::uint64_t others = 0;  // packets of other streams among them
  std::string damage;        // what is wrong with the packet at `taken`; empty: nothing
};

struct Aedat4Dropped {
  std::uint64_t out_of_bounds = 0, negative_time = 0;  // events
};

// Packets are unfolded first; then their events become columns, or are counted.
class Aedat4BatchDecoder {
 public:
  Aedat4BatchDecoder(std::int32_t stream, bool lz4, std::uint32_t width, std::uint32_t height)
      : stream_(stream), lz4_(lz4), width_(width), height_(height) {}

  // Takes packets from `bytes`, all of them whole, while they unfold to no more than `limit` bytes
  // together; the first may unfold to `first_limit`. Ends before one that is damaged. Throws
  // std::invalid_argument where one is not whole. The bytes must stay while their events are read.
  Aedat4Batch unfold(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit,
                     std::size_t first_limit);
  // Takes what one more packet unfolds to. Throws std::invalid_argument where it is damaged. The
  // bytes must stay, too.
  void add(const std::uint8_t* payload, std::size_t n_bytes);
  // Lets go of what was taken.
  void clear();

  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }

  // The events of what was taken, in order.
  Aedat4Events events() const;
  // The same behind others, in columns that have room for them.
  void append_events(Aedat4Events& out) const;
  // Counts them until a slice is due; false then, and true where all are counted. Needs !to.due().
  bool count(SliceCounter& to);
  // What count() left out since it was last asked.
  Aedat4Dropped dropped();

 private:
  struct Records {
    const std::uint8_t* packet;  // nullptr: it lies in content_, which moves as it grows
    std::size_t first, n;        // where behind that, and how many
  };

  bool take(const std::uint8_t* packet, std::size_t size, std::size_t limit);
  const std::uint8_t* start(const Records& part) const {
    return (part.packet ? part.packet : content_.data()) + part.first;
  }
  std::size_t count_some(const std::uint8_t* records, std::size_t n, SliceCounter& to);

  std::int32_t stream_;
  bool lz4_;
  std::uint32_t width_, height_;
  Unfolded content_;
  std::vector<Records> records_;
  std::size_t unfolded_ = 0, n_events_ = 0;
  std::size_t part_ = 0, counted_ = 0;  // where count() goes on: in which records, and of them
  Aedat4Dropped dropped_;
};

}  // namespace saccade
