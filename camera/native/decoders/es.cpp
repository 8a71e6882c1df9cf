#include "es.hpp"

#include <algorithm>
#include <new>

namespace saccade {

// Zeroed by the system, page by page as pixels are touched: a header's size costs nothing yet.
EsDecoder::EsDecoder(std::uint32_t width, std::uint32_t height, Kind kind)
    : width_(width),
      height_(height),
      kind_(kind),
      size_(kind == Kind::colour ? 8 : 5),
      luma_(nullptr, &std::free) {
  if (kind != Kind::colour) return;
  luma_.reset(static_cast<std::uint8_t*>(std::calloc(std::size_t{width} * height, 1)));
  if (luma_ == nullptr) throw std::bad_alloc();
}

EventColumns EsDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out((n_pending_ + n_bytes) / size_);
  std::size_t i = 0;
  if (n_pending_ > 0) {
    i = std::min(size_ - n_pending_, n_bytes);
    std::copy_n(bytes, i, pending_ + n_pending_);
    n_pending_ += i;
    if (n_pending_ < size_) return out;
    event(pending_, out);
    n_pending_ = 0;
  }
  if (kind_ == Kind::dvs) i += run_dvs(bytes + i, n_bytes - i, out);
  while (i < n_bytes) {
    if (overflow(bytes[i])) {
      ++i;
    } else if (n_bytes - i >= size_) {
      event(bytes + i, out);
      i += size_;
    } else {
      n_pending_ = n_bytes - i;
      std::copy_n(bytes + i, n_pending_, pending_);
      break;
    }
  }
  return out;
}

// Whole events of the commonest kind, on copies of the state: a time that is stored may, for all
// the compiler knows, lie in *this. Returns the bytes that they took.
std::size_t EsDecoder::run_dvs(const std::uint8_t* bytes, std::size_t n_bytes, EventColumns& out) {
  const std::uint32_t width = width_, height = height_;
  std::uint64_t t = t_, outside = 0;
  std::size_t i = 0, k = out.size;
  while (i + 5 <= n_bytes) {
    const std::uint8_t* event = bytes + i;
    if (event[0] >= 0xfe) {
      t += event[0] == 0xff ? 127 : 0;
      ++i;
      continue;
    }
    t += event[0] >> 1;
    const auto x = static_cast<std::uint32_t>(event[1] | event[2] << 8);
    const auto up = static_cast<std::uint32_t>(event[3] | event[4] << 8);  // from the bottom
    const bool inside = (x < width) & (up < height);
    out.t[k] = t;
    out.x[k] = static_cast<std::uint16_t>(x);
    out.y[k] = static_cast<std::uint16_t>(height - 1 - up);
    out.on[k] = (event[0] & 1) != 0;
    k += inside;
    outside += !inside;
    i += 5;
  }
  out.size = k;
  t_ = t;
  out_of_bounds_ += outside;
  return i;
}

// A byte of elapsed time alone, or one that resets a link and adds none.
bool EsDecoder::overflow(std::uint8_t byte) {
  switch (kind_) {
    case Kind::dvs:
      if (byte < 0xfe) return false;
      t_ += byte == 0xff ? 127 : 0;
      return true;
    case Kind::atis:
      if (byte < 0xfc) return false;
      t_ += 63u * (byte & 3);
      return true;
    default:
      if (byte < 0xfe) return false;
      t_ += byte == 0xff ? 254 : 0;
      return true;
  }
}

void EsDecoder::event(const std::uint8_t* bytes, EventColumns& out) {
  const std::uint8_t head = bytes[0];
  t_ += kind_ == Kind::dvs ? head >> 1 : kind_ == Kind::atis ? head >> 2 : head;
  const auto x = static_cast<std::uint32_t>(bytes[1] | bytes[2] << 8);
  const auto up = static_cast<std::uint32_t>(bytes[3] | bytes[4] << 8);  // from the bottom
  if (kind_ == Kind::atis && (head & 1) != 0) {
    ++exposures_;
    return;
  }
  if (x >= width_ || up >= height_) {
    ++out_of_bounds_;
    return;
  }
  const std::uint32_t y = height_ - 1 - up;
  out.t[out.size] = t_;
  out.x[out.size] = static_cast<std::uint16_t>(x);
  out.y[out.size] = static_cast<std::uint16_t>(y);
  out.on[out.size] = kind_ == Kind::dvs    ? (head & 1) != 0
                     : kind_ == Kind::atis ? (head & 2) != 0
                                           : brighter(x, y, bytes + 5);
  ++out.size;
}

// A colour has no polarity: it is compared with the pixel's colour before (black at first), both by
// their luma (ITU-R BT.601).
bool EsDecoder::brighter(std::uint32_t x, std::uint32_t y, const std::uint8_t* rgb) {
  std::uint8_t& before = luma_.get()[std::size_t{y} * width_ + x];
  const auto luma = static_cast<std::uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000);
  const bool on = luma >= before;
  before = luma;
  return on;
}

}  // namespace saccade
