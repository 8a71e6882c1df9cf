#include "aedat4_pass.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "aedat4_batch.hpp"
#include "aedat4_packet.hpp"
#include "blocks.hpp"

namespace saccade {
namespace {

constexpr std::size_t kPart = 768 << 10;   // bytes of a part, and what is left of its last packet
constexpr std::size_t kPiece = 128 << 10;  // read at once, and decoded while it is in the cache

// Fewer bytes at the end of the file, and where reading fails: whoever reads on there is told.
std::size_t read_file(int file, std::uint64_t offset, std::uint8_t* to, std::size_t n_bytes) {
  std::size_t done = 0;
  while (done < n_bytes) {
    const ssize_t n = pread(file, to + done, n_bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace

// What each thread works with.
struct Aedat4Pass::Workspace {
  explicit Workspace(const Aedat4Source& of) : decoder(of.wanted, false, of.width, of.height) {}

  MemoryBlock bytes = take_block(kPiece + Aedat4Packet::kHeader + kLargest);
  Aedat4BatchDecoder decoder;
};

Aedat4Pass::Aedat4Pass(Aedat4Source source, unsigned threads)
    : source_(std::move(source)),
      room_(threads + 1),
      position_(source_.offset),
      own_(std::make_unique<Workspace>(source_)) {
  try {
    for (unsigned k = 1; k < threads; ++k) helpers_.emplace_back(&Aedat4Pass::help, this);
  } catch (const std::system_error&) {
    // The system has no more threads: those that there are read the same.
  }
}

Aedat4Pass::~Aedat4Pass() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  taken_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

std::unique_ptr<Aedat4Part> Aedat4Pass::next() {
  std::shared_ptr<Slot> first;
  while (true) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!waiting_.empty() && waiting_.front()->done) {
        first = std::move(waiting_.front());
        waiting_.pop_front();
        break;
      }
    }
    if (step(*own_)) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    if (waiting_.empty()) return nullptr;
    done_.wait(lock, [this] { return waiting_.front()->done; });
  }
  taken_.notify_one();
  if (first->error || first->part->end < first->ends.back()) {  // nothing behind it counts
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    waiting_.clear();
  }
  if (first->error) std::rethrow_exception(first->error);
  return std::move(first->part);
}

void Aedat4Pass::help() {
  Workspace work(source_);
  while (true) {
    if (step(work)) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    taken_.wait(lock, [this] { return ended_ || can_step(); });
    if (ended_) return;
  }
}

// False where there is nothing to do, or no room for what comes of it.
bool Aedat4Pass::step(Workspace& work) {
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!can_step()) return false;
    std::vector<std::uint64_t> ends = find_pieces();
    if (ends.empty()) {
      ended_ = true;
      return false;
    }
    slot = std::make_shared<Slot>(Slot{position_, std::move(ends), nullptr, nullptr});
    waiting_.push_back(slot);
    position_ = slot->ends.back();
  }
  try {
    slot->part = read(*slot, work);
  } catch (...) {
    slot->error = std::current_exception();
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    slot->done = true;
  }
  done_.notify_one();
  return true;
}

// The next part's: empty where no whole packet follows.
std::vector<std::uint64_t> Aedat4Pass::find_pieces() const {
  std::vector<std::uint64_t> ends;
  std::uint64_t begin = position_, at = position_;
  std::uint8_t header[Aedat4Packet::kHeader];
  while (at - position_ < kPart && source_.end - at >= sizeof(header)) {
    if (read_file(source_.file, at, header, sizeof(header)) < sizeof(header)) break;
    const std::optional<Aedat4Packet> packet = read_aedat4_packet(header, source_.streams);
    if (!packet ||
        packet->size > std::min<std::uint64_t>(kLargest, source_.end - at - sizeof(header)))
      break;
    at += sizeof(header) + packet->size;
    if (at - begin < kPiece) continue;
    ends.push_back(at);
    begin = at;
  }
  if (at > begin) ends.push_back(at);
  return ends;
}

// Ends early before a packet that is damaged, or no longer there.
std::unique_ptr<Aedat4Part> Aedat4Pass::read(const Slot& slot, Workspace& work) const {
  auto part = std::make_unique<Aedat4Part>(slot.ends.back() - slot.begin);
  part->end = slot.begin;
  for (const std::uint64_t end : slot.ends) {
    std::uint8_t* const bytes = work.bytes.get();
    const auto n_bytes = static_cast<std::size_t>(end - part->end);
    const std::size_t whole =
        whole_aedat4_packets(bytes, read_file(source_.file, part->end, bytes, n_bytes),
                             source_.streams, source_.wanted, kLargest);
    Aedat4Batch taken = work.decoder.unfold(bytes, whole, whole, whole);
    work.decoder.append_events(part->decoded);
    part->end += taken.taken;
    part->others += taken.others;
    part->damage = std::move(taken.damage);
    if (part->end < end) break;
  }
  return part;
}

}  // namespace saccade
