// Where packets with time bases of their own begin in a stream of words.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace saccade {

class PacketQueue {
 public:
  // A packet of n_words follows those announced before.
  void announce(std::uint64_t time_base, std::uint64_t n_words) {
    if (n_words > 0) packets_.push_back({time_base, n_words});
  }

  // Calls start(time_base) and run(words, n_words) for what each packet has of these words. Words
  // past the last packet announced belong to that one.
  template <std::size_t Word, typename Start, typename Run>
  void split(const std::uint8_t* words, std::size_t n_words, const Start& start, const Run& run) {
    while (n_words > 0) {
      if (left_ == 0 && !packets_.empty()) {
        left_ = packets_.front().n_words;
        start(packets_.front().time_base);
        packets_.pop_front();
      }
      const std::size_t n = left_ > 0 ? std::min<std::uint64_t>(left_, n_words) : n_words;
      run(words, n);
      left_ -= std::min<std::uint64_t>(left_, n);
      words += n * Word;
      n_words -= n;
    }
  }

 private:
  struct Packet {
    std::uint64_t time_base, n_words;
  };
  std::deque<Packet> packets_;
  std::uint64_t left_ = 0;  // words of the current packet
};

}  // namespace saccade
