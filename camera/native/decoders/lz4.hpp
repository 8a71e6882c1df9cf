// LZ4 frames, unfolded under a bound (lz4's doc/lz4_Frame_format.md and lz4_Block_format.md).
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace saccade {

// Bytes that keep their memory from one content to the next: pages touched once cost no fault more.
class Unfolded {
 public:
  Unfolded() = default;
  ~Unfolded() { std::free(data_); }
  Unfolded(const Unfolded&) = delete;
  Unfolded& operator=(const Unfolded&) = delete;

  // Room for n bytes and for what a wide store writes past them. Throws std::bad_alloc.
  void reserve(std::size_t n);

  std::uint8_t* data() const { return data_; }

  std::size_t size = 0;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// The content of all frames in `bytes`, one after the other, as `out`; frames to be skipped hold
// none. False where that is more than `limit` bytes, of which no more than that are written.
//
// Throws std::invalid_argument with what is wrong: a frame that is damaged or not finished, a
// checksum or a stated size that does not fit, and bytes behind the last frame that are none.
bool unpack_lz4(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit, Unfolded& out);

// The same behind what `out` holds already, which `limit` does not count. What is refused, or is
// more than that, leaves `out` as it was.
bool unpack_lz4_after(const std::uint8_t* bytes, std::size_t n_bytes, std::size_t limit,
                      Unfolded& out);

}  // namespace saccade
