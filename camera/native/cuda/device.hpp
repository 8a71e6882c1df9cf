// Where the kernels run: a CUDA device, or the host, which takes the threads one after the other.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>

#include "labels.hpp"
#include "slices.hpp"

namespace saccade::cuda {

// A call that the CUDA runtime refused, in words.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Stream = std::uintptr_t;  // a cudaStream_t

enum class Launch { kPacked, kSummarise2, kSummarise3, kDecode2, kDecode3, kFinalise };

// Memory lives as long as the device object, begins as zeros, and is aligned to 256 bytes.
// Everything with a stream is only queued there. Errors are raised as Error.
class Device {
 public:
  virtual ~Device() = default;

  virtual void* allocate(std::size_t bytes) = 0;
  // Memory of the host that kernels can read at the same address.
  virtual void* map(std::size_t bytes) = 0;
  // The kernels share the host's memory: they read mapped memory where it is, without a copy.
  virtual bool integrated() const = 0;
  virtual std::uint32_t blocks() const = 0;  // that run at once
  virtual Stream stream() const = 0;         // the device's own, for who brings none
  // DLPack's type and number of this device.
  virtual int kind() const = 0;
  virtual int ordinal() const = 0;

  virtual void copy(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
  virtual void zero(void* at, std::size_t bytes, Stream stream) = 0;
  virtual void launch(Launch what, const Problem& p, const Output& out, Stream stream) = 0;
  // A step from slices to histograms, voxel grids or time surfaces.
  virtual void represent(const Step& step, const Plan& plan, Stream stream) = 0;
  // The labels of `embedded`, by the vocabulary that lies in memory of the device.
  virtual void label(const Vocabulary* vocabulary, const Embedded& embedded, Stream stream) = 0;
  virtual void synchronise(Stream stream) = 0;
  // Remembers this point of the stream under a number below 16; wait() returns once it was passed.
  virtual void mark(std::uint32_t slot, Stream stream) = 0;
  virtual void wait(std::uint32_t slot) = 0;
  // Makes a CUDA graph of what `launches` queues on the device's own stream; gives its number.
  virtual std::size_t capture(const std::function<void()>& launches) = 0;
  virtual void replay(std::size_t graph, Stream stream) = 0;
  virtual void forget_graphs() = 0;
};

// Blocks of `threads` threads (1 to 256), `blocks` of them, taken in an order that `seed` shuffles.
std::unique_ptr<Device> make_host_device(std::uint32_t blocks, std::uint32_t threads,
                                         std::uint32_t seed, bool integrated);

// Only in a build with CUDA.
std::unique_ptr<Device> make_cuda_device(int ordinal);

}  // namespace saccade::cuda
