#include "nmnist.hpp"

namespace saccade {
namespace {

constexpr std::uint32_t kOverflowRow = 240;  // no pixel: the time goes on by the period
constexpr std::uint64_t kPeriod = 1 << 13;   // us

}  // namespace

EventColumns NmnistDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(carry_.words(n_bytes));
  carry_.feed(bytes, n_bytes, [&](const std::uint8_t* records, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) record(records + 5 * i, out);
  });
  return out;
}

void NmnistDecoder::record(const std::uint8_t* bytes, EventColumns& out) {
  const std::uint32_t x = bytes[0], y = bytes[1];
  if (y == kOverflowRow) {
    ++overflows_;
    offset_ += kPeriod;
    return;
  }
  const auto low = static_cast<std::uint64_t>((bytes[2] & 0x7f) << 16 | bytes[3] << 8 | bytes[4]);
  const std::uint64_t t = offset_ + low;
  time_backwards_ += t < last_;
  last_ = t;
  const bool inside = x < width_ && y < height_;
  out.t[out.size] = t;
  out.x[out.size] = static_cast<std::uint16_t>(x);
  out.y[out.size] = static_cast<std::uint16_t>(y);
  out.on[out.size] = (bytes[2] & 0x80) != 0;
  out.size += inside;
  out_of_bounds_ += !inside;
}

}  // namespace saccade
