#include "maker.hpp"

#include <algorithm>
#include <string>

namespace saccade::cuda {
namespace {

constexpr std::size_t word_bytes(Source source) { return source == Source::kEvt3 ? 2 : 4; }

Problem problem_of(const FrameSettings& s) {
  Problem p;
  const bool scaled = s.counting == Counting::kEncoder;
  Grid& g = p.grid;
  g.width = static_cast<std::uint32_t>(s.width);
  g.height = static_cast<std::uint32_t>(s.height);
  g.rows = static_cast<std::uint32_t>(scaled ? s.size : s.height);
  g.columns = static_cast<std::uint32_t>(scaled ? s.size : s.width);
  g.scaled = scaled ? 1 : 0;
  g.x_scale = Grid::reciprocal(g.width);
  g.y_scale = Grid::reciprocal(g.height);
  switch (s.kind) {
    case FrameKind::kPaper:
      p.look.kind = Kind::kPaper;
      break;
    case FrameKind::kSigned:
      p.look.kind = Kind::kSigned;
      break;
    case FrameKind::kClamped:
      p.look.kind = Kind::kClamped;
      break;
    default:
      throw Error("frames on a device are of the kinds paper, signed and clamped");
  }
  p.look.clamp = static_cast<std::uint32_t>(s.clamp);
  p.look.size = static_cast<std::uint32_t>(s.size);
  return p;
}

}  // namespace

DeviceFrameMaker::DeviceFrameMaker(std::unique_ptr<Device> device, const FrameSettings& settings,
                                   std::size_t slot_bytes)
    : device_(std::move(device)), problem_(problem_of(settings)), ring_(*device_, slot_bytes) {
  if (problem_.grid.width > kMaxSide || problem_.grid.height > kMaxSide)
    throw Error("a sensor of more than 2048 pixels a side does not fit packed events");
  Memory& m = problem_.memory;
  const std::size_t cells = std::size_t{problem_.grid.cells()} * 4;
  m.status = static_cast<Status*>(device_->allocate(sizeof(Status)));
  for (std::uint32_t*& counts : m.counts) {
    counts = static_cast<std::uint32_t*>(device_->allocate(cells));
  }
  m.wraps = static_cast<std::uint32_t*>(device_->allocate(cells));
  m.spans = device_->allocate(device_->blocks() * sizeof(Evt3::Span));
  m.chunks = ring_.heads();
  m.n_chunks = Ring<Chunk>::kSlots;
  status_ = static_cast<Status*>(device_->map(sizeof(Status)));
  host_counts_ = static_cast<std::uint32_t*>(device_->map(cells));
  const std::size_t pixels = std::size_t{size()} * size();
  frame_ = device_->allocate(kMaxChannels * pixels * sizeof(float));
  host_frame_ = device_->map(kMaxChannels * pixels * sizeof(float));
  m.horizontal = upload(static_cast<int>(problem_.grid.columns), settings.size);
  m.vertical = upload(static_cast<int>(problem_.grid.rows), settings.size);
  device_->synchronise(device_->stream());
}

// The taps of frames.cpp, without those at the ends that weigh nothing.
Axis DeviceFrameMaker::upload(int in, int out) {
  const ResizeAxis axis(in, out);
  std::vector<Tap> taps;
  for (const Taps& t : axis.taps) {
    auto first = static_cast<std::uint32_t>(t.first), n = static_cast<std::uint32_t>(t.n);
    auto weights = static_cast<std::uint32_t>(t.weights);
    while (n > 1 && axis.weights[weights + n - 1] == 0) --n;
    for (; n > 1 && axis.weights[weights] == 0; --n, ++first) ++weights;
    taps.push_back({first, n, weights});
  }
  auto copied = [&](const void* from, std::size_t bytes) {
    void* const to = device_->allocate(bytes);
    device_->copy(to, from, bytes, device_->stream());
    device_->synchronise(device_->stream());
    return to;
  };
  Axis made;
  made.taps = static_cast<const Tap*>(copied(taps.data(), taps.size() * sizeof(Tap)));
  const std::size_t bytes = axis.weights.size() * sizeof(float);
  made.weights = static_cast<const float*>(copied(axis.weights.data(), bytes));
  return made;
}

// Sends the head of the piece that run() is about to count; `bytes` of it lie in the slot.
void DeviceFrameMaker::send(Chunk chunk, std::size_t bytes, Stream stream) {
  if (chunk.data == nullptr) chunk.data = ring_.there();
  ring_.send(chunk, bytes, stream);
}

void DeviceFrameMaker::launch(Source source, Stream stream) {
  switch (source) {
    case Source::kPacked:
      device_->launch(Launch::kPacked, problem_, {}, stream);
      break;
    case Source::kEvt2:
      device_->launch(Launch::kSummarise2, problem_, {}, stream);
      device_->launch(Launch::kDecode2, problem_, {}, stream);
      break;
    case Source::kEvt3:
      device_->launch(Launch::kSummarise3, problem_, {}, stream);
      device_->launch(Launch::kDecode3, problem_, {}, stream);
  }
}

void DeviceFrameMaker::run(Source source, Stream stream, int graph) {
  if (graph == kNoGraph) {
    launch(source, stream);
  } else {
    device_->replay(static_cast<std::size_t>(graph), stream);
  }
  ring_.pass(stream);
}

void DeviceFrameMaker::check_graph(Source source, int graph, std::size_t bytes) const {
  if (graph == kNoGraph) return;
  if (graph < 0 || static_cast<std::size_t>(graph) >= graphs_.size() ||
      graphs_[static_cast<std::size_t>(graph)] != source)
    throw Error("no graph of this number was captured for this kind of input");
  if (bytes > ring_.slot_bytes()) {
    throw Error("a graph takes one piece of at most " + std::to_string(ring_.slot_bytes()) +
                " bytes, not " + std::to_string(bytes) + "; make the slots longer");
  }
}

void DeviceFrameMaker::add_packed(const std::uint16_t* x, const std::uint16_t* y,
                                  const std::uint8_t* on, std::size_t n, Stream stream, int graph) {
  check_graph(Source::kPacked, graph, 4 * n);
  for (std::size_t i = 0; i < n || (n == 0 && graph != kNoGraph);) {
    auto* const events = reinterpret_cast<std::uint32_t*>(ring_.take());
    const std::size_t end = std::min(n, i + ring_.slot_bytes() / 4);
    for (std::size_t k = i; k < end; ++k) events[k - i] = packed(x[k], y[k], on[k] != 0);
    Chunk chunk;
    chunk.n = end - i;
    send(chunk, 4 * (end - i), stream);
    run(Source::kPacked, stream, graph);
    if (n == 0) return;
    i = end;
  }
}

Chunk DeviceFrameMaker::begin_words(Source source, const Window& window) {
  if (decodes_ && source != decoded_)
    throw Error("EVT2 and EVT3 words have decoders of their own; use two frame makers");
  if (window.again && !decodes_) throw Error("there are no words yet to decode again");
  decodes_ = true;
  decoded_ = source;
  Chunk chunk;
  chunk.t_begin = window.begin;
  chunk.t_end = window.end;
  chunk.flags = Chunk::kBegins;
  if (window.again) chunk.flags |= Chunk::kRestart | Chunk::kSilent;
  return chunk;
}

void DeviceFrameMaker::add_words(Source source, const std::uint8_t* bytes, std::size_t n,
                                 const Window& window, Stream stream, int graph) {
  check_graph(source, graph, n + sizeof(pending_.bytes));
  Chunk chunk = begin_words(source, window);
  if (window.again) {
    pending_ = pending_before_;
  } else {
    pending_before_ = pending_;
  }
  do {
    const std::size_t taken = put_words(source, bytes, n, chunk, stream);
    run(source, stream, graph);
    bytes += taken;
    n -= taken;
    chunk.flags &= Chunk::kSilent;
  } while (n > 0);
}

std::size_t DeviceFrameMaker::put_words(Source source, const std::uint8_t* bytes, std::size_t n,
                                        Chunk chunk, Stream stream) {
  std::uint8_t* const to = ring_.take();
  const std::size_t taken = std::min(n, ring_.slot_bytes() - pending_.size);
  std::copy_n(pending_.bytes, pending_.size, to);
  std::copy_n(bytes, taken, to + pending_.size);
  const std::size_t all = pending_.size + taken, rest = all % word_bytes(source);
  std::copy_n(to + all - rest, rest, pending_.bytes);
  pending_.size = rest;
  chunk.n = all / word_bytes(source);
  send(chunk, all, stream);
  return taken;
}

void DeviceFrameMaker::add_at(Source source, const void* address, std::size_t n,
                              const Window& window, Stream stream, int graph) {
  check_graph(source, graph, 0);
  if (reinterpret_cast<std::uintptr_t>(address) % 16 != 0)
    throw Error("an array on the device must begin at a multiple of 16 bytes");
  if (n > (std::size_t{1} << 28)) throw Error("more than 2^28 words or events in one piece");
  Chunk chunk;
  if (source != Source::kPacked) {
    if (pending_.size != 0) throw Error("bytes from the host wait for the end of their word");
    chunk = begin_words(source, window);
    pending_before_ = pending_;
  }
  ring_.take();
  chunk.data = address;
  chunk.n = n;
  send(chunk, 0, stream);
  run(source, stream, graph);
}

const void* DeviceFrameMaker::frame_to_host(std::size_t bytes, Stream stream) {
  device_->copy(host_frame_, frame_, bytes, stream);
  device_->synchronise(stream);
  return host_frame_;
}

void DeviceFrameMaker::finalise(const Output& out, Stream stream) {
  if (out.channels < 1 || out.channels > kMaxChannels) throw Error("a frame has 1 to 3 channels");
  if (reinterpret_cast<std::uintptr_t>(out.address) % (out.half ? 2 : 4) != 0 || !out.address)
    throw Error("a frame must be written to an aligned address of the device");
  device_->launch(Launch::kFinalise, problem_, out, stream);
}

int DeviceFrameMaker::capture(Source source, const Output& out) {
  const std::size_t number = device_->capture([this, source, out] {
    launch(source, device_->stream());
    finalise(out, device_->stream());
  });
  graphs_.resize(number + 1);
  graphs_[number] = source;
  return static_cast<int>(number);
}

Status& DeviceFrameMaker::status(Stream stream) {
  device_->copy(status_, problem_.memory.status, sizeof(Status), stream);
  device_->synchronise(stream);
  return *status_;
}

void DeviceFrameMaker::counts(std::uint16_t* out, Stream stream) {
  const std::size_t cells = problem_.grid.cells();
  const std::uint32_t current = status(stream).current;
  device_->copy(host_counts_, problem_.memory.counts[current], cells * 4, stream);
  device_->synchronise(stream);
  for (std::size_t i = 0; i < cells; ++i) {
    out[i] = static_cast<std::uint16_t>(host_counts_[i] & kMax16);
    out[cells + i] = static_cast<std::uint16_t>(host_counts_[i] >> 16);
  }
}

void DeviceFrameMaker::clear(Stream stream) {
  for (std::uint32_t* counts : problem_.memory.counts) {
    device_->zero(counts, std::size_t{problem_.grid.cells()} * 4, stream);
  }
  device_->zero(&problem_.memory.status->maxima, sizeof(Maxima), stream);
}

std::array<std::uint64_t, kTallies> DeviceFrameMaker::tallies(Stream stream) {
  const Status& found = status(stream);
  std::array<std::uint64_t, kTallies> out;
  std::copy_n(found.tallies, kTallies, out.begin());
  return out;
}

}  // namespace saccade::cuda
