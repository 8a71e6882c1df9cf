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
