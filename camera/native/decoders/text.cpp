#include "text.hpp"

#include <algorithm>
#include <cstring>

namespace saccade {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kShortestLine = 8;  // "0,0,0,0\n"
constexpr std::uint64_t kLatest = std::uint64_t{1} << 63;

// Every reader below is given text that ends with a line feed, which is part of no field: so none
// needs to be told where the text ends. Each gives where its field ends, nullptr where it is none.

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

const char* skip_blanks(const char* at) {
  while (is_blank(*at)) ++at;
  return at;
}

const char* read_digits(const char* at, int most, std::uint64_t& value) {
  const char* const first = at;
  value = 0;
  for (; is_digit(*at); ++at) value = 10 * value + static_cast<unsigned>(*at - '0');
  return at > first && at - first <= most ? at : nullptr;
}

// The seventh decimal rounds: a time that went through a double is printed a hair below its us.
const char* read_seconds(const char* at, std::uint64_t& us) {
  std::uint64_t whole;
  at = read_digits(at, 12, whole);
  if (at == nullptr) return nullptr;
  us = whole * 1'000'000;
  if (*at != '.') return at;
  ++at;
  std::uint64_t weight = 100'000;
  for (; is_digit(*at) && weight > 0; ++at, weight /= 10) {
    us += weight * static_cast<unsigned>(*at - '0');
  }
  us += is_digit(*at) && *at >= '5';
  while (is_digit(*at)) ++at;
  return at;
}

const char* read_time(const char* at, bool seconds, std::uint64_t& us) {
  at = seconds ? read_seconds(at, us) : read_digits(at, 19, us);
  return us < kLatest ? at : nullptr;
}

// A negative one is outside every sensor.
const char* read_coordinate(const char* at, std::uint64_t& value) {
  const bool negative = *at == '-';
  at = read_digits(at + negative, 9, value);
  if (negative && value > 0) value = UINT64_MAX;
  return at;
}

// Where `name` ends, if the text begins with it; never past the line feed, which no name has.
const char* read_name(const char* at, const char* name) {
  while (*name != '\0' && *at == *name) ++at, ++name;
  return *name == '\0' ? at : nullptr;
}

const char* read_polarity(const char* at, bool& on) {
  if (*at == '0' || *at == '1') {
    on = *at == '1';
    return at + 1;
  }
  on = false;
  for (const char* name : {"-1", "false", "False"}) {
    if (const char* end = read_name(at, name)) return end;
  }
  on = true;
  for (const char* name : {"true", "True"}) {
    if (const char* end = read_name(at, name)) return end;
  }
  return nullptr;
}

const char* read_separator(const char* at) {
  const char* const first = at;
  at = skip_blanks(at);
  if (*at == ',') at = skip_blanks(at + 1);
  return at > first ? at : nullptr;
}

// The start of the next line.
const char* read_end(const char* at) {
  at = skip_blanks(at);
  at += *at == '\r';
  return *at == '\n' ? at + 1 : nullptr;
}

}  // namespace

EventColumns TextDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(damage_ ? 0 : (pending_.size() + n_bytes) / kShortestLine + 2);
  const char* at = reinterpret_cast<const char*>(bytes);
  const char* const stop = at + n_bytes;
  fed_ += n_bytes;
  if (damage_ || n_bytes == 0) return out;
  if (!pending_.empty()) {
    const auto* end = static_cast<const char*>(std::memchr(at, '\n', n_bytes));
    const char* const next = end == nullptr ? stop : end + 1;
    keep(at, next);
    at = next;
    if (end != nullptr && !damage_) {
      const std::string line = std::move(pending_);
      pending_.clear();
      lines(line.data(), line.data() + line.size(), out);
    }
  }
  const char* whole = stop;
  while (whole > at && whole[-1] != '\n') --whole;
  if (!damage_) lines(at, whole, out);
  if (!damage_) keep(whole, stop);
  if (!damage_ && fed_ == layout_.total_bytes && layout_.columns.back() == 'p' &&
      !pending_.empty()) {
    const std::string line = std::move(pending_) + '\n';
    pending_.clear();
    lines(line.data(), line.data() + line.size(), out);
  }
  return out;
}

// Whole lines.
void TextDecoder::lines(const char* at, const char* stop, EventColumns& out) {
  while (at < stop) {
    const char* next = skip_blanks(at);
    if (*next == '#') {
      next =
          static_cast<const char*>(std::memchr(next, '\n', static_cast<std::size_t>(stop - next))) +
          1;
    } else if (*next == '\n' || *next == '\r') {
      next = read_end(next);
    } else {
      next = event(next, out);
    }
    if (next == nullptr) return fail("is no event (" + layout_.columns + ")");
    const auto size = static_cast<std::size_t>(next - at);
    if (size > kLongestLine) return fail("has more than 4096 bytes");
    offset_ += size;
    ++line_;
    at = next;
  }
}

// Written in any case and kept by a sum: whether a pixel is inside costs no branch.
const char* TextDecoder::event(const char* at, EventColumns& out) {
  std::uint64_t t = 0, x = 0, y = 0;
  bool on = false;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) at = read_separator(at);
    if (at == nullptr) return nullptr;
    switch (layout_.columns[i]) {
      case 't':
        at = read_time(at, layout_.seconds, t);
        break;
      case 'x':
        at = read_coordinate(at, x);
        break;
      case 'y':
        at = read_coordinate(at, y);
        break;
      default:
        at = read_polarity(at, on);
    }
    if (at == nullptr) return nullptr;
  }
  at = read_end(at);
  if (at == nullptr) return nullptr;
  time_backwards_ += t < last_;
  last_ = t;
  const bool inside = x < width_ && y < height_;
  out.t[out.size] = t;
  out.x[out.size] = static_cast<std::uint16_t>(x);
  out.y[out.size] = static_cast<std::uint16_t>(y);
  out.on[out.size] = on;
  out.size += inside;
  out_of_bounds_ += !inside;
  return at;
}

// Appends to the line that is not whole yet; a line too long is refused before it takes memory.
void TextDecoder::keep(const char* at, const char* stop) {
  const auto size = static_cast<std::size_t>(stop - at);
  if (pending_.size() + size > kLongestLine) {
    pending_.clear();
    return fail("has more than 4096 bytes");
  }
  pending_.append(at, size);
}

void TextDecoder::fail(std::string what) {
  damage_ = Damage{"line " + std::to_string(line_) + " " + std::move(what), offset_};
}

}  // namespace saccade
