// EVT2, eight words at a time with NEON; as evt2_avx2.cpp.
#include <algorithm>
#include <cstring>

#include "cpu.hpp"
#include "evt2.hpp"
#include "slice_counter.hpp"

#ifndef SACCADE_X86
namespace saccade {

#ifdef SACCADE_NEON
namespace {

// Eight words' fields, and whether all are events inside the sensor.
struct Fields {
  uint32x4_t x[2], y[2], on[2], low[2];  // low: of the time
  bool good;

  Fields(const std::uint8_t* words, std::uint32_t width, std::uint32_t height) {
    const uint32x4_t low11 = vdupq_n_u32(0x7ff);
    uint32x4_t fine = vdupq_n_u32(~0u);
    for (int i = 0; i < 2; ++i) {
      const uint32x4_t w = vreinterpretq_u32_u8(vld1q_u8(words + 16 * i));
      x[i] = vandq_u32(vshrq_n_u32(w, 11), low11);
      y[i] = vandq_u32(w, low11);
      on[i] = vshrq_n_u32(w, 28);
      low[i] = vandq_u32(vshrq_n_u32(w, 22), vdupq_n_u32(0x3f));
      const uint32x4_t inside =
          vandq_u32(vcltq_u32(x[i], vdupq_n_u32(width)), vcltq_u32(y[i], vdupq_n_u32(height)));
      fine = vandq_u32(fine, vandq_u32(inside, vcltq_u32(on[i], vdupq_n_u32(2))));
    }
    good = vminvq_u32(fine) != 0;
  }
};

uint16x8_t narrow(const uint32x4_t v[2]) { return vcombine_u16(vmovn_u32(v[0]), vmovn_u32(v[1])); }

}  // namespace

std::size_t Evt2Decoder::wide(const std::uint8_t* words, std::size_t n_words,
                              EventColumns& out) const {
  const uint64x2_t time = vdupq_n_u64(clock_.value() << 6);
  std::size_t i = 0, k = out.size;
  for (; i + 8 <= n_words; i += 8, k += 8) {
    const Fields f(words + 4 * i, width_, height_);
    if (!f.good) break;
    for (int j = 0; j < 2; ++j) {
      std::uint64_t* const t = out.t.get() + k + 4 * j;
      vst1q_u64(t, vorrq_u64(vmovl_u32(vget_low_u32(f.low[j])), time));
      vst1q_u64(t + 2, vorrq_u64(vmovl_u32(vget_high_u32(f.low[j])), time));
    }
    vst1q_u16(out.x.get() + k, narrow(f.x));
    vst1q_u16(out.y.get() + k, narrow(f.y));
    vst1_u8(reinterpret_cast<std::uint8_t*>(out.on.get() + k), vmovn_u16(narrow(f.on)));
  }
  out.size = k;
  return i;
}

bool Evt2Decoder::counts_wide(const SliceCounter& to) const {
  return wide_ && to.counters().takes_eights();
}

std::size_t Evt2Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                    SliceCounter& to) {
  if (!counts_wide(to) || !clock_.started()) return 0;
  triggers_.clear();
  Counters::Adder adder(to.counters());
  const std::uint64_t time = clock_.value() << 6;
  uint32x4_t least = vdupq_n_u32(0x3f), most = vdupq_n_u32(0);
  std::size_t i = 0;
  for (; i + 8 <= n_words; i += 8) {
    const Fields f(words + 4 * i, width_, height_);
    if (!f.good || !to.takes(time, time | 0x3f, i + 8)) break;
    adder.eight(f.x, f.y, f.on);
    least = vminq_u32(least, vminq_u32(f.low[0], f.low[1]));
    most = vmaxq_u32(most, vmaxq_u32(f.low[0], f.low[1]));
  }
  if (i > 0) to.took(time | vminvq_u32(least), time | vmaxvq_u32(most), i);
  return i;
}
#else
bool Evt2Decoder::counts_wide(const SliceCounter&) const { return false; }
std::size_t Evt2Decoder::count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }
#endif

}  // namespace saccade
#endif
