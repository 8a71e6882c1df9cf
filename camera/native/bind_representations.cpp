// Counts, voxel grids and time surfaces as Python classes.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "representations.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using saccade::EventColumnsView;
using saccade::TimeSurface;
using saccade::VoxelGrid;

namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out = nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <typename Self>
void add(Self& self, In<std::uint64_t> t, In<std::uint16_t> x, In<std::uint16_t> y, In<bool> on) {
  if (t.size() != x.size() || x.size() != y.size() || x.size() != on.size())
    throw nb::value_error("t, x, y and on must have one length");
  const EventColumnsView events{t.data(), x.data(), y.data(),
                                reinterpret_cast<const std::uint8_t*>(on.data()), x.size()};
  nb::gil_scoped_release unlocked;
  self.add(events);
}

template <typename T>
void check(const Out<T>& out, int planes, int height, int width) {
  if (out.shape(0) != static_cast<std::size_t>(planes) ||
      out.shape(1) != static_cast<std::size_t>(height) ||
      out.shape(2) != static_cast<std::size_t>(width))
    throw nb::value_error("out does not have the array's shape");
}

template <typename T>
auto view(nb::handle self, const T* data, int planes, int height, int width) {
  return nb::ndarray<nb::numpy, const T, nb::ndim<3>>(
      data,
      {static_cast<std::size_t>(planes), static_cast<std::size_t>(height),
       static_cast<std::size_t>(width)},
      self);
}

// The array of a class that holds `Planes`, as a view that keeps the object alive, and as a copy.
template <typename Self>
auto planes(nb::handle_t<Self> self) {
  const auto& v = nb::cast<const Self&>(self).values();
  return view(self, v.data(), v.planes(), v.height(), v.width());
}

template <typename Self, typename T>
void copy(const Self& self, Out<T> out) {
  const auto& v = self.values();
  check(out, v.planes(), v.height(), v.width());
  nb::gil_scoped_release unlocked;
  v.copy(out.data());
}

template <typename Self>
void bind_add(nb::class_<Self>& c) {
  c.def("add", &add<Self>, "t"_a.noconvert(), "x"_a.noconvert(), "y"_a.noconvert(),
        "on"_a.noconvert())
      .def_prop_ro("out_of_bounds", &Self::out_of_bounds);
}

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

template <typename T>
void bind_histogram(nb::module_& m, const char* name) {
  using Self = saccade::Histogram<T>;
  nb::class_<Self> c(m, name);
  c.def(nb::init<int, int>(), "width"_a, "height"_a)
      .def("begin", &Self::begin, Unlocked())
      .def("copy", &copy<Self, T>, "out"_a.noconvert())
      .def_prop_ro("array", &planes<Self>)
      .def_prop_ro("saturated", &Self::saturated);
  bind_add(c);
}

void finish(TimeSurface& self, Out<float> out) {
  check(out, 2, self.height(), self.width());
  nb::gil_scoped_release unlocked;
  self.finish(out.data());
}

auto surface(nb::handle_t<TimeSurface> self) {
  const auto& s = nb::cast<const TimeSurface&>(self);
  return view(self, s.data(), 2, s.height(), s.width());
}

}  // namespace

void bind_representations(nb::module_& m) {
  bind_histogram<std::uint16_t>(m, "Histogram16");
  bind_histogram<float>(m, "HistogramF");
  nb::class_<VoxelGrid> voxels(m, "VoxelGrid");
  voxels.def(nb::init<int, int, int>(), "width"_a, "height"_a, "bins"_a)
      .def("begin", &VoxelGrid::begin, "begin_us"_a, "end_us"_a, Unlocked())
      .def("normalise", &VoxelGrid::normalise, Unlocked())
      .def("copy", &copy<VoxelGrid, float>, "out"_a.noconvert())
      .def_prop_ro("array", &planes<VoxelGrid>);
  bind_add(voxels);
  nb::class_<TimeSurface> surfaces(m, "TimeSurface");
  surfaces
      .def(nb::init<int, int, bool, std::uint32_t>(), "width"_a, "height"_a, "linear"_a, "tau_us"_a)
      .def("begin", &TimeSurface::begin, "now_us"_a, Unlocked())
      .def("forget", &TimeSurface::forget, Unlocked())
      .def(
          "update", [](TimeSurface& self) { self.finish(nullptr); }, Unlocked())
      .def("copy", &finish, "out"_a.noconvert())
      .def_prop_ro("array", &surface);
  bind_add(surfaces);
}
