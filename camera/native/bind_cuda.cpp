// Frames on a CUDA device. Present in every build; without CUDA the calls say how to get it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/unique_ptr.h>

#include <string>

#include "bind_device.hpp"
#include "cuda/maker.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::Counting;
using saccade::FrameKind;
using saccade::cuda::DeviceFrameMaker;
using saccade::cuda::Error;
using saccade::cuda::Output;
using saccade::cuda::Source;
using saccade::cuda::Stream;
using saccade::cuda::Window;

namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Anywhere = nb::ndarray<nb::ro>;
using Target = nb::ndarray<>;

#ifdef SACCADE_WITH_CUDA
constexpr bool kBuilt = true;
#else
constexpr bool kBuilt = false;
#endif

std::unique_ptr<DeviceFrameMaker> cuda_maker(int device, int width, int height, int size,
                                             FrameKind kind, Counting counting, int clamp,
                                             std::size_t slot_bytes) {
  return std::make_unique<DeviceFrameMaker>(
      cuda_device(device), saccade::cuda::FrameSettings{width, height, size, kind, counting, clamp},
      slot_bytes);
}

std::unique_ptr<DeviceFrameMaker> host_maker(const HostDevice& device, int width, int height,
                                             int size, FrameKind kind, Counting counting, int clamp,
                                             std::size_t slot_bytes) {
  return std::make_unique<DeviceFrameMaker>(
      host_device(device), saccade::cuda::FrameSettings{width, height, size, kind, counting, clamp},
      slot_bytes);
}

void add_packed(DeviceFrameMaker& self, In<std::uint16_t> x, In<std::uint16_t> y, In<bool> on,
                Stream stream, int graph) {
  if (x.size() != y.size() || x.size() != on.size())
    throw nb::value_error("x, y and on must have one length");
  const auto* polarity = reinterpret_cast<const std::uint8_t*>(on.data());
  nb::gil_scoped_release unlocked;
  self.add_packed(x.data(), y.data(), polarity, x.size(), stream, graph);
}

void add_words(DeviceFrameMaker& self, Source source, In<std::uint8_t> bytes, std::uint64_t begin,
               std::uint64_t end, bool again, Stream stream, int graph) {
  nb::gil_scoped_release unlocked;
  self.add_words(source, bytes.data(), bytes.size(), Window{begin, end, again}, stream, graph);
}

// Words or packed events on the maker's device: uint16 [N] for EVT3, uint32 [N] for the others.
void add_array(DeviceFrameMaker& self, Source source, const Anywhere& array, std::uint64_t begin,
               std::uint64_t end, bool again, Stream stream, int graph) {
  check_device(self.device(), array, "frames");
  const auto code = static_cast<std::uint8_t>(nb::dlpack::dtype_code::UInt);
  const int bits = source == Source::kEvt3 ? 16 : 32;
  if (array.dtype().code != code || array.dtype().bits != bits || array.ndim() != 1 ||
      (array.shape(0) > 1 && array.stride(0) != 1))
    throw Error("the array must be uint" + std::to_string(bits) + " [N] without gaps");
  nb::gil_scoped_release unlocked;
  self.add_at(source, array.data(), array.shape(0), Window{begin, end, again}, stream, graph);
}

void finish(DeviceFrameMaker& self, std::uintptr_t address, std::uint32_t channels, bool half,
            Stream stream) {
  auto* const to = address == 0 ? self.frame() : reinterpret_cast<void*>(address);
  self.finalise(Output{to, channels, half ? 1u : 0u}, stream);
}

// float16 or float32 [size, size], or [1 or 3, size, size], on the maker's device.
Output output_of(DeviceFrameMaker& self, const Target& array) {
  check_device(self.device(), array, "frames");
  const auto code = static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float);
  const std::size_t n = array.ndim(), size = self.size();
  const std::size_t channels = n == 3 ? array.shape(0) : 1;
  bool fits = (n == 2 || n == 3) && channels >= 1 && channels <= 3 && array.dtype().code == code &&
              (array.dtype().bits == 16 || array.dtype().bits == 32);
  std::int64_t stride = 1;
  for (std::size_t d = n; fits && d-- > 0;) {
    fits =
        (d + 2 < n || array.shape(d) == size) && (array.shape(d) == 1 || array.stride(d) == stride);
    stride *= static_cast<std::int64_t>(array.shape(d));
  }
  if (!fits) {
    const std::string side = std::to_string(size);
    throw Error("out: must be float32 or float16 [1 to 3, " + side + ", " + side + "] in C order");
  }
  return {array.data(), static_cast<std::uint32_t>(channels), array.dtype().bits == 16 ? 1u : 0u};
}

auto counts(DeviceFrameMaker& self, Stream stream) {
  const std::size_t rows = self.rows(), columns = self.columns();
  auto data = std::make_unique<std::uint16_t[]>(2 * rows * columns);
  self.counts(data.get(), stream);
  std::uint16_t* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<std::uint16_t*>(p); });
  return nb::ndarray<nb::numpy, std::uint16_t, nb::ndim<3>>(raw, {2, rows, columns}, owner);
}

nb::dlpack::dtype float_type(bool half) {
  const auto code = static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float);
  return {code, static_cast<std::uint8_t>(half ? 16 : 32), 1};
}

// The maker's own frame as a DLPack capsule that keeps the maker alive.
nb::ndarray<> frame(nb::handle_t<DeviceFrameMaker> maker, std::uint32_t channels, bool half) {
  auto& self = nb::cast<DeviceFrameMaker&>(maker);
  const std::size_t shape[3] = {channels, self.size(), self.size()};
  return nb::ndarray<>(self.frame(), 3, shape, maker, nullptr, float_type(half),
                       self.device().kind(), self.device().ordinal());
}

// The same, copied to the host: a new array.
auto frame_to_host(DeviceFrameMaker& self, std::uint32_t channels, bool half, Stream stream) {
  const std::size_t shape[3] = {channels, self.size(), self.size()};
  const std::size_t bytes = shape[0] * shape[1] * shape[2] * (half ? 2 : 4);
  auto data = std::make_unique<std::uint8_t[]>(bytes);
  std::memcpy(data.get(), self.frame_to_host(bytes, stream), bytes);
  std::uint8_t* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
  return nb::ndarray<nb::numpy>(raw, 3, shape, owner, nullptr, float_type(half));
}

nb::dict tallies(DeviceFrameMaker& self, Stream stream) {
  static const char* const kNames[] = {
      "counted",      "early",          "late",         "before_time", "missing_y",
      "missing_base", "out_of_bounds",  "unknown_word", "triggers",    "others",
      "continued",    "time_backwards", "saturated"};
  static_assert(sizeof(kNames) / sizeof(*kNames) == saccade::cuda::kTallies, "one name each");
  nb::dict out;
  const auto found = self.tallies(stream);
  for (std::size_t i = 0; i < found.size(); ++i) out[kNames[i]] = found[i];
  return out;
}

struct Silence {  // a sink that nothing enters
  void tally(saccade::cuda::Tally, std::uint32_t) {}
  void events(const saccade::cuda::Events&) {}
};

// The span of words[begin, end), put together from halves that `seed` chooses.
template <typename Format>
typename Format::Span span_of(const std::uint32_t* words, std::size_t begin, std::size_t end,
                              std::uint32_t& seed) {
  typename Format::Span span;
  if (end - begin < 2) {
    if (begin < end) Format::append(span, words[begin]);
    return span;
  }
  seed = seed * 1664525 + 1013904223;
  if (seed >> 28 == 0) {  // some runs word by word, as a thread takes them
    for (std::size_t i = begin; i < end; ++i) Format::append(span, words[i]);
    return span;
  }
  const std::size_t middle = begin + 1 + (seed >> 4) % (end - begin - 1);
  const auto first = span_of<Format>(words, begin, middle, seed);
  return Format::combine(first, span_of<Format>(words, middle, end, seed));
}

nb::tuple to_tuple(const saccade::cuda::State& s) {
  using saccade::cuda::Place;
  const bool leapt = s.clock.epoch < 0, based = s.place.has(Place::kHasBase);
  return nb::make_tuple(s.clock.epoch, s.clock.high, leapt ? s.clock.before : 0, s.clock.started,
                        s.place.y, s.place.has(Place::kHasY), s.place.low, based ? s.place.base : 0,
                        based, based && s.place.has(Place::kOn));
}

// A decoder's state after the words: one by one from the `start`-th on, and by the operator.
template <typename Format>
nb::tuple states(const In<std::uint32_t>& words, std::size_t start, std::uint32_t seed) {
  saccade::cuda::State one_by_one;
  Silence none;
  for (std::size_t i = 0; i < start; ++i) Format::decode(one_by_one, words.data()[i], none);
  const auto span = span_of<Format>(words.data(), start, words.size(), seed);
  const saccade::cuda::State joined = Format::apply(one_by_one, span);
  for (std::size_t i = start; i < words.size(); ++i) {
    Format::decode(one_by_one, words.data()[i], none);
  }
  return nb::make_tuple(to_tuple(one_by_one), to_tuple(joined));
}

nb::tuple word_states(Source source, const In<std::uint32_t>& words, std::size_t start,
                      std::uint32_t seed) {
  if (start > words.size()) throw nb::value_error("start lies behind the words");
  if (source == Source::kEvt2) return states<saccade::cuda::Evt2>(words, start, seed);
  return states<saccade::cuda::Evt3>(words, start, seed);
}

void bind_maker(nb::module_& m) {
  nb::class_<DeviceFrameMaker>(m, "DeviceFrameMaker")
      .def("add_packed", &add_packed, "x"_a.noconvert(), "y"_a.noconvert(), "on"_a.noconvert(),
           "stream"_a, "graph"_a = -1)
      .def("add_words", &add_words, "source"_a, "data"_a.noconvert(), "t_begin"_a, "t_end"_a,
           "again"_a, "stream"_a, "graph"_a = -1)
      .def("add_array", &add_array, "source"_a, "array"_a.noconvert(), "t_begin"_a, "t_end"_a,
           "again"_a, "stream"_a, "graph"_a = -1)
      .def("finish", &finish, "address"_a, "channels"_a, "half"_a, "stream"_a)
      .def(
          "finish_array",
          [](DeviceFrameMaker& self, const Target& out, Stream stream) {
            self.finalise(output_of(self, out), stream);
          },
          "out"_a.noconvert(), "stream"_a)
      .def(
          "capture",
          [](DeviceFrameMaker& self, Source source, std::uintptr_t address, std::uint32_t channels,
             bool half) {
            auto* const to = address == 0 ? self.frame() : reinterpret_cast<void*>(address);
            return self.capture(source, Output{to, channels, half ? 1u : 0u});
          },
          "source"_a, "address"_a, "channels"_a, "half"_a)
      .def("frame", &frame, "channels"_a, "half"_a)
      .def("frame_to_host", &frame_to_host, "channels"_a, "half"_a, "stream"_a)
      .def("counts", &counts, "stream"_a)
      .def("clear", &DeviceFrameMaker::clear, "stream"_a)
      .def("tallies", &tallies, "stream"_a)
      .def("synchronise", &DeviceFrameMaker::synchronise, "stream"_a,
           nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("stream", [](DeviceFrameMaker& self) { return self.device().stream(); })
      .def_prop_ro("integrated", [](DeviceFrameMaker& self) { return self.device().integrated(); })
      .def_prop_ro("device",
                   [](DeviceFrameMaker& self) {
                     return nb::make_tuple(self.device().kind(), self.device().ordinal());
                   })
      .def_prop_ro("pending_bytes", &DeviceFrameMaker::pending_bytes);
}

}  // namespace

void bind_cuda(nb::module_& m) {
  nb::exception<Error>(m, "CudaError",
                       nb::module_::import_("saccade.camera.errors").attr("SaccadeError").ptr());
  m.attr("cuda_built") = kBuilt;
  nb::enum_<Source>(m, "CudaSource")
      .value("packed", Source::kPacked)
      .value("evt2", Source::kEvt2)
      .value("evt3", Source::kEvt3);
  nb::class_<HostDevice>(m, "HostDevice")
      .def(nb::init<std::uint32_t, std::uint32_t, std::uint32_t, bool>(), "blocks"_a, "threads"_a,
           "seed"_a, "integrated"_a);
  bind_maker(m);
  m.def("word_states", &word_states, "source"_a, "words"_a.noconvert(), "start"_a, "seed"_a);
  m.def("cuda_frame_maker", &cuda_maker, "device"_a, "width"_a, "height"_a, "size"_a, "kind"_a,
        "counting"_a, "clamp"_a, "slot_bytes"_a);
  m.def("host_frame_maker", &host_maker, "device"_a, "width"_a, "height"_a, "size"_a, "kind"_a,
        "counting"_a, "clamp"_a, "slot_bytes"_a);
}
