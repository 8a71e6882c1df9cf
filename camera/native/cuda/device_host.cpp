// The kernels on the host, one thread after the other: all of them but the launch, without a GPU.
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "device.hpp"
#include "finalise.hpp"
#include "kernels.hpp"
#include "represent.hpp"

namespace saccade::cuda {
namespace {

class HostDevice : public Device {
 public:
  HostDevice(std::uint32_t blocks, std::uint32_t threads, std::uint32_t seed, bool integrated)
      : blocks_(blocks), threads_(threads), integrated_(integrated), random_(seed) {
    if (blocks < 1 || threads < 1 || threads > kThreads)
      throw Error("a host device needs at least one block, of 1 to 256 threads");
  }

  void* allocate(std::size_t bytes) override {
    owned_.push_back(std::make_unique<Quad[]>(bytes / sizeof(Quad) + 1));
    return owned_.back().get();
  }
  void* map(std::size_t bytes) override { return allocate(bytes); }
  bool integrated() const override { return integrated_; }
  std::uint32_t blocks() const override { return blocks_; }
  Stream stream() const override { return 0; }
  int kind() const override { return 1; }  // kDLCPU
  int ordinal() const override { return 0; }

  void copy(void* to, const void* from, std::size_t bytes, Stream) override {
    if (!capturing_) std::memcpy(to, from, bytes);
  }
  void zero(void* at, std::size_t bytes, Stream) override {
    if (!capturing_) std::memset(at, 0, bytes);
  }
  void synchronise(Stream) override {}
  void mark(std::uint32_t, Stream) override {}
  void wait(std::uint32_t) override {}

  void launch(Launch what, const Problem& p, const Output& out, Stream) override {
    if (capturing_) return;
    Scan<Evt2> scan2;
    Scan<Evt3> scan3;
    Found found;
    std::uint32_t last = 0;
    std::vector<float> line(p.grid.columns);
    for (HostBlock block : order(what == Launch::kFinalise ? p.look.size : blocks_)) {
      switch (what) {
        case Launch::kPacked:
          count_packed(block, found, p);
          break;
        case Launch::kSummarise2:
          summarise<Evt2>(block, scan2, p);
          break;
        case Launch::kSummarise3:
          summarise<Evt3>(block, scan3, p);
          break;
        case Launch::kDecode2:
          decode<Evt2>(block, scan2, p);
          break;
        case Launch::kDecode3:
          decode<Evt3>(block, scan3, p);
          break;
        case Launch::kFinalise:
          finalise(block, line.data(), last, p, out);
      }
    }
  }

  void represent(const Step& step, const Plan& plan, Stream) override {
    if (capturing_) return;
    switch (plan.form) {
      case Form::kHistogram:
        return represent<Form::kHistogram>(step, plan);
      case Form::kVoxels:
        return represent<Form::kVoxels>(step, plan);
      case Form::kSurface:
        return represent<Form::kSurface>(step, plan);
    }
  }

  void label(const Vocabulary* vocabulary, const Embedded& embedded, Stream) override {
    if (capturing_) return;
    Labelling shared;
    for (HostBlock block : order(embedded.rows * kLabelBlocks)) {
      cuda::label(block, shared, *vocabulary, embedded);
    }
  }

  // A graph is the queueing itself, done again: while it is captured, nothing is done.
  std::size_t capture(const std::function<void()>& launches) override {
    capturing_ = true;
    try {
      launches();
    } catch (...) {
      capturing_ = false;
      throw;
    }
    capturing_ = false;
    graphs_.push_back(launches);
    return graphs_.size() - 1;
  }

  void replay(std::size_t graph, Stream) override { graphs_.at(graph)(); }
  void forget_graphs() override { graphs_.clear(); }

 private:
  template <Form kForm>
  void represent(const Step& step, const Plan& plan) {
    Gathered shared;
    for (HostBlock block : order(blocks_)) {
      switch (step.stage) {
        case Stage::kMeasure:
          measure(block, shared, plan);
          break;
        case Stage::kGather:
          gather<kForm>(block, shared, plan);
          break;
        case Stage::kTally:
          tally(block, shared, plan);
          break;
        case Stage::kFinish:
          cuda::finish<kForm>(block, shared, plan, step.to);
          break;
        case Stage::kRebase:
          rebase(block, plan, step.shift);
      }
    }
  }

  std::vector<HostBlock> order(std::uint32_t count) {
    std::vector<HostBlock> blocks;
    for (std::uint32_t i = 0; i < count; ++i) {
      blocks.push_back({i, count, threads_, &random_});
    }
    std::shuffle(blocks.begin(), blocks.end(), random_);
    return blocks;
  }

  const std::uint32_t blocks_, threads_;
  const bool integrated_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<Quad[]>> owned_;
  bool capturing_ = false;
  std::vector<std::function<void()>> graphs_;
};

}  // namespace

std::unique_ptr<Device> make_host_device(std::uint32_t blocks, std::uint32_t threads,
                                         std::uint32_t seed, bool integrated) {
  return std::make_unique<HostDevice>(blocks, threads, seed, integrated);
}

}  // namespace saccade::cuda
