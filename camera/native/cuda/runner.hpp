// What an engine needs of a device: memory, copies, graphs, and the labels of its embeddings.
#pragma once
#include "device.hpp"

namespace saccade::cuda {

// One thread at a time. The device lives as long as the runner, or as who shares it.
class Runner {
 public:
  static constexpr std::uint32_t kMaxRows = 8;

  explicit Runner(std::shared_ptr<Device> device);

  Device& device() { return *device_; }
  std::shared_ptr<Device> share() const { return device_; }

  // Labels from now on: embeddings [labels][dimension] of the host, the `top` best of them, with
  // softmax(scale * product). Graphs that label go on with them. Waits.
  void set_vocabulary(const float* embeddings, std::uint32_t labels, std::uint32_t dimension,
                      float scale, std::uint32_t top);
  // At most kMaxRows embeddings of the vocabulary's dimension.
  void label(const Embedded& embedded, Stream stream);

 private:
  std::shared_ptr<Device> device_;
  Vocabulary* vocabulary_;       // the device's
  Vocabulary* host_vocabulary_;  // mapped; where the next one is made
  float *host_bank_ = nullptr, *bank_ = nullptr, *weights_ = nullptr;
  std::size_t bank_room_ = 0, weights_room_ = 0;  // in floats
  std::uint32_t* tickets_;
  std::uint32_t dimension_ = 0;
};

}  // namespace saccade::cuda
