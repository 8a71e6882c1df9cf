// AEDAT4: the flatbuffers of its container, checked before any access.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "columns.hpp"

namespace saccade {

constexpr std::size_t kAedat4Event = 16;  // i64 t, i16 x, i16 y, u8 on, 3 bytes of padding

struct Aedat4Header {
  std::int32_t compression = 0;      // 0 none, 1 LZ4, 2 LZ4_HIGH, 3 ZSTD, 4 ZSTD_HIGH
  std::int64_t table_position = -1;  // byte offset of the data table in the file; -1 unknown
  std::string info;                  // XML: the streams
};

struct Aedat4Events {
  EventColumns events;
  std::uint64_t out_of_bounds = 0, negative_time = 0;  // dropped
};

// What the table at the end says of the packets, a column for each field.
struct Aedat4Table {
  std::vector<std::int64_t> offset, stream, size, events;  // offset: behind the packet's header
  std::vector<std::int64_t> first, last;                   // us
};

// The size-prefixed IOHeader in `bytes`. Throws std::invalid_argument where it is damaged.
Aedat4Header read_aedat4_header(const std::uint8_t* bytes, std::size_t n_bytes);

// The events of one decompressed EVTS payload. Throws std::invalid_argument where it is damaged.
Aedat4Events read_aedat4_events(const std::uint8_t* bytes, std::size_t n_bytes, std::uint32_t width,
                                std::uint32_t height);

// The event records in one decompressed EVTS payload: the first, and how many of 16 bytes. Throws
// std::invalid_argument where it is damaged.
std::pair<const std::uint8_t*, std::size_t> aedat4_records(const std::uint8_t* bytes,
                                                           std::size_t n_bytes);

// Appends n of them to columns that have room for them.
void read_aedat4_records(const std::uint8_t* records, std::size_t n, std::uint32_t width,
                         std::uint32_t height, Aedat4Events& out);

// The decompressed FTAB. Throws std::invalid_argument where it is damaged.
Aedat4Table read_aedat4_table(const std::uint8_t* bytes, std::size_t n_bytes);

}  // namespace saccade
