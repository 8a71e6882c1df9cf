// What the encodings of event_camera_msgs share whose packets have a time base of their own.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"
#include "packet_queue.hpp"

namespace saccade {

// `Encoding` has start(time_base), called at each packet's first word, and run(words, n_words,
// out); and a most_events(bytes, n_bytes) of its own where a word may hold more than one.
template <typename Encoding, std::size_t Word>
class PacketDecoder {
 public:
  // A packet of n_bytes follows those announced before; time_base in ns.
  void announce(std::uint64_t time_base, std::uint64_t n_bytes) {
    packets_.announce(time_base, n_bytes / Word);
  }

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes) {
    EventColumns out(self().most_events(bytes, n_bytes));
    carry_.feed(bytes, n_bytes, [&](const std::uint8_t* words, std::size_t n_words) {
      packets_.template split<Word>(
          words, n_words, [&](std::uint64_t time_base) { self().start(time_base); },
          [&](const std::uint8_t* part, std::size_t n) { self().run(part, n, out); });
    });
    return out;
  }

  Counts skipped() const { return {{"time_backwards", backwards_}}; }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  std::size_t pending_bytes() const { return carry_.size(); }

 protected:
  PacketDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  std::size_t most_events(const std::uint8_t*, std::size_t n_bytes) const {
    return carry_.words(n_bytes);
  }

  Carry<Word> carry_;
  std::uint32_t width_, height_;
  std::uint64_t base_us_ = 0;  // of the packet
  std::uint64_t last_ = 0;     // time of the last event delivered
  std::uint64_t out_of_bounds_ = 0, backwards_ = 0;

 private:
  Encoding& self() { return static_cast<Encoding&>(*this); }

  PacketQueue packets_;
};

}  // namespace saccade
