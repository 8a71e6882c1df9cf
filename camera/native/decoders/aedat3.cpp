#include "aedat3.hpp"

#include <algorithm>
#include <cstring>

#include "expand.hpp"

namespace saccade {
namespace {

// libcaer's numbers; those below 100 are its own, those from there on its users'.
constexpr std::uint16_t kSpecial = 0, kPolarity = 1, kFrame = 2, kImu6 = 3, kImu9 = 4, kLast = 13,
                        kUsers = 100, kCompressed = 0x8000;
constexpr std::size_t kBlock = 8;

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

// Eight events: their times and their data words.
struct Block {
  U32x4 t0, t1, d0, d1;

  SACCADE_INLINE explicit Block(const std::uint8_t* events) {
    const auto a = load_vector<U32x4>(events), b = load_vector<U32x4>(events + 16);
    const auto c = load_vector<U32x4>(events + 32), d = load_vector<U32x4>(events + 48);
    d0 = SACCADE_SHUFFLE(U32x4, a, b, 0, 2, 4, 6);
    d1 = SACCADE_SHUFFLE(U32x4, c, d, 0, 2, 4, 6);
    t0 = SACCADE_SHUFFLE(U32x4, a, b, 1, 3, 5, 7);
    t1 = SACCADE_SHUFFLE(U32x4, c, d, 1, 3, 5, 7);
  }

  SACCADE_INLINE static U32x4 x(U32x4 data) { return data >> 17; }
  SACCADE_INLINE static U32x4 y(U32x4 data) { return (data >> 2) & 0x7fff; }

  // Whether every event is valid, up to right and bottom, of a time that is not negative, and not
  // before the one in front of it, at first last[3]. All but the first by a difference's top bit.
  SACCADE_INLINE bool is_good(U32x4 last, U32x4 right, U32x4 bottom) const {
    const U32x4 before0 = SACCADE_SHUFFLE(U32x4, last, t0, 3, 4, 5, 6);
    const U32x4 before1 = SACCADE_SHUFFLE(U32x4, t0, t1, 3, 4, 5, 6);
    const U32x4 top = t0 | t1 | (t0 - before0) | (t1 - before1) | (right - x(d0)) |
                      (right - x(d1)) | (bottom - y(d0)) | (bottom - y(d1));
    const auto bad = reinterpret_cast<U64x2>((top & 0x80000000u) | (~(d0 & d1) & 1u));
    return (bad[0] | bad[1]) == 0;
  }

  SACCADE_INLINE void store(std::uint64_t base, std::uint64_t* t, std::uint16_t* x_out,
                            std::uint16_t* y_out, bool* on) const {
    const U32x4 zero{};
    const auto add = [&](std::uint64_t* to, U32x4 low) {
      store_vector(to, reinterpret_cast<U64x2>(low) + base);
    };
    add(t, SACCADE_SHUFFLE(U32x4, t0, zero, 0, 4, 1, 5));
    add(t + 2, SACCADE_SHUFFLE(U32x4, t0, zero, 2, 4, 3, 5));
    add(t + 4, SACCADE_SHUFFLE(U32x4, t1, zero, 0, 4, 1, 5));
    add(t + 6, SACCADE_SHUFFLE(U32x4, t1, zero, 2, 4, 3, 5));
    store_vector(x_out, narrow(x(d0), x(d1)));
    store_vector(y_out, narrow(y(d0), y(d1)));
    const U8x16 signs = narrow(narrow((d0 >> 1) & 1u, (d1 >> 1) & 1u));
    std::memcpy(on, &signs, kBlock);
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
  const auto ahead = [&] { return last_ > base_ ? last_ - base_ : 0; };
  std::size_t i = 0;
  if (ahead() < 0x80000000u) {  // else every event of this packet goes back in time
    const U32x4 right = U32x4{} + (width_ - 1), bottom = U32x4{} + (height_ - 1);
    U32x4 last = U32x4{} + static_cast<std::uint32_t>(ahead());
    for (; i + kBlock <= n_words; i += kBlock) {
      const Block block(words + 8 * i);
      if (block.is_good(last, right, bottom)) {
        const std::size_t k = out.size;
        block.store(base_, &out.t[k], &out.x[k], &out.y[k], &out.on[k]);
        out.size = k + kBlock;
        last = block.t1;
        last_ = base_ + block.t1[3];
      } else {
        run_any(words + 8 * i, kBlock, out);
        last = U32x4{} + static_cast<std::uint32_t>(ahead());
      }
    }
  }
  run_any(words + 8 * i, n_words - i, out);
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
