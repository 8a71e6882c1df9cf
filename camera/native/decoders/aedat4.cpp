#include "aedat4.hpp"

#include <cstring>
#include <stdexcept>

namespace saccade {
namespace {

constexpr std::size_t kEvent = 16;  // i64 t, i16 x, i16 y, u8 on, 3 bytes of padding

[[noreturn]] void damaged(const char* what) { throw std::invalid_argument(what); }

// A size-prefixed flatbuffer whose every read is checked against its end and copied out, so that
// neither an offset nor an alignment in the file is trusted.
class FlatBuffer {
 public:
  FlatBuffer(const std::uint8_t* bytes, std::size_t n_bytes, const char* identifier)
      : bytes_(bytes), end_(n_bytes) {
    const std::size_t stated = read<std::uint32_t>(0);
    if (stated > n_bytes - 4) damaged("its flatbuffer states more bytes than there are");
    end_ = stated + 4;
    if (end_ < 12 || std::memcmp(bytes + 8, identifier, 4) != 0) {
      damaged("its flatbuffer has the wrong identifier");
    }
    open(follow(4));
  }

  // The table that the i-th element of a vector of offsets points to; `first` as vector() gives it.
  FlatBuffer child(const std::uint8_t* first, std::size_t i) const {
    FlatBuffer out = *this;
    out.open(follow(static_cast<std::size_t>(first - bytes_) + 4 * i));
    return out;
  }

  template <typename T>
  T read(std::size_t at) const {
    if (end_ < sizeof(T) || at > end_ - sizeof(T)) damaged("its flatbuffer ends too early");
    T value;
    std::memcpy(&value, bytes_ + at, sizeof(T));
    return value;
  }

  // Where the i-th field of `size` bytes starts; 0 where it is absent.
  std::size_t field(std::size_t i, std::size_t size) const {
    if (4 + 2 * i + 2 > vtable_size_) return 0;
    const std::size_t offset = read<std::uint16_t>(vtable_ + 4 + 2 * i);
    if (offset == 0) return 0;
    if (offset < 4 || offset + size > table_size_) damaged("its flatbuffer's field lies outside");
    return table_ + offset;
  }

  template <typename T>
  T scalar(std::size_t i, T absent) const {
    const std::size_t at = field(i, sizeof(T));
    return at == 0 ? absent : read<T>(at);
  }

  // The first element of the vector in field i, and its length; {nullptr, 0} where it is absent.
  std::pair<const std::uint8_t*, std::size_t> vector(std::size_t i, std::size_t element) const {
    const std::size_t at = field(i, 4);
    if (at == 0) return {nullptr, 0};
    const std::size_t start = follow(at), n = read<std::uint32_t>(start);
    if (n > (end_ - start - 4) / element) damaged("its flatbuffer's vector runs past the end");
    return {bytes_ + start + 4, n};
  }

 private:
  void open(std::size_t table) {
    table_ = table;
    const std::int64_t vtable = static_cast<std::int64_t>(table_) - read<std::int32_t>(table_);
    if (vtable < 4 || vtable >= static_cast<std::int64_t>(end_)) {
      damaged("its flatbuffer's vtable lies outside");
    }
    vtable_ = static_cast<std::size_t>(vtable);
    vtable_size_ = read<std::uint16_t>(vtable_);
    table_size_ = read<std::uint16_t>(vtable_ + 2);
    if (vtable_size_ < 4 || vtable_size_ % 2 != 0 || vtable_size_ > end_ - vtable_ ||
        table_size_ < 4 || table_size_ > end_ - table_) {
      damaged("its flatbuffer's table lies outside");
    }
  }

  std::size_t follow(std::size_t at) const {
    const std::size_t to = at + read<std::uint32_t>(at);
    if (to < 8 || to >= end_) damaged("its flatbuffer's offset points outside");
    return to;
  }

  const std::uint8_t* bytes_;
  std::size_t end_, table_ = 0, vtable_ = 0, vtable_size_ = 0, table_size_ = 0;
};

}  // namespace

Aedat4Header read_aedat4_header(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "IOHE");
  Aedat4Header header;
  header.compression = buffer.scalar<std::int32_t>(0, 0);
  header.table_position = buffer.scalar<std::int64_t>(1, -1);
  const auto [info, n] = buffer.vector(2, 1);
  if (n > 0) header.info.assign(reinterpret_cast<const char*>(info), n);
  return header;
}

Aedat4Events read_aedat4_events(const std::uint8_t* bytes, std::size_t n_bytes, std::uint32_t width,
                                std::uint32_t height) {
  const FlatBuffer buffer(bytes, n_bytes, "EVTS");
  const auto [first, n] = buffer.vector(0, kEvent);
  Aedat4Events out{EventColumns(n)};
  EventColumns& events = out.events;
  std::size_t k = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* event = first + i * kEvent;
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
  return out;
}

Aedat4Table read_aedat4_table(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "FTAB");
  const auto [first, n] = buffer.vector(0, 4);
  Aedat4Table out;
  for (std::size_t i = 0; i < n; ++i) {
    const FlatBuffer entry = buffer.child(first, i);
    const std::size_t info = entry.field(1, 8);  // a struct of the stream and the size
    out.offset.push_back(entry.scalar<std::int64_t>(0, 0));
    out.stream.push_back(info == 0 ? 0 : entry.read<std::int32_t>(info));
    out.size.push_back(info == 0 ? 0 : entry.read<std::int32_t>(info + 4));
    out.events.push_back(entry.scalar<std::int64_t>(2, 0));
    out.first.push_back(entry.scalar<std::int64_t>(3, 0));
    out.last.push_back(entry.scalar<std::int64_t>(4, 0));
  }
  return out;
}

}  // namespace saccade
