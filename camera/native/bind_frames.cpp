#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>

#include "frames.hpp"

namespace nb = nanobind;
using saccade::Counting;
using saccade::FrameKind;
using saccade::FrameMaker;

namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Frame = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void add(FrameMaker& self, In<std::uint16_t> x, In<std::uint16_t> y, In<bool> on) {
  if (x.size() != y.size() || x.size() != on.size())
    throw nb::value_error("x, y and on must have one length");
  const auto* polarity = reinterpret_cast<const std::uint8_t*>(on.data());
  nb::gil_scoped_release unlocked;
  self.add(x.data(), y.data(), polarity, x.size());
}

void finish(FrameMaker& self, Frame out) {
  const auto size = static_cast<std::size_t>(self.size());
  if (out.shape(0) != size || out.shape(1) != size)
    throw nb::value_error("out must be float32 [size, size]");
  nb::gil_scoped_release unlocked;
  self.finish(out.data());
}

auto counts(const FrameMaker& self) {
  const auto rows = static_cast<std::size_t>(self.rows());
  const auto columns = static_cast<std::size_t>(self.columns());
  auto data = std::make_unique<std::uint16_t[]>(2 * rows * columns);
  self.counts(data.get());
  std::uint16_t* raw = data.release();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<std::uint16_t*>(p); });
  return nb::ndarray<nb::numpy, std::uint16_t, nb::ndim<3>>(raw, {2, rows, columns}, owner);
}

}  // namespace

void bind_frames(nb::module_& m) {
  nb::enum_<FrameKind>(m, "FrameKind")
      .value("paper", FrameKind::kPaper)
      .value("signed", FrameKind::kSigned)
      .value("clamped", FrameKind::kClamped);
  nb::enum_<Counting>(m, "Counting")
      .value("sensor", Counting::kSensor)
      .value("encoder", Counting::kEncoder);
  nb::class_<FrameMaker>(m, "FrameMaker")
      .def(nb::init<int, int, int, FrameKind, Counting, int>(), nb::arg("width"), nb::arg("height"),
           nb::arg("size"), nb::arg("kind"), nb::arg("counting"), nb::arg("clamp"))
      .def("add", &add, nb::arg("x").noconvert(), nb::arg("y").noconvert(),
           nb::arg("on").noconvert())
      .def("finish", &finish, nb::arg("out").noconvert())
      .def("clear", &FrameMaker::clear)
      .def("counts", &counts)
      .def_prop_ro("saturated", &FrameMaker::saturated)
      .def_prop_ro("out_of_bounds", &FrameMaker::out_of_bounds);
}
