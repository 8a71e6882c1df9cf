// Words that are split between two chunks.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace saccade {

template <std::size_t Word>
class Carry {
 public:
  std::size_t size() const { return size_; }

  // How many whole words there are with the next n_bytes.
  std::size_t words(std::size_t n_bytes) const { return (size_ + n_bytes) / Word; }

  // Calls run(words, n_words) for the split word, if it is whole now, then for the others.
  template <typename Run>
  void feed(const std::uint8_t* bytes, std::size_t n_bytes, const Run& run) {
    if (size_ > 0) {
      const std::size_t taken = std::min(Word - size_, n_bytes);
      std::copy_n(bytes, taken, bytes_ + size_);
      size_ += taken;
      bytes += taken;
      n_bytes -= taken;
      if (size_ < Word) return;
      run(bytes_, std::size_t{1});
    }
    run(bytes, n_bytes / Word);
    size_ = n_bytes % Word;
    std::copy_n(bytes + (n_bytes - size_), size_, bytes_);
  }

 private:
  std::uint8_t bytes_[Word] = {};
  std::size_t size_ = 0;
};

}  // namespace saccade
