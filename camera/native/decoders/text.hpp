// Events as text: one line each, in the columns that the file's layout names.
#pragma once
#include "decoder.hpp"

namespace saccade {

struct TextLayout {
  std::string columns = "txyp";   // their order, one letter each
  bool seconds = false;           // times are decimal seconds, else whole us
  std::uint64_t first_line = 1;   // the number of the first line to come, for messages
  std::uint64_t total_bytes = 0;  // where the text ends, 0 unknown: see TextDecoder
};

// Fields are split by blanks, one comma or both; lines of a `#` and what follows, and empty ones,
// are passed over. Polarity is 0, -1 or false, 1 or true. Seconds are rounded to the nearest us
// from their digits: no floating point takes part.
//
// A line ends at its line feed. The last one may lack it where the polarity stands last and the
// text ends at total_bytes: cut off inside another column, it would give a wrong number.
class TextDecoder {
 public:
  TextDecoder(std::uint32_t width, std::uint32_t height, const TextLayout& layout)
      : width_(width), height_(height), line_(layout.first_line), layout_(layout) {}

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const { return {{"time_backwards", time_backwards_}}; }
  std::size_t pending_bytes() const { return damage_ ? 0 : pending_.size(); }
  std::optional<Damage> damage() const { return damage_; }

 private:
  void lines(const char* at, const char* stop, EventColumns& out);
  const char* event(const char* at, EventColumns& out);
  void keep(const char* at, const char* stop);
  void fail(std::string what);

  std::uint32_t width_, height_;
  std::uint64_t line_, last_ = 0;       // last_: us
  std::uint64_t fed_ = 0, offset_ = 0;  // bytes; offset_: of the next line
  std::uint64_t out_of_bounds_ = 0, time_backwards_ = 0;
  TextLayout layout_;
  std::string pending_;  // a line that is not whole yet
  std::optional<Damage> damage_;
};

inline const TextLayout kRpgText{"txyp", true};
inline const TextLayout kTextXypt{"xypt", false};

}  // namespace saccade
