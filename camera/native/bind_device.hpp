// The devices that Python names: a CUDA device's number, or how the host plays one.
#pragma once
#include <memory>
#include <string>

#include "cuda/device.hpp"

struct HostDevice {
  std::uint32_t blocks, threads, seed;
  bool integrated;
};

inline std::unique_ptr<saccade::cuda::Device> host_device(const HostDevice& d) {
  return saccade::cuda::make_host_device(d.blocks, d.threads, d.seed, d.integrated);
}

inline std::unique_ptr<saccade::cuda::Device> cuda_device(int ordinal) {
#ifdef SACCADE_WITH_CUDA
  return saccade::cuda::make_cuda_device(ordinal);
#else
  throw saccade::cuda::Error("this build has no CUDA kernels for device " +
                             std::to_string(ordinal));
#endif
}

// `made`: what is made on the device.
template <typename Array>
void check_device(const saccade::cuda::Device& device, const Array& array, const char* made) {
  if (array.device_type() == device.kind() && array.device_id() == device.ordinal()) return;
  const auto named = [](int kind, int ordinal) {
    return "(" + std::to_string(kind) + ", " + std::to_string(ordinal) + ")";
  };
  throw saccade::cuda::Error(
      "the array lies on DLPack device " + named(array.device_type(), array.device_id()) +
      ", the " + made + " on " + named(device.kind(), device.ordinal()) + "; copy it there first");
}
