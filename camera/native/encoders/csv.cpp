#include "csv.hpp"

#include <charconv>

namespace saccade {
namespace {

constexpr std::size_t kLine = 20 + 1 + 5 + 1 + 5 + 1 + 1 + 1;  // digits, commas, the line's end

char* number(char* at, std::uint64_t value, char after) {
  at = std::to_chars(at, at + 20, value).ptr;
  *at = after;
  return at + 1;
}

}  // namespace

EncodedBytes encode_csv(const EventView& e) {
  // 20 more: to_chars is told of the longest number wherever it writes.
  EncodedBytes out{std::unique_ptr<std::uint8_t[]>(new std::uint8_t[kLine * e.size + 20])};
  char* const first = reinterpret_cast<char*>(out.bytes.get());
  char* at = first;
  for (std::size_t i = 0; i < e.size; ++i) {
    at = number(at, e.t[i], ',');
    at = number(at, e.x[i], ',');
    at = number(at, e.y[i], ',');
    *at++ = e.on[i] ? '1' : '0';
    *at++ = '\n';
  }
  out.size = static_cast<std::size_t>(at - first);
  return out;
}

}  // namespace saccade
