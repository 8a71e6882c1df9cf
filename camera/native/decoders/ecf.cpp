#include "ecf.hpp"

#include <algorithm>
#include <cstring>

namespace saccade {
namespace {

constexpr std::size_t kGroup = 4;   // packed events
constexpr std::size_t kMasked = 6;  // events of one x word at most
constexpr std::size_t kSpare = 8;   // places after the last event, for groups that are not full

struct Cut {  // thrown and caught in this file only
  const char* what;
  const std::uint8_t* at;
};

// A cursor that never passes the end.
class Reader {
 public:
  Reader(const std::uint8_t* bytes, std::size_t n) : at_(bytes), end_(bytes + n) {}

  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, need(sizeof(T)), sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  const std::uint8_t* take(std::size_t n) {
    const std::uint8_t* start = need(n);
    at_ += n;
    return start;
  }

  const std::uint8_t* at() const { return at_; }

 private:
  const std::uint8_t* need(std::size_t n) const {
    if (static_cast<std::size_t>(end_ - at_) < n) throw Cut{"a chunk ends too early", at_};
    return at_;
  }

  const std::uint8_t *at_, *end_;
};

// Writes `run` copies; false where they are more than the places left.
template <typename T>
void fill(T* column, std::size_t& i, std::size_t n, T value, std::size_t run, const Reader& in) {
  if (run > n - i) throw Cut{"a run in a chunk is longer than the chunk", in.at()};
  std::fill_n(column + i, run, value);
  i += run;
}

void read_times(Reader& in, std::uint64_t* t, std::size_t n) {
  std::uint64_t time = in.take<std::uint64_t>(), step = 0;
  unsigned shift = 0;
  for (std::size_t i = 0; i < n;) {
    const std::uint8_t byte = in.take<std::uint8_t>();
    std::size_t low = byte & 15;
    if (byte >> 4 == 15) {
      if (shift >= 64) throw Cut{"a step in time has more than 64 bits", in.at() - 1};
      step |= static_cast<std::uint64_t>(low) << shift;
      shift += 4;
      continue;
    }
    time += step + (byte >> 4);
    step = shift = 0;
    if (low == 15) low = in.take<std::uint16_t>();
    fill(t, i, n, time, low, in);
  }
}

void read_rows(Reader& in, std::uint16_t* y, std::size_t n) {
  for (std::size_t i = 0; i < n;) {
    const std::uint16_t word = in.take<std::uint16_t>();
    std::size_t run = word & 31;
    if (run == 31) run = in.take<std::uint16_t>();
    fill(y, i, n, static_cast<std::uint16_t>(word >> 5), run, in);
  }
}

void read_columns(Reader& in, std::uint16_t* x, std::size_t n) {
  for (std::size_t i = 0; i < n;) {
    const std::uint16_t word = in.take<std::uint16_t>();
    const std::uint16_t first = word >> 5;
    x[i++] = first;
    // All five places are written, those not in the mask over again: no branch.
    for (unsigned j = 1; j < kMasked; ++j) {
      x[i] = static_cast<std::uint16_t>(first + j);
      i += (word >> (5 - j)) & 1;
    }
  }
}

void read_polarities(Reader& in, bool* on, std::size_t n) {
  for (std::size_t i = 0; i < n;) {
    const std::uint8_t byte = in.take<std::uint8_t>();
    std::size_t run = byte & 127;
    if (run == 127) run = in.take<std::uint16_t>();
    fill(on, i, n, (byte >> 7) != 0, run, in);
  }
}

template <typename Word>
void load(const std::uint8_t* bytes, Word (&w)[3]) {
  std::memcpy(w, bytes, sizeof(w));
}

void read_packed_columns(Reader& in, EventColumns& out, std::size_t n) {
  const std::size_t n_groups = (n + kGroup - 1) / kGroup;
  const std::uint8_t* groups = in.take(n_groups * 6);
  std::uint16_t* const x = out.x.get();
  bool* const on = out.on.get();
  for (std::size_t g = 0; g < n_groups; ++g) {
    std::uint16_t w[3];
    load(groups + g * 6, w);
    const unsigned v[kGroup] = {static_cast<unsigned>(w[0]) >> 4, (w[0] & 0xfu) | (w[1] >> 8u) << 4,
                                (w[1] & 0xffu) | (w[2] >> 12u) << 8, w[2] & 0xfffu};
    for (std::size_t j = 0; j < kGroup; ++j) {
      x[g * kGroup + j] = static_cast<std::uint16_t>(v[j] >> 1);
      on[g * kGroup + j] = (v[j] & 1) != 0;
    }
  }
}

void read_packed(Reader& in, EventColumns& out, std::size_t n) {
  const std::size_t n_groups = (n + kGroup - 1) / kGroup;
  const std::uint8_t* groups = in.take(n_groups * 12);
  std::uint16_t *const x = out.x.get(), *const y = out.y.get();
  bool* const on = out.on.get();
  for (std::size_t g = 0; g < n_groups; ++g) {
    std::uint32_t w[3];
    load(groups + g * 12, w);
    const std::uint32_t v[kGroup] = {w[0] >> 8, (w[0] & 0xff) | (w[1] >> 16) << 8,
                                     (w[1] & 0xffff) | (w[2] >> 24) << 16, w[2] & 0xffffff};
    for (std::size_t j = 0; j < kGroup; ++j) {
      y[g * kGroup + j] = static_cast<std::uint16_t>((v[j] >> 12) & 0x7ff);
      x[g * kGroup + j] = static_cast<std::uint16_t>((v[j] >> 1) & 0x7ff);
      on[g * kGroup + j] = (v[j] & 1) != 0;
    }
  }
}

// Moves the events inside the sensor to the front.
void keep_inside(EcfEvents& out, std::size_t n, std::uint32_t width, std::uint32_t height) {
  EventColumns& e = out.events;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t k = e.size;
    const bool inside = e.x[i] < width && e.y[i] < height, positive = !(e.t[i] >> 63);
    e.t[k] = e.t[i];
    e.x[k] = e.x[i];
    e.y[k] = e.y[i];
    e.on[k] = e.on[i];
    e.size += inside && positive;
    out.out_of_bounds += !inside;
    out.negative_time += inside && !positive;
  }
}

}  // namespace

EcfEvents decode_ecf(const std::uint8_t* bytes, std::size_t n_bytes, std::uint32_t width,
                     std::uint32_t height, std::size_t limit) {
  EcfEvents out;
  Reader in(bytes, n_bytes);
  try {
    const std::uint32_t header = in.take<std::uint32_t>();
    const std::size_t n = header >> 2;
    if (n > kEcfMaxEvents) throw Cut{"a chunk states more events than ECF allows", bytes};
    out.stated = n;
    out.events = EventColumns(n + kSpare);
    read_times(in, out.events.t.get(), n);
    if (header & 2) {
      read_packed(in, out.events, n);
    } else {
      read_rows(in, out.events.y.get(), n);
      if (header & 1) {
        read_packed_columns(in, out.events, n);
      } else {
        read_columns(in, out.events.x.get(), n);
        read_polarities(in, out.events.on.get(), n);
      }
    }
    keep_inside(out, std::min(n, limit), width, height);
  } catch (const Cut& cut) {
    out.damage = Damage{cut.what, static_cast<std::uint64_t>(cut.at - bytes)};
  }
  return out;
}

}  // namespace saccade
