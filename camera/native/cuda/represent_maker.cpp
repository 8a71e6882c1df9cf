#include "represent_maker.hpp"

#include <algorithm>
#include <string>

namespace saccade::cuda {
namespace {

constexpr std::uint64_t kNewest = std::uint64_t{1} << 31;  // where the surface's clock begins
constexpr std::uint64_t kMax32 = ~0u;
constexpr std::uint64_t kMostEvents = std::uint64_t{1} << 31;  // of a slice: no sum overflows
constexpr double kLog2E = 1.4426950408889634;
constexpr std::uint32_t kLivesExponential = 17;

Plan plan_of(const RepresentationSettings& s) {
  if (s.width < 1 || s.height < 1 || s.width > static_cast<int>(kMaxSide) ||
      s.height > static_cast<int>(kMaxSide))
    throw Error("a sensor must have from 1 to 2048 pixels a side to fit packed events");
  if (s.planes < 1 || s.planes > 255) throw Error("an array has from 1 to 255 planes");
  if (s.value == Value::kUint16 && s.form != Form::kHistogram)
    throw Error("only a histogram counts in uint16");
  Plan plan;
  plan.form = s.form;
  plan.width = static_cast<std::uint32_t>(s.width);
  plan.height = static_cast<std::uint32_t>(s.height);
  plan.planes = static_cast<std::uint32_t>(s.planes);
  plan.normalise = s.normalise && s.form == Form::kVoxels ? 1 : 0;
  if (s.form == Form::kSurface) {
    plan.linear = s.linear ? 1 : 0;
    plan.life_us = s.linear ? s.tau_us : s.tau_us * kLivesExponential;
    plan.per_us = static_cast<float>((s.linear ? 1.0 : kLog2E) / s.tau_us);
  }
  return plan;
}

constexpr std::size_t padded(std::size_t n) { return (n + 3) / 4 * 4; }

}  // namespace

DeviceRepresentation::DeviceRepresentation(std::unique_ptr<Device> device,
                                           const RepresentationSettings& settings,
                                           std::size_t slot_bytes)
    : device_(std::move(device)),
      plan_(plan_of(settings)),
      value_(settings.value),
      memory_(settings.memory),
      measure_(settings.measure && settings.form == Form::kVoxels),
      ring_(*device_, slot_bytes),
      now_(kNewest) {
  plan_.status = static_cast<SliceStatus*>(device_->allocate(sizeof(SliceStatus)));
  plan_.cells = device_->allocate(plan_.n_cells() * cell_bytes(plan_.form));
  plan_.pieces = ring_.heads();
  plan_.n_pieces = Ring<Piece>::kSlots;
  array_ = device_->allocate(array_bytes());
  host_array_ = device_->map(array_bytes());
  host_status_ = static_cast<SliceStatus*>(device_->map(sizeof(SliceStatus)));
  device_->synchronise(device_->stream());
}

// Of a slice that is to be made of n events, of which a graph takes `room`.
void DeviceRepresentation::check(std::size_t n, std::size_t room, const Target& to,
                                 int graph) const {
  if (!to.address || reinterpret_cast<std::uintptr_t>(to.address) % value_bytes(to.value) != 0)
    throw Error("an array must be written to an aligned address of the device");
  if (n > kMostEvents) throw Error("more than 2^31 events in one slice");
  if (graph == kNoGraph) return;
  if (graph < 0 || graph >= graphs_) throw Error("no graph of this number was captured");
  if (n > room)
    throw Error("a graph takes one piece of at most " + std::to_string(room) + " events, not " +
                std::to_string(n) + "; make the slots longer");
}

// What all pieces of a slice of n events have.
void DeviceRepresentation::begin(std::size_t n, const SliceTimes& times, Stream stream) {
  piece_ = Piece();
  if (plan_.form == Form::kSurface) {
    advance(times.end, n, stream);
    piece_.now = static_cast<std::uint32_t>(now_);
    if (!memory_) piece_.flags = Piece::kForget;
  } else if (plan_.form == Form::kVoxels) {
    // Longer spans than 32 bits of us hold are told in coarser units.
    std::uint64_t span = times.end > times.begin ? times.end - times.begin : 0;
    span = std::min(span, ~std::uint64_t{0} >> 1);  // as the CPU's
    for (shift_ = 0; span > kMax32; span >>= 1) ++shift_;
    piece_.end = static_cast<std::uint32_t>(span);
  }
}

// Sets the surface's clock to `now_us`. Its memory begins anew where the clock falls, and is told
// by an earlier one where 32 bits of it, or of the events' places, are used up.
void DeviceRepresentation::advance(std::uint64_t now_us, std::uint64_t n, Stream stream) {
  if (now_us < now_us_) {
    device_->zero(plan_.cells, plan_.n_cells() * cell_bytes(plan_.form), stream);
    now_us_ = now_us;
  }
  now_ += std::min(now_us - now_us_, std::uint64_t{1} << 33);
  now_us_ = now_us;
  if (now_ > kMax32 || place_ + n > kMax32) {
    const std::uint64_t shift = std::min(now_ - kNewest, kMax32);
    Step step = {Stage::kRebase, {}, static_cast<std::uint32_t>(shift)};
    device_->represent(step, plan_, stream);
    now_ = kNewest;
    place_ = 1;
  }
}

// An event's time as the pieces of this slice tell it.
std::uint32_t DeviceRepresentation::time_of(std::uint64_t t, const SliceTimes& times) const {
  if (plan_.form == Form::kVoxels) {
    if (t <= times.begin) return 0;
    return static_cast<std::uint32_t>(std::min((t - times.begin) >> shift_, kMax32));
  }
  const std::uint64_t age = t < now_us_ ? now_us_ - t : 0;
  return static_cast<std::uint32_t>(age < now_ ? now_ - age : 0);
}

void DeviceRepresentation::make(const std::vector<EventColumnsView>& packets,
                                const SliceTimes& times, const Target& to, Stream stream,
                                int graph) {
  std::size_t left = 0;
  for (const EventColumnsView& e : packets) left += e.n;
  const bool timed = plan_.form != Form::kHistogram;
  const std::size_t room = ring_.slot_bytes() / (timed ? 8 : 4);
  check(left, room, to, graph);
  begin(left, times, stream);
  auto packet = packets.begin();
  std::size_t i = 0;  // of the packet
  do {
    const std::size_t n = std::min(left, room);
    auto* const events = reinterpret_cast<std::uint32_t*>(ring_.take());
    std::uint32_t* const stamps = events + padded(n);
    for (std::size_t k = 0; k < n;) {
      const EventColumnsView& e = *packet;
      const std::size_t end = std::min(e.n, i + n - k);
      for (; i < end; ++i, ++k) {
        events[k] = packed(e.x[i], e.y[i], e.on[i]);
        if (timed) stamps[k] = time_of(e.t[i], times);
      }
      if (i == e.n) {
        ++packet;
        i = 0;
      }
    }
    Piece piece = piece_;
    piece.events = ring_.there();
    if (timed) piece.times = static_cast<const std::uint32_t*>(piece.events) + padded(n);
    piece.n = n;
    left -= n;
    run(piece, timed ? 4 * (padded(n) + n) : 4 * n, stream, graph);
  } while (left > 0);
  if (graph == kNoGraph) finish(to, stream);
}

void DeviceRepresentation::make_at(const void* events, const std::uint32_t* stamps, std::size_t n,
                                   const SliceTimes& times, const Target& to, Stream stream,
                                   int graph) {
  check(n, n, to, graph);
  if ((reinterpret_cast<std::uintptr_t>(events) | reinterpret_cast<std::uintptr_t>(stamps)) % 16)
    throw Error("an array on the device must begin at a multiple of 16 bytes");
  begin(n, times, stream);
  if (shift_ != 0 && !measure_)
    throw Error("a window of more than 2^32 us does not fit the times of arrays on the device");
  Piece piece = piece_;
  if (plan_.form == Form::kSurface) {
    const std::uint64_t length = times.end > times.begin ? times.end - times.begin : 0;
    const std::uint64_t ahead = times.begin > times.end ? times.begin - times.end : 0;
    constexpr std::uint64_t kLongest = std::uint64_t{1} << 33;
    piece.origin = static_cast<std::int64_t>(now_ + std::min(ahead, kLongest)) -
                   static_cast<std::int64_t>(std::min(length, kLongest));
  }
  if (measure_) piece.flags |= Piece::kMeasure;
  ring_.take();
  piece.events = events;
  piece.times = stamps;
  piece.n = n;
  run(piece, 0, stream, graph);
  if (graph == kNoGraph) finish(to, stream);
}

// Sends a piece and queues what reads it: its kernels, or a graph that makes the array too.
void DeviceRepresentation::run(Piece piece, std::size_t bytes, Stream stream, int graph) {
  piece.first = static_cast<std::uint32_t>(place_);
  place_ += piece.n;
  ring_.send(piece, bytes, stream);
  if (graph == kNoGraph) {
    gather((piece.flags & Piece::kMeasure) != 0, stream);
  } else {
    device_->replay(static_cast<std::size_t>(graph), stream);
  }
  ring_.pass(stream);
}

void DeviceRepresentation::gather(bool measured, Stream stream) {
  if (measured) device_->represent({Stage::kMeasure}, plan_, stream);
  device_->represent({Stage::kGather}, plan_, stream);
}

void DeviceRepresentation::finish(const Target& to, Stream stream) {
  if (plan_.normalise != 0) device_->represent({Stage::kTally}, plan_, stream);
  device_->represent({Stage::kFinish, to}, plan_, stream);
}

int DeviceRepresentation::capture(const Target& to) {
  check(0, 0, to, kNoGraph);
  const std::size_t number = device_->capture([this, to] {
    gather(measure_, device_->stream());
    finish(to, device_->stream());
  });
  graphs_ = static_cast<int>(number) + 1;
  return graphs_ - 1;
}

const void* DeviceRepresentation::array_to_host(Stream stream) {
  device_->copy(host_array_, array_, array_bytes(), stream);
  device_->synchronise(stream);
  return host_array_;
}

SliceStatus DeviceRepresentation::status(Stream stream) {
  device_->copy(host_status_, plan_.status, sizeof(SliceStatus), stream);
  device_->synchronise(stream);
  return *host_status_;
}

}  // namespace saccade::cuda
