#include "aedat4.hpp"

#include <algorithm>
#include <cstring>

#include "aedat4_records.hpp"
#include "flatbuffer.hpp"

namespace saccade {
namespace {

void read_records(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                  std::uint32_t height, Aedat4Events& out) {
  EventColumns& events = out.events;
  std::size_t k = events.size;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* event = records + i * kAedat4Event;
    std::int64_t t;
    std::uint16_t x, y;  // read as unsigned, a negative coordinate is out of bounds too
    std::memcpy(&t, event, 8);
    std::memcpy(&x, event + 8, 2);
    std::memcpy(&y, event + 10, 2);
    if (t < 0) {
      ++out.negative_time;
    } else if (x >= width || y >= height) {
      ++out.out_of_bounds;
    } else {
      events.t[k] = static_cast<std::uint64_t>(t);
      events.x[k] = x;
      events.y[k] = y;
      events.on[k] = event[12] != 0;
      ++k;
    }
  }
  events.size = k;
}

}  // namespace

Aedat4Header read_aedat4_header(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "IOHE");
  Aedat4Header header;
  header.compression = buffer.root().scalar<std::int32_t>(0, 0);
  header.table_position = buffer.root().scalar<std::int64_t>(1, -1);
  const auto [info, n] = buffer.root().vector(2, 1);
  if (n > 0) header.info.assign(reinterpret_cast<const char*>(info), n);
  return header;
}

std::pair<const std::uint8_t*, std::size_t> aedat4_records(const std::uint8_t* bytes,
                                                           std::size_t n_bytes) {
  return FlatBuffer(bytes, n_bytes, "EVTS").root().vector(0, kAedat4Event);
}

void read_aedat4_records(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                         std::uint32_t height, Aedat4Events& out) {
#ifdef SACCADE_X86
  if (has_avx2()) {
    std::size_t i = 0;
    while ((i += read_records_avx2(records + i * kAedat4Event, n - i, width, height, out.events)) <
           n) {
      const std::size_t few = std::min<std::size_t>(n - i, 8);
      read_records(records + i * kAedat4Event, few, width, height, out);
      i += few;
    }
    return;
  }
#endif
  read_records(records, n, width, height, out);
}

Aedat4Events read_aedat4_events(const std::uint8_t* bytes, std::size_t n_bytes, std::uint32_t width,
                                std::uint32_t height) {
  const auto [first, n] = aedat4_records(bytes, n_bytes);
  Aedat4Events out{EventColumns(n)};
  read_aedat4_records(first, n, width, height, out);
  return out;
}

Aedat4Table read_aedat4_table(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "FTAB");
  const auto [first, n] = buffer.root().vector(0, 4);
  Aedat4Table out;
  for (std::size_t i = 0; i < n; ++i) {
    const FlatTable entry = buffer.root().table(first, i);
    std::int32_t info[2] = {};  // the stream and the size
    entry.structure(1, info);
    out.offset.push_back(entry.scalar<std::int64_t>(0, 0));
    out.stream.push_back(info[0]);
    out.size.push_back(info[1]);
    out.events.push_back(entry.scalar<std::int64_t>(2, 0));
    out.first.push_back(entry.scalar<std::int64_t>(3, 0));
    out.last.push_back(entry.scalar<std::int64_t>(4, 0));
  }
  return out;
}

}  // namespace saccade
