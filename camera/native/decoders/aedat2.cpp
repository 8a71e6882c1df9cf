#include "aedat2.hpp"

namespace saccade {
namespace {

using Layout = Aedat2Decoder::Layout;

constexpr std::size_t kRecord = 8, kBlock = 8;
constexpr std::uint32_t kRise = 1u << 30;

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

// How a chip packs an event into its address; DVS128 sets its bit for a pixel that got darker,
// DAVIS for one that got brighter.
template <Layout kLayout>
struct Address {
  static constexpr bool kDavis = kLayout == Layout::davis;
  // DAVIS: bit 31 marks a sample; bit 10 alone the special inputs, as bit 15 does with the DVS128.
  static constexpr std::uint32_t kSample = kDavis ? 1u << 31 : 0,
                                 kSpecial = kDavis ? 0x400 : 0x8000;

  static std::uint32_t x(std::uint32_t a) { return kDavis ? (a >> 12) & 0x3ff : (a >> 1) & 0x7f; }
  static std::uint32_t y(std::uint32_t a) { return kDavis ? (a >> 22) & 0x1ff : (a >> 8) & 0x7f; }
  static bool on(std::uint32_t a) { return kDavis ? (a & 0x800) != 0 : (a & 1) == 0; }
};

}  // namespace

EventColumns Aedat2Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(carry_.words(n_bytes));
  carry_.feed(bytes, n_bytes, [&](const std::uint8_t* records, std::size_t n) {
    layout_ == Layout::davis ? run<Layout::davis>(records, n, out)
                             : run<Layout::dvs128>(records, n, out);
  });
  return out;
}

// Blocks of nothing but events inside the sensor, whose times never fall and rise so little that
// the clock takes them all at once with the same result, need no state: nearly all are.
template <Layout kLayout>
void Aedat2Decoder::run(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  using A = Address<kLayout>;
  const std::uint32_t width = width_, height = height_;
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    const std::uint8_t* block = records + i * kRecord;
    const std::uint64_t now = clock_.value();
    const std::uint32_t first = static_cast<std::uint32_t>(now);
    std::uint32_t address[kBlock], time[kBlock], last = first;
    bool good = clock_.started();
    for (std::size_t j = 0; j < kBlock; ++j) {
      const std::uint32_t a = address[j] = big_endian(block + j * kRecord);
      const std::uint32_t t = time[j] = big_endian(block + j * kRecord + 4);
      good &= (a & (A::kSample | A::kSpecial)) == 0;
      good &= A::x(a) < width;
      good &= A::y(a) < height;
      good &= t >= last;
      last = t;
    }
    if (good && last - first < kRise) {
      const std::size_t k = out.size;
      for (std::size_t j = 0; j < kBlock; ++j) {
        out.t[k + j] = now - first + time[j];
        out.x[k + j] = static_cast<std::uint16_t>(A::x(address[j]));
        out.y[k + j] = static_cast<std::uint16_t>(A::y(address[j]));
        out.on[k + j] = A::on(address[j]);
      }
      out.size = k + kBlock;
      clock_.advance(last);
    } else {
      for (std::size_t j = 0; j < kBlock; ++j) record<kLayout>(block + j * kRecord, out);
    }
  }
  for (; i < n; ++i) record<kLayout>(records + i * kRecord, out);
}

// Written in any case and kept by a sum: whether a pixel is inside costs no branch.
template <Layout kLayout>
void Aedat2Decoder::record(const std::uint8_t* bytes, EventColumns& out) {
  using A = Address<kLayout>;
  const std::uint32_t address = big_endian(bytes);
  if (!is_event<kLayout>(address)) return;
  time_backwards_ += !clock_.advance(big_endian(bytes + 4));
  const std::uint32_t x = A::x(address), y = A::y(address);
  const bool inside = x < width_ && y < height_;
  out.t[out.size] = clock_.value();
  out.x[out.size] = static_cast<std::uint16_t>(x);
  out.y[out.size] = static_cast<std::uint16_t>(y);
  out.on[out.size] = A::on(address);
  out.size += inside;
  out_of_bounds_ += !inside;
}

// A DAVIS's sample is of the IMU where bits 10 and 11 are set, else of the image sensor.
template <Layout kLayout>
bool Aedat2Decoder::is_event(std::uint32_t address) {
  using A = Address<kLayout>;
  const bool sample = (address & A::kSample) != 0;
  const bool special = !sample && (address & A::kSpecial) != 0;
  const bool imu = sample && (address & 0xc00) == 0xc00;
  special_ += special;
  imu_ += imu;
  aps_ += sample && !imu;
  return !sample && !special;
}

}  // namespace saccade
