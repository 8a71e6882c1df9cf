// One pass over the packets of an uncompressed AEDAT4 file, which threads of its own read ahead.
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "aedat4.hpp"

namespace saccade {

// Where a pass reads, and what.
struct Aedat4Source {
  int file = -1;                      // read with pread; open for as long as the pass
  std::uint64_t offset = 0, end = 0;  // of its packets
  std::vector<std::int32_t> streams;  // that there are
  std::int32_t wanted = 0;            // whose events are read
  std::uint32_t width = 0, height = 0;
};

// What some packets hold, one after the other in the file.
struct Aedat4Part {
  explicit Aedat4Part(std::uint64_t n_bytes)
      : decoded{EventColumns(static_cast<std::size_t>(n_bytes) / kAedat4Event)} {}

  std::uint64_t end = 0;  // byte offset behind them
  Aedat4Events decoded;
  std::uint64_t others = 0;  // packets of other streams among them
  std::string damage;        // what is wrong with the packet at `end`; empty: nothing
};

// Both the caller's thread and those of the pass find out where the next packets end by their
// headers alone, under a lock, and read and decode them without one. No thread takes from another
// what it has not finished, so that what is read stays in the cache of who decodes it.
class Aedat4Pass {
 public:
  // A larger packet is not read.
  static constexpr std::size_t kLargest = 2u << 20;

  // threads: how many at most, the caller's among them.
  Aedat4Pass(Aedat4Source source, unsigned threads);
  ~Aedat4Pass();  // waits for what is being read
  Aedat4Pass(const Aedat4Pass&) = delete;
  Aedat4Pass& operator=(const Aedat4Pass&) = delete;

  // The next packets; null behind a damaged one, and where what follows is the end, or a packet
  // that is too large, not whole, or of no stream.
  std::unique_ptr<Aedat4Part> next();

 private:
  struct Slot {
    std::uint64_t begin;
    std::vector<std::uint64_t> ends;  // of the pieces that are read at once: whole packets
    std::unique_ptr<Aedat4Part> part;
    std::exception_ptr error;
    bool done = false;
  };
  struct Workspace;

  void help();
  bool step(Workspace& work);
  std::vector<std::uint64_t> find_pieces() const;
  std::unique_ptr<Aedat4Part> read(const Slot& slot, Workspace& work) const;
  bool can_step() const { return !ended_ && waiting_.size() < room_; }

  const Aedat4Source source_;
  const std::size_t room_;  // parts that wait or are worked on, besides the caller's
  std::mutex mutex_;        // of all that follows
  std::condition_variable done_, taken_;
  std::deque<std::shared_ptr<Slot>> waiting_;  // in the order of the file
  std::uint64_t position_;                     // where the next one begins
  bool ended_ = false;                         // no other one begins
  std::unique_ptr<Workspace> own_;             // the caller's
  std::vector<std::thread> helpers_;
};

}  // namespace saccade
