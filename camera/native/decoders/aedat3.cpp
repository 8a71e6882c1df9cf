#include "aedat3.hpp"

#include <algorithm>
#include <cstring>

namespace saccade {
namespace {

// libcaer's numbers; those below 100 are its own, those from there on its users'.
constexpr std::uint16_t kSpecial = 0, kPolarity = 1, kFrame = 2, kImu6 = 3, kImu9 = 4, kLast = 13,
                        kUsers = 100, kCompressed = 0x8000;
constexpr std::size_t kBlock = 64;

// Bytes of an event of this type, 0 where they vary or are not known.
std::int32_t event_size(std::uint16_t type) {
  switch (type) {
    case kSpecial:
    case kPolarity:
      return 8;
    case kImu6:
      return 36;
    case kImu9:
      return 48;
    default:
      return 0;
  }
}

// A block of whole events, copied to where a compiler may load it in vectors.
struct Block {
  std::uint32_t words[2 * kBlock];

  explicit Block(const std::uint8_t* bytes) { std::memcpy(words, bytes, sizeof words); }

  // Whether every event is valid, inside the sensor, of a time that is not negative, and not before
  // the one in front of it. All but the first are told by the top bit of a difference.
  bool is_good(std::uint32_t width, std::uint32_t height) const {
    std::uint32_t valid = 1, top = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::uint32_t data = words[2 * i], x = data >> 17, y = (data >> 2) & 0x7fff;
      valid &= data;
      top |= words[2 * i + 1] | (width - 1 - x) | (height - 1 - y);
    }
    for (std::size_t i = 1; i < kBlock; ++i) top |= words[2 * i + 1] - words[2 * i - 1];
    return valid != 0 && top < 0x80000000u;
  }

  void store(std::uint64_t base, EventColumns& out) const {
    std::uint64_t* const __restrict t = out.t.get() + out.size;
    std::uint16_t* const __restrict x = out.x.get() + out.size;
    std::uint16_t* const __restrict y = out.y.get() + out.size;
    bool* const __restrict on = out.on.get() + out.size;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::uint32_t data = words[2 * i];
      t[i] = base + words[2 * i + 1];
      x[i] = static_cast<std::uint16_t>(data >> 17);
      y[i] = static_cast<std::uint16_t>((data >> 2) & 0x7fff);
      on[i] = (data & 2) != 0;
    }
    out.size += kBlock;
  }
};

}  // namespace

EventColumns Aedat3Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(carry_.words(n_bytes));
  while (n_bytes > 0 && !damage_) {
    std::size_t taken;
    if (n_packet_ < kHeader) {
      taken = header(bytes, n_bytes);
    } else {
      taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, n_bytes));
      if (polarity_)
        carry_.feed(bytes, taken, [&](const std::uint8_t* w, std::size_t n) { run(w, n, out); });
      left_ -= taken;
      n_packet_ += taken;
    }
    bytes += taken;
    n_bytes -= taken;
    if (n_packet_ >= kHeader && left_ == 0 && !damage_) {
      offset_ += n_packet_;
      n_packet_ = 0;
    }
  }
  return out;
}

// Takes bytes of a packet's header; how many.
std::size_t Aedat3Decoder::header(const std::uint8_t* bytes, std::size_t n_bytes) {
  const std::size_t taken = std::min<std::size_t>(kHeader - n_packet_, n_bytes);
  std::copy_n(bytes, taken, header_ + n_packet_);
  n_packet_ += taken;
  if (n_packet_ == kHeader) {
    Header h;
    static_assert(sizeof h == kHeader, "the header has no gaps");
    std::memcpy(&h, header_, kHeader);
    if (std::string what = problem(h); !what.empty())
      damage_ = Damage{std::move(what), offset_};
    else
      start(h);
  }
  return taken;
}

// What no packet has; "" for a sound header.
std::string Aedat3Decoder::problem(const Header& h) const {
  const bool compressed = h.type == (kCompressed | kFrame) && png_frames_;
  const std::uint16_t type = compressed ? kFrame : h.type;
  if (type >= kCompressed || (type > kLast && type < kUsers))
    return "a packet is of the unknown type " + std::to_string(type);
  const std::int32_t size = event_size(type);
  if (size > 0 ? h.size != size : h.size < (type == kFrame ? 36 : 8))
    return "a packet's events of type " + std::to_string(type) + " have a size of " +
           std::to_string(h.size);
  if (h.time_offset < 0 || h.time_offset > h.size - 4 || (type == kPolarity && h.time_offset != 4))
    return "a packet's time lies at " + std::to_string(h.time_offset) + " in its events";
  if (h.overflow < 0) return "a packet's count of overflows is negative";
  if (h.number < 0 || (compressed ? h.capacity < 0 : h.capacity != h.number))
    return "a packet of " + std::to_string(h.number) + " events has room for " +
           std::to_string(h.capacity);
  if (h.valid < 0 || h.valid > h.number)
    return "of a packet's " + std::to_string(h.number) + " events " + std::to_string(h.valid) +
           " are said to be valid";
  return "";
}

void Aedat3Decoder::start(const Header& h) {
  const auto number = static_cast<std::uint64_t>(h.number);
  const bool compressed = h.type >= kCompressed;  // its capacity is the bytes of its frames
  const std::uint16_t type = compressed ? kFrame : h.type;
  left_ = compressed ? static_cast<std::uint64_t>(h.capacity)
                     : number * static_cast<std::uint64_t>(h.size);
  base_ = static_cast<std::uint64_t>(h.overflow) << 31;
  polarity_ = type == kPolarity;
  special_ += type == kSpecial ? number : 0;
  frames_ += type == kFrame ? number : 0;
  imu_ += type == kImu6 || type == kImu9 ? number : 0;
  others_ += type > kImu9 ? number : 0;
}

// Blocks without anything to drop or to count, which are nearly all, cost no decision per event.
void Aedat3Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  for (; n_words >= kBlock; words += 8 * kBlock, n_words -= kBlock) {
    const Block block(words);
    if (base_ + block.words[1] >= last_ && block.is_good(width_, height_)) {
      block.store(base_, out);
      last_ = out.t[out.size - 1];
    } else {
      run_any(words, kBlock, out);
    }
  }
  run_any(words, n_words, out);
}

// Each class counts what the ones before it left: no event is counted twice.
void Aedat3Decoder::run_any(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  for (std::size_t i = 0; i < n_words; ++i) {
    std::uint32_t data, time;
    std::memcpy(&data, words + 8 * i, 4);
    std::memcpy(&time, words + 8 * i + 4, 4);
    const std::uint32_t x = data >> 17, y = (data >> 2) & 0x7fff;
    const bool valid = (data & 1) != 0, positive = time < 0x80000000u;
    const bool inside = (x < width_) & (y < height_);
    const bool kept = valid & positive & inside;
    const std::uint64_t t = base_ + time;
    out.t[out.size] = t;
    out.x[out.size] = static_cast<std::uint16_t>(x);
    out.y[out.size] = static_cast<std::uint16_t>(y);
    out.on[out.size] = (data & 2) != 0;
    out.size += kept;
    invalid_ += !valid;
    negative_time_ += valid & !positive;
    out_of_bounds_ += valid & positive & !inside;
    backwards_ += kept & (t < last_);
    last_ = kept ? t : last_;
  }
}

}  // namespace saccade
