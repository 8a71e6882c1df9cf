// Histograms, voxel grids and time surfaces on a CUDA device.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/unique_ptr.h>

#include <cstring>
#include <optional>

#include "bind_columns.hpp"
#include "bind_device.hpp"
#include "cuda/represent_maker.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::EventColumnsView;
using saccade::cuda::DeviceRepresentation;
using saccade::cuda::Error;
using saccade::cuda::Form;
using saccade::cuda::RepresentationSettings;
using saccade::cuda::SliceTimes;
using saccade::cuda::Stream;
using saccade::cuda::Target;
using saccade::cuda::Value;

namespace {

using Packed = nb::ndarray<nb::ro>;

nb::dlpack::dtype type_of(Value value) {
  const auto code =
      value == Value::kUint16 ? nb::dlpack::dtype_code::UInt : nb::dlpack::dtype_code::Float;
  return {static_cast<std::uint8_t>(code),
          static_cast<std::uint8_t>(8 * saccade::cuda::value_bytes(value)), 1};
}

Target target_of(DeviceRepresentation& self, std::uintptr_t address) {
  return {address == 0 ? self.array() : reinterpret_cast<void*>(address), self.value()};
}

void make(DeviceRepresentation& self, const nb::list& packets, std::uint64_t begin,
          std::uint64_t end, std::uintptr_t address, Stream stream, int graph) {
  const auto columns = checked(packets);
  std::vector<EventColumnsView> views;
  for (const Columns& c : columns) views.push_back(c.view());
  nb::gil_scoped_release unlocked;
  self.make(views, SliceTimes{begin, end}, target_of(self, address), stream, graph);
}

// uint32 [N] on the accumulator's device.
const std::uint32_t* words_of(DeviceRepresentation& self, const Packed& array, const char* name) {
  check_device(self.device(), array, "arrays");
  if (array.dtype() != nb::dtype<std::uint32_t>() || array.ndim() != 1 ||
      (array.shape(0) > 1 && array.stride(0) != 1))
    throw Error(std::string(name) + " must be uint32 [N] without gaps");
  return static_cast<const std::uint32_t*>(array.data());
}

void make_packed(DeviceRepresentation& self, const Packed& events,
                 const std::optional<Packed>& times, std::uint64_t begin, std::uint64_t end,
                 std::uintptr_t address, Stream stream, int graph) {
  const std::uint32_t* const at = words_of(self, events, "events");
  const std::uint32_t* const stamps = times ? words_of(self, *times, "times") : nullptr;
  if (times && times->shape(0) != events.shape(0))
    throw Error("events and times must have one length");
  nb::gil_scoped_release unlocked;
  self.make_at(at, stamps, events.shape(0), SliceTimes{begin, end}, target_of(self, address),
               stream, graph);
}

// Where an array of the accumulator's shape and type lies on its device.
std::uintptr_t address_of(DeviceRepresentation& self, const nb::ndarray<>& out) {
  check_device(self.device(), out, "arrays");
  const auto& plan = self.plan();
  const std::size_t shape[3] = {plan.planes, plan.height, plan.width};
  bool fits = out.ndim() == 3 && out.dtype() == type_of(self.value());
  std::int64_t stride = 1;
  for (std::size_t d = 3; fits && d-- > 0; stride *= static_cast<std::int64_t>(shape[d])) {
    fits = out.shape(d) == shape[d] && (shape[d] == 1 || out.stride(d) == stride);
  }
  if (!fits) throw Error("out: must have the accumulator's type and shape, in C order");
  return reinterpret_cast<std::uintptr_t>(out.data());
}

// The accumulator's own array as a DLPack capsule that keeps it alive.
nb::ndarray<> array(nb::handle_t<DeviceRepresentation> accumulator) {
  auto& self = nb::cast<DeviceRepresentation&>(accumulator);
  const auto& plan = self.plan();
  const std::size_t shape[3] = {plan.planes, plan.height, plan.width};
  return nb::ndarray<>(self.array(), 3, shape, accumulator, nullptr, type_of(self.value()),
                       self.device().kind(), self.device().ordinal());
}

// Copies the same to contiguous memory of the host.
void array_to_host(DeviceRepresentation& self,
                   const nb::ndarray<nb::ndim<3>, nb::c_contig, nb::device::cpu>& out,
                   Stream stream) {
  if (out.nbytes() != self.array_bytes()) throw Error("out: must be of the array's size");
  nb::gil_scoped_release unlocked;
  std::memcpy(out.data(), self.array_to_host(stream), self.array_bytes());
}

nb::dict tallies(DeviceRepresentation& self, Stream stream) {
  const auto found = self.status(stream);
  nb::dict out;
  out["saturated"] = found.saturated;
  out["out_of_bounds"] = found.out_of_bounds;
  return out;
}

std::unique_ptr<DeviceRepresentation> made(std::unique_ptr<saccade::cuda::Device> device,
                                           const RepresentationSettings& settings,
                                           std::size_t slot_bytes) {
  return std::make_unique<DeviceRepresentation>(std::move(device), settings, slot_bytes);
}

std::unique_ptr<DeviceRepresentation> on_cuda(int device, const RepresentationSettings& settings,
                                              std::size_t slot_bytes) {
  return made(cuda_device(device), settings, slot_bytes);
}

std::unique_ptr<DeviceRepresentation> on_host(const HostDevice& device,
                                              const RepresentationSettings& settings,
                                              std::size_t slot_bytes) {
  return made(host_device(device), settings, slot_bytes);
}

void bind_settings(nb::module_& m) {
  nb::enum_<Form>(m, "CudaForm")
      .value("histogram", Form::kHistogram)
      .value("voxels", Form::kVoxels)
      .value("surface", Form::kSurface);
  nb::enum_<Value>(m, "CudaValue")
      .value("uint16", Value::kUint16)
      .value("float32", Value::kFloat32)
      .value("float16", Value::kFloat16);
  nb::class_<RepresentationSettings>(m, "CudaSettings")
      .def(
          "__init__",
          [](RepresentationSettings* self, Form form, int width, int height, int planes,
             Value value, bool normalise, bool measure, bool linear, std::uint32_t tau_us,
             bool memory) {
            new (self) RepresentationSettings{form,      width,   height, planes, value,
                                              normalise, measure, linear, tau_us, memory};
          },
          "form"_a, "width"_a, "height"_a, "planes"_a, "value"_a, "normalise"_a = false,
          "measure"_a = false, "linear"_a = false, "tau_us"_a = 1, "memory"_a = true);
}

}  // namespace

void bind_cuda_representations(nb::module_& m) {
  bind_settings(m);
  using Self = DeviceRepresentation;
  nb::class_<Self>(m, "DeviceRepresentation")
      .def("make", &make, "packets"_a, "begin_us"_a, "end_us"_a, "address"_a, "stream"_a,
           "graph"_a = -1)
      .def("make_packed", &make_packed, "events"_a.noconvert(), "times"_a.noconvert().none(),
           "begin_us"_a, "end_us"_a, "address"_a, "stream"_a, "graph"_a = -1)
      .def(
          "capture",
          [](Self& self, std::uintptr_t address) { return self.capture(target_of(self, address)); },
          "address"_a)
      .def("address_of", &address_of, "out"_a.noconvert())
      .def("array", &array)
      .def("array_to_host", &array_to_host, "out"_a.noconvert(), "stream"_a)
      .def("tallies", &tallies, "stream"_a)
      .def("synchronise", &Self::synchronise, "stream"_a, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("stream", [](Self& self) { return self.device().stream(); })
      .def_prop_ro("device", [](Self& self) {
        return nb::make_tuple(self.device().kind(), self.device().ordinal());
      });
  m.def("cuda_representation", &on_cuda, "device"_a, "settings"_a, "slot_bytes"_a);
  m.def("host_representation", &on_host, "device"_a, "settings"_a, "slot_bytes"_a);
}
