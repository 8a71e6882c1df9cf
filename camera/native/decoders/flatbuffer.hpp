// Size-prefixed flatbuffers in which nothing is trusted: every read is checked against the buffer's
// end and copied out, so that neither an offset nor an alignment in the file can lead outside.
// Tables are followed one level at a time by whoever reads them: no recursion to run deep.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace saccade {

[[noreturn]] inline void damaged(const char* what) { throw std::invalid_argument(what); }

// The bytes up to the end that the size prefix states; throws std::invalid_argument past it.
class FlatBytes {
 public:
  FlatBytes(const std::uint8_t* bytes, std::size_t n_bytes) : bytes_(bytes), end_(n_bytes) {
    const std::size_t stated = read<std::uint32_t>(0);
    if (stated > n_bytes - 4) damaged("its flatbuffer states more bytes than there are");
    end_ = stated + 4;
  }

  template <typename T>
  T read(std::size_t at) const {
    if (end_ < sizeof(T) || at > end_ - sizeof(T)) damaged("its flatbuffer ends too early");
    T value;
    std::memcpy(&value, bytes_ + at, sizeof(T));
    return value;
  }

  // What the offset stored at `at` points to.
  std::size_t follow(std::size_t at) const {
    const std::size_t to = at + read<std::uint32_t>(at);
    if (to < 8 || to >= end_) damaged("its flatbuffer's offset points outside");
    return to;
  }

  const std::uint8_t* data() const { return bytes_; }
  std::size_t end() const { return end_; }

 private:
  const std::uint8_t* bytes_;
  std::size_t end_;
};

class FlatTable {
 public:
  // The table that starts at byte `at`; it and its vtable lie inside.
  FlatTable(const FlatBytes& bytes, std::size_t at) : bytes_(bytes), table_(at) {
    const std::size_t end = bytes_.end();
    const std::int64_t vtable =
        static_cast<std::int64_t>(table_) - bytes_.read<std::int32_t>(table_);
    if (vtable < 4 || vtable >= static_cast<std::int64_t>(end)) {
      damaged("its flatbuffer's vtable lies outside");
    }
    vtable_ = static_cast<std::size_t>(vtable);
    vtable_size_ = bytes_.read<std::uint16_t>(vtable_);
    table_size_ = bytes_.read<std::uint16_t>(vtable_ + 2);
    if (vtable_size_ < 4 || vtable_size_ % 2 != 0 || vtable_size_ > end - vtable_ ||
        table_size_ < 4 || table_size_ > end - table_) {
      damaged("its flatbuffer's table lies outside");
    }
  }

  template <typename T>
  T scalar(std::size_t i, T absent) const {
    const std::size_t at = field(i, sizeof(T));
    return at == 0 ? absent : bytes_.read<T>(at);
  }

  // Copies the struct in field i to `to`; leaves it as it is where the field is absent.
  template <typename T>
  void structure(std::size_t i, T& to) const {
    const std::size_t at = field(i, sizeof(T));  // inside the table, which is inside the buffer
    if (at != 0) std::memcpy(&to, bytes_.data() + at, sizeof(T));
  }

  // The first element of the vector in field i, and its length; {nullptr, 0} where it is absent.
  std::pair<const std::uint8_t*, std::size_t> vector(std::size_t i, std::size_t element) const {
    const std::size_t at = field(i, 4);
    if (at == 0) return {nullptr, 0};
    const std::size_t start = bytes_.follow(at), n = bytes_.read<std::uint32_t>(start);
    if (n > (bytes_.end() - start - 4) / element) {
      damaged("its flatbuffer's vector runs past the end");
    }
    return {bytes_.data() + start + 4, n};
  }

  // The j-th table of a vector of tables, whose first element `vector` gave.
  FlatTable table(const std::uint8_t* first, std::size_t j) const {
    const auto at = static_cast<std::size_t>(first - bytes_.data()) + 4 * j;
    return FlatTable(bytes_, bytes_.follow(at));
  }

 private:
  // Where the i-th field of `size` bytes starts; 0 where it is absent.
  std::size_t field(std::size_t i, std::size_t size) const {
    if (4 + 2 * i + 2 > vtable_size_) return 0;
    const std::size_t offset = bytes_.read<std::uint16_t>(vtable_ + 4 + 2 * i);
    if (offset == 0) return 0;
    if (offset < 4 || offset + size > table_size_) damaged("its flatbuffer's field lies outside");
    return table_ + offset;
  }

  const FlatBytes& bytes_;
  std::size_t table_, vtable_ = 0, vtable_size_ = 0, table_size_ = 0;
};

class FlatBuffer {
 public:
  FlatBuffer(const std::uint8_t* bytes, std::size_t n_bytes, const char* identifier)
      : bytes_(bytes, n_bytes), root_(bytes_, checked_root(identifier)) {}
  FlatBuffer(const FlatBuffer&) = delete;  // root_ refers to bytes_
  FlatBuffer& operator=(const FlatBuffer&) = delete;

  const FlatTable& root() const { return root_; }

 private:
  std::size_t checked_root(const char* identifier) const {
    if (bytes_.end() < 12 || std::memcmp(bytes_.data() + 8, identifier, 4) != 0) {
      damaged("its flatbuffer has the wrong identifier");
    }
    return bytes_.follow(4);
  }

  FlatBytes bytes_;
  FlatTable root_;
};

}  // namespace saccade
