// The kernels on a CUDA device, through the runtime API alone.
#include <cuda_runtime.h>

#include <string>
#include <vector>

#include "device.hpp"
#include "finalise.hpp"
#include "kernels.hpp"
#include "represent.hpp"

namespace saccade::cuda {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // one that is not sticky shall not be reported twice
  throw Error(std::string("CUDA cannot ") + what + ": " + cudaGetErrorString(error) + " (" +
              cudaGetErrorName(error) + ")");
}

__device__ DeviceBlock this_block() { return {blockIdx.x, gridDim.x, blockDim.x}; }

// Shared memory of a type with constructors, which must not run in every thread.
template <typename T>
struct Raw {
  alignas(16) unsigned char bytes[sizeof(T)];
  __device__ T& get() { return *reinterpret_cast<T*>(bytes); }
};

__global__ void __launch_bounds__(kThreads, 4) packed_kernel(const Problem p) {
  __shared__ Raw<Found> shared;
  DeviceBlock block = this_block();
  count_packed(block, shared.get(), p);
}

template <typename Format>
__global__ void __launch_bounds__(kThreads, 4) summarise_kernel(const Problem p) {
  __shared__ Raw<Scan<Format>> shared;
  DeviceBlock block = this_block();
  summarise<Format>(block, shared.get(), p);
}

template <typename Format>
__global__ void __launch_bounds__(kThreads, 4) decode_kernel(const Problem p) {
  __shared__ Raw<Scan<Format>> shared;
  DeviceBlock block = this_block();
  decode<Format>(block, shared.get(), p);
}

__global__ void __launch_bounds__(kThreads) finalise_kernel(const Problem p, const Output out) {
  extern __shared__ float line[];
  __shared__ std::uint32_t last;
  DeviceBlock block = this_block();
  finalise(block, line, last, p, out);
}

__global__ void __launch_bounds__(kThreads)
    label_kernel(const Vocabulary* const vocabulary, const Embedded embedded) {
  __shared__ Raw<Labelling> shared;
  DeviceBlock block = this_block();
  label(block, shared.get(), *vocabulary, embedded);
}

__global__ void __launch_bounds__(kThreads, 4) measure_kernel(const Plan plan) {
  __shared__ Raw<Gathered> shared;
  DeviceBlock block = this_block();
  measure(block, shared.get(), plan);
}

template <Form kForm>
__global__ void __launch_bounds__(kThreads, 4) gather_kernel(const Plan plan) {
  __shared__ Raw<Gathered> shared;
  DeviceBlock block = this_block();
  gather<kForm>(block, shared.get(), plan);
}

__global__ void __launch_bounds__(kThreads, 4) tally_kernel(const Plan plan) {
  __shared__ Raw<Gathered> shared;
  DeviceBlock block = this_block();
  tally(block, shared.get(), plan);
}

template <Form kForm>
__global__ void __launch_bounds__(kThreads, 4) finish_kernel(const Plan plan, const Target to) {
  __shared__ Raw<Gathered> shared;
  DeviceBlock block = this_block();
  finish<kForm>(block, shared.get(), plan, to);
}

__global__ void __launch_bounds__(kThreads, 4)
    rebase_kernel(const Plan plan, const std::uint32_t shift) {
  DeviceBlock block = this_block();
  rebase(block, plan, shift);
}

// Makes the device current for a scope, and then the one that was.
class OnDevice {
 public:
  explicit OnDevice(int ordinal) {
    check(cudaGetDevice(&before_), "say which device is current");
    check(cudaSetDevice(ordinal), "use the device");
  }
  ~OnDevice() { cudaSetDevice(before_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
};

cudaStream_t native(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int ordinal) : ordinal_(ordinal) {
    int count = 0;
    check(cudaGetDeviceCount(&count), "list its devices");
    if (ordinal < 0 || ordinal >= count) {
      throw Error("CUDA device " + std::to_string(ordinal) + " is not there; there are " +
                  std::to_string(count));
    }
    const OnDevice on(ordinal_);
    int unified = 0, shared = 0, processors = 0;
    check(cudaDeviceGetAttribute(&unified, cudaDevAttrUnifiedAddressing, ordinal), "ask");
    check(cudaDeviceGetAttribute(&shared, cudaDevAttrIntegrated, ordinal), "ask");
    check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, ordinal), "ask");
    if (unified == 0) throw Error("this CUDA device has no unified addressing; use the CPU frames");
    integrated_ = shared != 0;
    blocks_ = static_cast<std::uint32_t>(processors) * kBlocksEach;
    cudaFuncAttributes found;
    check(cudaFuncGetAttributes(&found, packed_kernel),
          "load its kernels (built for other GPUs? rebuild with CMAKE_CUDA_ARCHITECTURES=native)");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
    for (cudaEvent_t& mark : marks_) {
      check(cudaEventCreateWithFlags(&mark, cudaEventDisableTiming), "make an event");
    }
  }

  ~CudaDevice() override {
    int before = 0;
    if (cudaGetDevice(&before) != cudaSuccess) return;
    cudaSetDevice(ordinal_);
    cudaDeviceSynchronize();  // on any stream there may be work on what goes away
    forget_graphs();
    for (void* memory : owned_) cudaFree(memory);
    for (void* memory : mapped_) cudaFreeHost(memory);
    for (cudaEvent_t mark : marks_) {
      if (mark != nullptr) cudaEventDestroy(mark);
    }
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
    cudaSetDevice(before);
  }

  void* allocate(std::size_t bytes) override {
    const OnDevice on(ordinal_);
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes), "allocate memory of the device");
    owned_.push_back(memory);
    check(cudaMemsetAsync(memory, 0, bytes, stream_), "clear memory");
    check(cudaStreamSynchronize(stream_), "clear memory");
    return memory;
  }

  void* map(std::size_t bytes) override {
    const OnDevice on(ordinal_);
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped | cudaHostAllocPortable),
          "allocate pinned memory");
    mapped_.push_back(memory);
    std::memset(memory, 0, bytes);
    return memory;
  }

  bool integrated() const override { return integrated_; }
  std::uint32_t blocks() const override { return blocks_; }
  Stream stream() const override { return reinterpret_cast<Stream>(stream_); }
  int kind() const override { return 2; }  // kDLCUDA
  int ordinal() const override { return ordinal_; }

  void copy(void* to, const void* from, std::size_t bytes, Stream stream) override {
    const OnDevice on(ordinal_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, native(stream)), "copy");
  }

  void zero(void* at, std::size_t bytes, Stream stream) override {
    const OnDevice on(ordinal_);
    check(cudaMemsetAsync(at, 0, bytes, native(stream)), "clear memory");
  }

  void launch(Launch what, const Problem& p, const Output& out, Stream stream) override {
    const OnDevice on(ordinal_);
    const cudaStream_t s = native(stream);
    switch (what) {
      case Launch::kPacked:
        packed_kernel<<<blocks_, kThreads, 0, s>>>(p);
        break;
      case Launch::kSummarise2:
        summarise_kernel<Evt2><<<blocks_, kThreads, 0, s>>>(p);
        break;
      case Launch::kSummarise3:
        summarise_kernel<Evt3><<<blocks_, kThreads, 0, s>>>(p);
        break;
      case Launch::kDecode2:
        decode_kernel<Evt2><<<blocks_, kThreads, 0, s>>>(p);
        break;
      case Launch::kDecode3:
        decode_kernel<Evt3><<<blocks_, kThreads, 0, s>>>(p);
        break;
      case Launch::kFinalise:
        finalise_kernel<<<p.look.size, kThreads, p.grid.columns * sizeof(float), s>>>(p, out);
    }
    check(cudaPeekAtLastError(), "launch a kernel");
  }

  void represent(const Step& step, const Plan& plan, Stream stream) override {
    const OnDevice on(ordinal_);
    const cudaStream_t s = native(stream);
    switch (step.stage) {
      case Stage::kMeasure:
        measure_kernel<<<blocks_, kThreads, 0, s>>>(plan);
        break;
      case Stage::kTally:
        tally_kernel<<<blocks_, kThreads, 0, s>>>(plan);
        break;
      case Stage::kRebase:
        rebase_kernel<<<blocks_, kThreads, 0, s>>>(plan, step.shift);
        break;
      case Stage::kGather:
      case Stage::kFinish:
        if (plan.form == Form::kHistogram) represent<Form::kHistogram>(step, plan, s);
        if (plan.form == Form::kVoxels) represent<Form::kVoxels>(step, plan, s);
        if (plan.form == Form::kSurface) represent<Form::kSurface>(step, plan, s);
    }
    check(cudaPeekAtLastError(), "launch a kernel");
  }

  void label(const Vocabulary* vocabulary, const Embedded& embedded, Stream stream) override {
    const OnDevice on(ordinal_);
    const std::uint32_t blocks = embedded.rows * kLabelBlocks;
    label_kernel<<<blocks, kThreads, 0, native(stream)>>>(vocabulary, embedded);
    check(cudaPeekAtLastError(), "launch a kernel");
  }

  void synchronise(Stream stream) override {
    const OnDevice on(ordinal_);
    check(cudaStreamSynchronize(native(stream)), "finish its work");
  }

  void mark(std::uint32_t slot, Stream stream) override {
    const OnDevice on(ordinal_);
    check(cudaEventRecord(marks_[slot], native(stream)), "record an event");
  }

  void wait(std::uint32_t slot) override {
    const OnDevice on(ordinal_);
    check(cudaEventSynchronize(marks_[slot]), "finish its work");
  }

  std::size_t capture(const std::function<void()>& launches) override {
    const OnDevice on(ordinal_);
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "begin a capture");
    cudaGraph_t graph = nullptr;
    try {
      launches();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "end a capture");
    cudaGraphExec_t made = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&made, graph, 0);
    cudaGraphDestroy(graph);
    check(error, "make a graph");
    graphs_.push_back(made);
    return graphs_.size() - 1;
  }

  void replay(std::size_t graph, Stream stream) override {
    const OnDevice on(ordinal_);
    check(cudaGraphLaunch(graphs_.at(graph), native(stream)), "launch a graph");
  }

  void forget_graphs() override {
    for (cudaGraphExec_t graph : graphs_) cudaGraphExecDestroy(graph);
    graphs_.clear();
  }

 private:
  template <Form kForm>
  void represent(const Step& step, const Plan& plan, cudaStream_t s) const {
    if (step.stage == Stage::kGather) {
      gather_kernel<kForm><<<blocks_, kThreads, 0, s>>>(plan);
    } else {
      finish_kernel<kForm><<<blocks_, kThreads, 0, s>>>(plan, step.to);
    }
  }

  static constexpr std::uint32_t kBlocksEach = 4;  // blocks a multiprocessor runs at once

  const int ordinal_;
  bool integrated_ = false;
  std::uint32_t blocks_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t marks_[16] = {};
  std::vector<void*> owned_, mapped_;
  std::vector<cudaGraphExec_t> graphs_;
};

}  // namespace

std::unique_ptr<Device> make_cuda_device(int ordinal) {
  return std::make_unique<CudaDevice>(ordinal);
}

}  // namespace saccade::cuda
