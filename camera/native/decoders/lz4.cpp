#include "lz4.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "lz4_block.hpp"

namespace saccade {
namespace {

constexpr std::uint32_t kMagic = 0x184D2204, kSkippable = 0x184D2A50;  // ...5F
constexpr std::uint32_t kStored = 1u << 31;                            // of a block's size

[[noreturn]] void refuse(const char* what) { throw std::invalid_argument(what); }

// The period of a match less than 16 bytes back, repeated over 16 bytes.
struct PlainPeriod {
  SACCADE_INLINE static void repeat(std::uint8_t* to, const std::uint8_t* from, std::size_t back,
                                    std::size_t n) {
    std::uint8_t period[16];
    for (std::size_t i = 0, j = 0; i < 16; ++i) {
      period[i] = from[j];
      j = j + 1 == back ? 0 : j + 1;
    }
    const std::size_t step = 16 - 16 % back;
    for (std::size_t at = 0; at < n; at += step) std::memcpy(to + at, period, 16);
  }
};

// Most sequences are short, and far from both ends: one check, and copies of a fixed size. They are
// 8 bytes wide: records of 16 bytes repeat what was stored just now, and a load waits for the cache
// where it spans two such stores. False, and nothing done, for another.
SACCADE_INLINE bool unfold_short_sequence(Lz4Cursor& cursor) {
  const std::uint8_t* in = cursor.in;
  std::uint8_t* out = cursor.out;
  if (cursor.in_end - in < 19 || cursor.out_end - out < 34) return false;
  const std::size_t literals = *in >> 4, match = (*in & 15) + 4;
  if (literals == 15 || match == 19) return false;
  ++in;
  const std::size_t back = in[literals] | static_cast<std::size_t>(in[literals + 1]) << 8;
  if (back < 8 || back > static_cast<std::size_t>(out + literals - cursor.first)) return false;
  std::memcpy(out, in, 8);
  if (literals > 8) std::memcpy(out + 8, in + 8, 8);
  out += literals;
  std::memcpy(out, out - back, 8);
  std::memcpy(out + 8, out - back + 8, 8);
  std::memcpy(out + 16, out - back + 16, 2);
  cursor.in = in + literals + 2;
  cursor.out = out + match;
  return true;
}

Lz4Block unfold_plain(Lz4Cursor cursor, std::uint8_t*& out) {
  Lz4Step step;
  do {
    while (unfold_short_sequence(cursor)) {
    }
    step = unfold_sequence<PlainPeriod>(cursor);
  } while (step == Lz4Step::more);
  out = cursor.out;
  return lz4_block(step);
}

Lz4Block unfold(const Lz4Cursor& cursor, std::uint8_t*& out, Lz4Hash* hash) {
#ifdef SACCADE_X86
  if (has_avx2()) return unfold_avx2(cursor, out, hash);
#endif
  static_cast<void>(hash);  // what is not hashed yet is by the caller
  return unfold_plain(cursor, out);
}

// The packed bytes, from front to back.
class Input {
 public:
  Input(const std::uint8_t* bytes, std::size_t n) : at_(bytes), end_(bytes + n) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  const std::uint8_t* take(std::size_t n) {
    if (n > left()) refuse("its LZ4 frame is not finished");
    at_ += n;
    return at_ - n;
  }

  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }

 private:
  const std::uint8_t *at_, *end_;
};

struct Header {
  bool independent = false, block_checksums = false, sized = false, content_checksum = false;
  std::size_t block_limit = 0;
  std::uint64_t content_size = 0;
};

Header read_header(Input& in) {
  const std::uint8_t* descriptor = in.take(2);
  const unsigned flags = descriptor[0], bd = descriptor[1], size_code = bd >> 4 & 7;
  Header header;
  header.independent = flags & 0x20;
  header.block_checksums = flags & 0x10;
  header.sized = flags & 0x08;
  header.content_checksum = flags & 0x04;
  if (header.sized) header.content_size = in.take<std::uint64_t>();
  if (flags & 1) in.take(4);  // a dictionary's number: without one, what refers to it is damage
  const auto n = 2u + (header.sized ? 8u : 0u) + (flags & 1 ? 4u : 0u);
  const bool sound = in.take<std::uint8_t>() == (xxh32(descriptor, n) >> 8 & 0xff);
  if (flags >> 6 != 1 || flags & 2 || bd & 0x8f || size_code < 4 || !sound) {
    refuse("its LZ4 frame's header is damaged");
  }
  header.block_limit = std::size_t{1} << (8 + 2 * size_code);  // 64 KiB to 4 MiB
  return header;
}

// Unfolds one frame behind its magic number, at the end of `out`; false past the limit.
bool unpack_frame(Input& in, std::size_t limit, Unfolded& out) {
  const Header header = read_header(in);
  const std::size_t start = out.size;
  if (header.sized && header.content_size > limit - start) return false;
  Xxh32 hash;
  while (const std::uint32_t word = in.take<std::uint32_t>()) {
    const std::size_t n = word & ~kStored;
    if (n > header.block_limit) refuse("its LZ4 block states a size that is too large");
    const std::uint8_t* block = in.take(n);
    if (header.block_checksums && in.take<std::uint32_t>() != xxh32(block, n)) {
      refuse("the checksum of its LZ4 block does not fit");
    }
    const std::size_t room = std::min(header.block_limit, limit - out.size);
    out.reserve(out.size + std::min(room, word & kStored ? n : 255 * n));
    std::uint8_t* to = out.data() + out.size;
    if (word & kStored) {
      if (n > room) return false;
      std::memcpy(to, block, n);
      out.size += n;
    } else {
      const Lz4Cursor cursor{block, block + n, to, to + std::min(room, 255 * n),
                             header.independent ? to : out.data() + start};
      Lz4Hash content{out.data() + start, hash.state()};
      std::uint8_t* end = nullptr;
      const Lz4Block done = unfold(cursor, end, header.content_checksum ? &content : nullptr);
      if (done == Lz4Block::full && room < header.block_limit) return false;
      if (done != Lz4Block::good) refuse("its LZ4 block is damaged");
      out.size += static_cast<std::size_t>(end - to);
    }
    if (header.content_checksum) hash.advance(out.data() + start, out.size - start);
  }
  if (header.sized && header.content_size != out.size - start) {
    refuse("its LZ4 frame states another size than it has");
  }
  if (header.content_checksum &&
      in.take<std::uint32_t>() != hash.finish(out.data() + start, out.size - start)) {
    refuse("the checksum of its LZ4 frame does not fit");
  }
  return true;
}

}  // namespace

void Unfolded::reserve(std::size_t n) {
  if (data_ && n + kLz4Slack <= capacity_) return;
  const std::size_t capacity = std::max(n + kLz4Slack, std::min(2 * capacity_, n + (n >> 2)));
  void* data = std::realloc(data_, capacity);
  if (!data) throw std::bad_alloc();
  data_ = static_cast<std::uint8_t*>(data);
  capacity_ = capacity;
}

bool unpack_lz4(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit, Unfolded& out) {
  out.size = 0;
  return unpack_lz4_after(bytes, n_bytes, limit, out);
}

bool unpack_lz4_after(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit,
                      Unfolded& out) {
  Input in(bytes, n_bytes);
  const std::size_t before = out.size, most = before + limit;
  out.reserve(before);
  bool any = false;
  try {
    do {
      const auto magic = in.take<std::uint32_t>();
      if ((magic & ~15u) == kSkippable) {
        in.take(in.take<std::uint32_t>());
      } else if (magic != kMagic) {
        refuse(any ? "bytes follow its LZ4 frame" : "it is no LZ4 frame");
      } else if (!unpack_frame(in, most, out)) {
        out.size = before;
        return false;
      }
      any = true;
    } while (in.left() > 0);
  } catch (...) {
    out.size = before;
    throw;
  }
  return true;
}

}  // namespace saccade
