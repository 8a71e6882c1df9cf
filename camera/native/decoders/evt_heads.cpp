#include "evt_heads.hpp"

namespace saccade {

void EvtHeads::other_head(std::uint32_t head) {
  switch (head >> 28) {
    case 0x8:
      time_backwards_ += !clock_.advance(head & 0x0fffffff);
      break;
    case 0xA:
      ++n_triggers_;
      if (clock_.started()) {
        triggers_.add(clock_.value() << 6 | ((head >> 22) & 0x3f), (head >> 8) & 0x1f, head & 1);
      }
      break;
    case 0xE:
      ++others_;
      break;
    case 0xF:
      ++continued_;
      break;
    default:
      ++unknown_word_;
  }
}

}  // namespace saccade
