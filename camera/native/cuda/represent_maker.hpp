// Histograms, voxel grids and time surfaces on a device: their memory, and what is launched when.
#pragma once
#include <vector>

#include "representations.hpp"
#include "ring.hpp"

namespace saccade::cuda {

struct RepresentationSettings {
  Form form;
  int width, height, planes;
  Value value;
  bool normalise;        // voxels
  bool measure;          // voxels of arrays on the device lie between their first and last event
  bool linear;           // surface
  std::uint32_t tau_us;  // surface
  bool memory;           // surface: events of the slices before count
};

// The times of a slice, in us: voxels lie between them, a surface is as of the second. What the
// times of arrays on the device count from is the first.
struct SliceTimes {
  std::uint64_t begin = 0, end = 0;
};

// As Histogram, VoxelGrid and TimeSurface. One thread at a time, and streams that the caller
// orders. Everything is allocated at the start.
class DeviceRepresentation {
 public:
  static constexpr int kNoGraph = -1;

  // `slot_bytes`: the longest piece of input from the host, of 8 bytes an event; a multiple of 64.
  DeviceRepresentation(std::unique_ptr<Device> device, const RepresentationSettings& settings,
                       std::size_t slot_bytes);

  // One slice of columns on the host. With a `graph` (below), which writes where it was captured
  // to, they must fit in one piece.
  void make(const std::vector<EventColumnsView>& packets, const SliceTimes& times, const Target& to,
            Stream stream, int graph = kNoGraph);
  // One slice of n packed events and the time of each since the slice's begin (a histogram has
  // none), at addresses of the device that are multiples of 16.
  void make_at(const void* events, const std::uint32_t* stamps, std::size_t n,
               const SliceTimes& times, const Target& to, Stream stream, int graph = kNoGraph);
  // A CUDA graph of one slice in one piece, and of its array to `to`; gives its number.
  int capture(const Target& to);

  // An array's place on the device, for who brings none, and its bytes.
  void* array() { return array_; }
  std::size_t array_bytes() const { return plan_.n_cells() * value_bytes(value_); }
  // The same on the host, until the next call. Waits.
  const void* array_to_host(Stream stream);

  // Of all slices so far. Waits.
  SliceStatus status(Stream stream);
  void synchronise(Stream stream) { device_->synchronise(stream); }

  const Plan& plan() const { return plan_; }
  Value value() const { return value_; }
  Device& device() { return *device_; }

 private:
  void check(std::size_t n, std::size_t room, const Target& to, int graph) const;
  void begin(std::size_t n, const SliceTimes& times, Stream stream);
  void advance(std::uint64_t now_us, std::uint64_t n, Stream stream);
  std::uint32_t time_of(std::uint64_t t, const SliceTimes& times) const;
  void run(Piece piece, std::size_t bytes, Stream stream, int graph);
  void gather(bool measured, Stream stream);
  void finish(const Target& to, Stream stream);

  std::unique_ptr<Device> device_;
  Plan plan_;
  Value value_;
  bool memory_, measure_;
  Ring<Piece> ring_;
  void *array_ = nullptr, *host_array_ = nullptr;  // the second is mapped
  SliceStatus* host_status_ = nullptr;             // mapped
  int graphs_ = 0;
  Piece piece_;         // of the slice: what all its pieces have
  unsigned shift_ = 0;  // voxels: the unit of the pieces' times is 2^shift_ us
  // The surface's clock: see TimeSurface. What it reads, and when in us.
  std::uint64_t now_, now_us_ = 0;
  std::uint64_t place_ = 1;  // of the next event in the stream
};

}  // namespace saccade::cuda
