// External triggers that a stream decoder met, next to its events.
#pragma once
#include <cstdint>
#include <vector>

namespace saccade {

// Those of the last decode() call, in the order of the stream.
struct TriggerColumns {
  std::vector<std::uint64_t> t;     // us
  std::vector<std::uint8_t> id;     // the channel
  std::vector<std::uint8_t> value;  // 1 where the signal rose, 0 where it fell

  void clear() {
    t.clear();
    id.clear();
    value.clear();
  }
  void add(std::uint64_t time, std::uint32_t channel, std::uint32_t level) {
    t.push_back(time);
    id.push_back(static_cast<std::uint8_t>(channel));
    value.push_back(static_cast<std::uint8_t>(level));
  }
};

}  // namespace saccade
