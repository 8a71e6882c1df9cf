// Events as Prophesee EVT3 and EVT2 words, in the order given and with their exact times.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "clock.hpp"

namespace saccade {

struct EventView {
  const std::uint64_t* t;  // us
  const std::uint16_t* x;
  const std::uint16_t* y;
  const bool* on;
  std::size_t size;
};

struct EncodedBytes {
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t size = 0;
};

// Both encoders: encode() throws std::invalid_argument where the format cannot hold the times, and
// then has changed nothing; undo() takes back the last encode(), whose bytes reached no file.
class Evt3Encoder {
 public:
  // Times are written from `origin` us; vectors never run past `width` (at most 2048).
  Evt3Encoder(std::uint32_t width, std::uint64_t origin) : width_(width), origin_(origin) {}

  EncodedBytes encode(const EventView& events);
  void undo() { state_ = before_; }

 private:
  struct State {
    SteppingClock<12, 12> clock;
    std::uint32_t low = kNone, row = kNone;
  };
  static constexpr std::uint32_t kNone = 0xffff;

  std::uint32_t width_;
  std::uint64_t origin_;
  State state_, before_;
};

class Evt2Encoder {
 public:
  Evt2Encoder(std::uint32_t, std::uint64_t origin) : origin_(origin) {}

  EncodedBytes encode(const EventView& events);
  void undo() { clock_ = before_; }

 private:
  std::uint64_t origin_;
  SteppingClock<28, 6> clock_, before_;
};

}  // namespace saccade
