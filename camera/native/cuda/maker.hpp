// Frames on a device: its memory, the ring of input, and what is launched in which order.
#pragma once
#include <array>
#include <vector>

#include "device.hpp"
#include "frames.hpp"
#include "ring.hpp"

namespace saccade::cuda {

enum class Source { kPacked, kEvt2, kEvt3 };

struct FrameSettings {
  int width, height, size;
  FrameKind kind;
  Counting counting;
  int clamp;
};

// Events whose time t is in [begin, end) us are counted. `again`: decode from where the last add
// began instead of where it ended, to give a piece that holds a border to the next slice too.
struct Window {
  std::uint64_t begin = 0, end = ~std::uint64_t{0};
  bool again = false;
};

// One thread at a time, and streams that the caller orders. Everything is allocated at the start.
class DeviceFrameMaker {
 public:
  static constexpr int kNoGraph = -1;
  static constexpr std::uint32_t kMaxChannels = 3;

  // `slot_bytes`: the longest piece of input from the host, a multiple of 64.
  DeviceFrameMaker(std::unique_ptr<Device> device, const FrameSettings& settings,
                   std::size_t slot_bytes);

  // Host columns and bytes of any number, in as many pieces as they need. With a `graph` (below)
  // they must fit in one, and the frame is made in the same go.
  void add_packed(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                  std::size_t n, Stream stream, int graph = kNoGraph);
  void add_words(Source source, const std::uint8_t* bytes, std::size_t n, const Window& window,
                 Stream stream, int graph = kNoGraph);
  // n packed events or words at a device's address, aligned to 16 bytes, in one piece.
  void add_at(Source source, const void* address, std::size_t n, const Window& window,
              Stream stream, int graph = kNoGraph);

  // Writes the frame, and begins the next.
  void finalise(const Output& out, Stream stream);
  // One CUDA graph of a piece of `source` to the counters, and of them to `out`; gives its number.
  int capture(Source source, const Output& out);

  // A frame's place on the device, kMaxChannels planes of fp32, for who brings none.
  void* frame() { return frame_; }
  // Its first bytes on the host, until the next call. Waits.
  const void* frame_to_host(std::size_t bytes, Stream stream);

  // Copies the counters to [2][rows][columns] on the host: OFF first. Waits.
  void counts(std::uint16_t* out, Stream stream);
  void clear(Stream stream);
  // See Tally. Waits.
  std::array<std::uint64_t, kTallies> tallies(Stream stream);
  void synchronise(Stream stream) { device_->synchronise(stream); }

  std::uint32_t rows() const { return problem_.grid.rows; }
  std::uint32_t columns() const { return problem_.grid.columns; }
  std::uint32_t size() const { return problem_.look.size; }
  std::size_t pending_bytes() const { return pending_.size; }
  Device& device() { return *device_; }

 private:
  struct Pending {  // bytes of an unfinished word
    std::uint8_t bytes[4];
    std::size_t size = 0;
  };

  Axis upload(int in, int out);
  void send(Chunk chunk, std::size_t bytes, Stream stream);
  void run(Source source, Stream stream, int graph);
  void launch(Source source, Stream stream);
  Chunk begin_words(Source source, const Window& window);
  std::size_t put_words(Source source, const std::uint8_t* bytes, std::size_t n, Chunk chunk,
                        Stream stream);
  void check_graph(Source source, int graph, std::size_t bytes) const;
  Status& status(Stream stream);

  std::unique_ptr<Device> device_;
  Problem problem_;
  Ring<Chunk> ring_;
  Status* status_ = nullptr;                       // mapped; where the device's is copied
  std::uint32_t* host_counts_ = nullptr;           // mapped
  void *frame_ = nullptr, *host_frame_ = nullptr;  // the second is mapped
  Pending pending_, pending_before_;
  bool decodes_ = false;  // words of `decoded_` came
  Source decoded_ = Source::kEvt3;
  std::vector<Source> graphs_;  // what each takes
};

}  // namespace saccade::cuda
