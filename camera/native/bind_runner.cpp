// What engines need of a CUDA device; its twin on the host runs the same calls for tests.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/unique_ptr.h>

#include "bind_device.hpp"
#include "cuda/runner.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::cuda::Device;
using saccade::cuda::Embedded;
using saccade::cuda::Error;
using saccade::cuda::Runner;
using saccade::cuda::Stream;

namespace {

using Bank = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::unique_ptr<Runner> cuda_runner(int ordinal) {
  return std::make_unique<Runner>(cuda_device(ordinal));
}

std::unique_ptr<Runner> host_runner(const HostDevice& device) {
  return std::make_unique<Runner>(host_device(device));
}

// Memory of the host that the device copies from and to at full speed; it keeps the device alive.
auto pinned(Runner& self, std::size_t bytes) {
  auto* const keep = new std::shared_ptr<Device>(self.share());
  nb::capsule owner(keep,
                    [](void* p) noexcept { delete static_cast<std::shared_ptr<Device>*>(p); });
  auto* const memory = static_cast<std::uint8_t*>(self.device().map(bytes));
  return nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>(memory, {bytes}, owner);
}

// The graph holds the function, with all that it needs: drop it with forget_graphs().
std::size_t capture(Runner& self, const nb::callable& queue) {
  return self.device().capture([queue] { queue(); });
}

void copy(Runner& self, std::uintptr_t to, std::uintptr_t from, std::size_t bytes, Stream stream) {
  self.device().copy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes,
                     stream);
}

void set_vocabulary(Runner& self, const Bank& bank, float scale, std::uint32_t top) {
  nb::gil_scoped_release unlocked;
  self.set_vocabulary(bank.data(), static_cast<std::uint32_t>(bank.shape(0)),
                      static_cast<std::uint32_t>(bank.shape(1)), scale, top);
}

void label(Runner& self, std::uintptr_t embeddings, std::uint32_t rows, std::uint32_t dimension,
           bool half, std::uintptr_t indices, std::uintptr_t scores, Stream stream) {
  const Embedded embedded = {reinterpret_cast<const void*>(embeddings),
                             rows,
                             dimension,
                             half ? 1u : 0u,
                             reinterpret_cast<std::uint32_t*>(indices),
                             reinterpret_cast<float*>(scores)};
  self.label(embedded, stream);
}

}  // namespace

void bind_runner(nb::module_& m) {
  m.attr("max_top") = saccade::cuda::kMaxTop;
  nb::class_<Runner>(m, "DeviceRunner")
      .def(
          "allocate",
          [](Runner& self, std::size_t bytes) {
            return reinterpret_cast<std::uintptr_t>(self.device().allocate(bytes));
          },
          "bytes"_a)
      .def("pinned", &pinned, "bytes"_a)
      .def("copy", &copy, "to"_a, "from_"_a, "bytes"_a, "stream"_a)
      .def("capture", &capture, "queue"_a)
      // Queued and finished without the GIL, which the twin's graph takes again for its function.
      .def(
          "run",
          [](Runner& self, std::size_t graph, Stream stream) {
            self.device().replay(graph, stream);
            nb::gil_scoped_release unlocked;
            self.device().synchronise(stream);
          },
          "graph"_a, "stream"_a)
      .def(
          "synchronise", [](Runner& self, Stream stream) { self.device().synchronise(stream); },
          "stream"_a, nb::call_guard<nb::gil_scoped_release>())
      .def("forget_graphs", [](Runner& self) { self.device().forget_graphs(); })
      .def("set_vocabulary", &set_vocabulary, "bank"_a.noconvert(), "scale"_a, "top"_a)
      .def("label", &label, "embeddings"_a, "rows"_a, "dimension"_a, "half"_a, "indices"_a,
           "scores"_a, "stream"_a)
      .def_prop_ro("stream", [](Runner& self) { return self.device().stream(); })
      .def_prop_ro("integrated", [](Runner& self) { return self.device().integrated(); });
  m.def("cuda_runner", &cuda_runner, "device"_a);
  m.def("host_runner", &host_runner, "device"_a);
}
