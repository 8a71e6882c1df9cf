// Counts, voxel grids and time surfaces as Python classes.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <vector>

#include "bind_columns.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::TimeSurface;
using saccade::VoxelGrid;

namespace {

template <typename T>
using Out = nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <typename T>
using MaybeOut = std::optional<Out<T>>;
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

template <typename Self>
void add(Self& self, const std::vector<Columns>& packets) {
  for (const Columns& c : packets) self.add(c.view());
}

template <typename T>
T* target(const MaybeOut<T>& out, int planes, int height, int width) {
  if (!out) return nullptr;
  if (out->shape(0) != static_cast<std::size_t>(planes) ||
      out->shape(1) != static_cast<std::size_t>(height) ||
      out->shape(2) != static_cast<std::size_t>(width))
    throw nb::value_error("out does not have the array's shape");
  return out->data();
}

// The memory of a class, as a view that keeps the object alive.
template <typename T>
auto view(nb::handle self, const T* data, int planes, int height, int width) {
  return nb::ndarray<nb::numpy, const T, nb::ndim<3>>(
      data,
      {static_cast<std::size_t>(planes), static_cast<std::size_t>(height),
       static_cast<std::size_t>(width)},
      self);
}

template <typename Self>
auto planes(nb::handle_t<Self> self) {
  const auto& v = nb::cast<const Self&>(self).values();
  return view(self, v.data(), v.planes(), v.height(), v.width());
}

template <typename T>
void bind_histogram(nb::module_& m, const char* name) {
  using Self = saccade::Histogram<T>;
  nb::class_<Self>(m, name)
      .def(nb::init<int, int>(), "width"_a, "height"_a)
      .def(
          "fill",
          [](Self& self, const nb::list& packets, const MaybeOut<T>& out) {
            const auto events = checked(packets);
            const auto& v = self.values();
            T* to = target(out, v.planes(), v.height(), v.width());
            nb::gil_scoped_release unlocked;
            self.begin(to);
            add(self, events);
          },
          "packets"_a, "out"_a.noconvert().none())
      .def_prop_ro("array", &planes<Self>)
      .def_prop_ro("saturated", &Self::saturated)
      .def_prop_ro("out_of_bounds", &Self::out_of_bounds);
}

void fill_voxels(VoxelGrid& self, const nb::list& packets, std::uint64_t begin_us,
                 std::uint64_t end_us, bool normalise, const MaybeOut<float>& out) {
  const auto events = checked(packets);
  const auto& v = self.values();
  float* to = target(out, v.planes(), v.height(), v.width());
  nb::gil_scoped_release unlocked;
  self.begin(begin_us, end_us, to);
  add(self, events);
  if (normalise) self.normalise();
}

void fill_surface(TimeSurface& self, const nb::list& packets, std::uint64_t now_us,
                  const MaybeOut<float>& out) {
  const auto events = checked(packets);
  float* to = target(out, 2, self.height(), self.width());
  nb::gil_scoped_release unlocked;
  self.begin(now_us);
  add(self, events);
  self.finish(to);
}

auto surface(nb::handle_t<TimeSurface> self) {
  const auto& s = nb::cast<const TimeSurface&>(self);
  return view(self, s.data(), 2, s.height(), s.width());
}

}  // namespace

void bind_representations(nb::module_& m) {
  bind_histogram<std::uint16_t>(m, "Histogram16");
  bind_histogram<float>(m, "HistogramF");
  nb::class_<VoxelGrid>(m, "VoxelGrid")
      .def(nb::init<int, int, int>(), "width"_a, "height"_a, "bins"_a)
      .def("fill", &fill_voxels, "packets"_a, "begin_us"_a, "end_us"_a, "normalise"_a,
           "out"_a.noconvert().none())
      .def_prop_ro("array", &planes<VoxelGrid>)
      .def_prop_ro("out_of_bounds", &VoxelGrid::out_of_bounds);
  nb::class_<TimeSurface>(m, "TimeSurface")
      .def(nb::init<int, int, bool, std::uint32_t>(), "width"_a, "height"_a, "linear"_a, "tau_us"_a)
      .def("fill", &fill_surface, "packets"_a, "now_us"_a, "out"_a.noconvert().none())
      .def("forget", &TimeSurface::forget, Unlocked())
      .def_prop_ro("array", &surface)
      .def_prop_ro("out_of_bounds", &TimeSurface::out_of_bounds);
}
