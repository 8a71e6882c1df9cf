#include "nmnist.hpp"

namespace saccade {
namespace {

constexpr std::uint32_t kOverflowRow = 240;  // no pixel: the time goes on by the period
constexpr std::uint64_t kPeriod = 1 << 13;   // us

}  // namespace

EventColumns NmnistDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(carry_.words(n_bytes));
  carry_.feed(bytes, n_bytes,
              [&](const std::uint8_t* records, std::size_t n) { run(records, n, out); });
  return out;
}

// On copies of the state: a time that is stored may, for all the compiler knows, lie in *this.
void NmnistDecoder::run(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  const std::uint32_t width = width_, height = height_;
  std::uint64_t offset = offset_, last = last_, overflows = 0, backwards = 0, outside = 0;
  std::size_t k = out.size;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* bytes = records + 5 * i;
    const std::uint32_t x = bytes[0], y = bytes[1];
    if (y == kOverflowRow) {
      ++overflows;
      offset += kPeriod;
      continue;
    }
    const std::uint32_t low = (bytes[2] & 0x7fu) << 16 | bytes[3] << 8 | bytes[4];
    const std::uint64_t t = offset + low;
    backwards += t < last;
    last = t;
    const bool inside = (x < width) & (y < height);
    out.t[k] = t;
    out.x[k] = static_cast<std::uint16_t>(x);
    out.y[k] = static_cast<std::uint16_t>(y);
    out.on[k] = (bytes[2] & 0x80) != 0;
    k += inside;
    outside += !inside;
  }
  out.size = k;
  offset_ = offset;
  last_ = last;
  overflows_ += overflows;
  time_backwards_ += backwards;
  out_of_bounds_ += outside;
}

}  // namespace saccade
