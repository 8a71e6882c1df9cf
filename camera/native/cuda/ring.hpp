// The ring that input from the host goes over in: slots of bytes, each with a head that says what
// they are.
#pragma once
#include <cstddef>
#include <string>

#include "device.hpp"

namespace saccade::cuda {

// A Head is read by kernels where it is, and has `data`-like pointers that the caller sets. Slots
// are used in turn; kernels count along with them.
template <typename Head>
class Ring {
 public:
  static constexpr std::uint32_t kSlots = 4;

  // `slot_bytes`: the longest piece of input, a multiple of 64. `device` outlives the ring.
  Ring(Device& device, std::size_t slot_bytes) : device_(device), slot_bytes_(slot_bytes) {
    if (slot_bytes == 0 || slot_bytes % 64 != 0 || slot_bytes > (std::size_t{1} << 28))
      throw Error("a slot must have a multiple of 64 bytes, at most 2^28");
    heads_ = static_cast<Head*>(device.map(kSlots * sizeof(Head)));
    host_ = static_cast<std::uint8_t*>(device.map(kSlots * slot_bytes));
    there_ = host_;
    if (!device.integrated()) {
      there_ = static_cast<std::uint8_t*>(device.allocate(kSlots * slot_bytes));
    }
  }

  const Head* heads() const { return heads_; }
  std::size_t slot_bytes() const { return slot_bytes_; }

  // The next slot's bytes on the host, once kernels are done with what was in it.
  std::uint8_t* take() {
    if (tick_ >= kSlots) device_.wait(slot());
    return host_ + slot() * slot_bytes_;
  }
  // The same bytes as kernels read them.
  const std::uint8_t* there() const { return there_ + slot() * slot_bytes_; }

  // Sends the slot's head and its first bytes; what reads them is to be queued now, then pass().
  void send(const Head& head, std::size_t bytes, Stream stream) {
    if (!device_.integrated() && bytes > 0) {
      const std::size_t at = slot() * slot_bytes_;
      device_.copy(there_ + at, host_ + at, bytes, stream);
    }
    heads_[slot()] = head;
  }
  void pass(Stream stream) {
    device_.mark(slot(), stream);
    ++tick_;
  }

 private:
  std::uint32_t slot() const { return static_cast<std::uint32_t>(tick_ % kSlots); }

  Device& device_;
  std::size_t slot_bytes_;
  std::uint8_t *host_ = nullptr, *there_ = nullptr;  // [kSlots][slot_bytes]
  Head* heads_ = nullptr;                            // [kSlots], mapped
  std::uint64_t tick_ = 0;
};

}  // namespace saccade::cuda
