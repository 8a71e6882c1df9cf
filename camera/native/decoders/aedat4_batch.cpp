#include "aedat4_batch.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "aedat4_records.hpp"

namespace saccade {

std::size_t whole_aedat4_packets(const std::uint8_t* bytes, std::size_t n_bytes,
                                 const std::vector<std::int32_t>& streams, std::int32_t wanted,
                                 std::size_t limit) {
  std::size_t at = 0;
  while (n_bytes - at >= Aedat4Packet::kHeader) {
    const std::optional<Aedat4Packet> packet = read_aedat4_packet(bytes + at, streams);
    if (!packet || (packet->stream == wanted && packet->size > limit)) break;
    if (n_bytes - at - Aedat4Packet::kHeader < packet->size) break;
    at += Aedat4Packet::kHeader + packet->size;
  }
  return at;
}

void Aedat4BatchDecoder::clear() {
  records_.clear();
  content_.size = unfolded_ = n_events_ = part_ = counted_ = 0;
}

Aedat4Batch Aedat4BatchDecoder::unfold(const std::uint8_t* bytes, std::size_t n_bytes,
                                       std::size_t limit, std::size_t first_limit) {
  clear();
  Aedat4Batch out;
  while (out.taken < n_bytes) {
    const std::size_t at = out.taken, payload = at + Aedat4Packet::kHeader;
    std::optional<Aedat4Packet> packet;
    if (n_bytes - at >= Aedat4Packet::kHeader) packet = read_aedat4_packet(bytes + at);
    if (!packet || packet->size > n_bytes - payload) throw std::invalid_argument("a packet is cut");
    if (packet->stream != stream_) {
      ++out.others;
    } else {
      try {
        const std::size_t most = records_.empty() ? first_limit : limit;
        if (!take(bytes + payload, packet->size, most)) break;
      } catch (const std::invalid_argument& error) {
        out.damage = error.what();
        break;
      }
    }
    out.taken = payload + packet->size;
  }
  return out;
}

void Aedat4BatchDecoder::add(const std::uint8_t* payload, std::size_t n_bytes) {
  const auto [first, n] = aedat4_records(payload, n_bytes);
  n_events_ += n;
  records_.push_back({payload, n == 0 ? 0 : static_cast<std::size_t>(first - payload), n});
}

// False where the packet goes beyond the limit.
bool Aedat4BatchDecoder::take(const std::uint8_t* packet, std::size_t size, std::size_t limit) {
  if (!lz4_) {
    if (unfolded_ + size > limit) return false;
    unfolded_ += size;
    add(packet, size);
    return true;
  }
  const std::size_t from = content_.size;
  if (from > limit || !unpack_lz4_after(packet, size, limit - from, content_)) return false;
  const std::uint8_t* const content = content_.data() + from;
  const auto [first, n] = aedat4_records(content, content_.size - from);
  n_events_ += n;
  records_.push_back({nullptr, n == 0 ? 0 : from + static_cast<std::size_t>(first - content), n});
  return true;
}

// Columns need room for all, and only now is it known how many there are.
Aedat4Events Aedat4BatchDecoder::events() const {
  Aedat4Events out{EventColumns(n_events_)};
  append_events(out);
  return out;
}

void Aedat4BatchDecoder::append_events(Aedat4Events& out) const {
  for (const Records& part : records_) {
    read_aedat4_records(start(part), part.n, width_, height_, out);
  }
}

bool Aedat4BatchDecoder::count(SliceCounter& to) {
  for (; part_ < records_.size(); ++part_, counted_ = 0) {
    const Records& part = records_[part_];
    while (counted_ < part.n) {
      if (to.due()) return false;
      counted_ += count_some(start(part) + counted_ * kAedat4Event, part.n - counted_, to);
    }
  }
  return true;
}

std::size_t Aedat4BatchDecoder::count_some(const std::uint8_t* records, std::size_t n,
                                           SliceCounter& to) {
  std::size_t few = std::min<std::size_t>(n, 2048);
#ifdef SACCADE_X86
  if (has_avx2() && to.counters().takes_eights()) {
    const bool sixteens = has_avx512() && to.counters().takes_sixteens();
    std::size_t wide = 0;
    if (sixteens) wide = count_records_avx512(records, n, width_, height_, to);
    if (wide == 0) wide = count_records_avx2(records, n, width_, height_, to);
    if (wide > 0) return wide;
    few = std::min<std::size_t>(n, 8);
  }
#endif
  Aedat4Events some{EventColumns(few)};
  read_aedat4_records(records, few, width_, height_, some);
  dropped_.out_of_bounds += some.out_of_bounds;
  dropped_.negative_time += some.negative_time;
  to.add(std::move(some.events));
  return few;
}

Aedat4Dropped Aedat4BatchDecoder::dropped() { return std::exchange(dropped_, {}); }

}  // namespace saccade
